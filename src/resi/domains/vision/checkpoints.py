"""Weights under other names: the published checkpoints, and vision transformers as ``transformers`` writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from resi.domains.vision.designs import DESIGNS, ResNetDesign, VGGDesign
from resi.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

# Where a name begins once the wrappers around the network are taken off.
RESNET_ROOTS = ("conv0.", "bn0.", "layer", "linear.")
VGG_ROOTS = ("features.", "classifier.")
VIT_ROOTS = ("embeddings.", "encoder.", "layers.", "layernorm.", "pooler.", "classifier.")

RESNET_NAMES = ((r"^conv0\.", "conv1."), (r"^bn0\.", "bn1."), (r"^linear\.", "fc."))
VGG_NAMES = ((r"^classifier\.", "head.fc."),)
# transformers renamed the parts of its vision transformer in version 5; both names lead to timm's.
VIT_NAMES = (
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^layernorm\.", "norm."),
    (r"^classifier\.", "head."),
    (r"^(?:encoder\.layer|layers)\.(\d+)\.", r"blocks.\1."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.(?:attention\.)?(query|key|value)\.", r".attn.\1."),
    (r"\.attention\.([qkv])_proj\.", r".attn.\1."),
    (r"\.attention\.(?:output\.dense|o_proj)\.", ".attn.proj."),
    (r"\.(?:intermediate\.dense|mlp\.fc1)\.", ".mlp.fc1."),
    (r"\.(?:output\.dense|mlp\.fc2)\.", ".mlp.fc2."),
)
QKV = re.compile(r"^(.*\.attn)\.(q|k|v|query|key|value)\.(weight|bias)$")


def from_published(architecture: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a published checkpoint under the names of our model of that architecture."""
    design = DESIGNS[architecture]
    if isinstance(design, ResNetDesign):
        found = _rename(_unwrap(state, RESNET_ROOTS), RESNET_NAMES)
        # The published stages list blocks and activations in turn; only blocks, at even places, have weights.
        return {re.sub(r"^(layer\d+)\.(\d+)\.", _halve, name): tensor for name, tensor in found.items()}
    if isinstance(design, VGGDesign):
        return _rename(_unwrap(state, VGG_ROOTS), VGG_NAMES)
    return from_transformers(state)


def from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a ViT of ``transformers``, of either naming, under timm's names; a pooler is left out."""
    renamed = _rename(_unwrap(state, VIT_ROOTS), VIT_NAMES)
    found: dict[str, Tensor] = {}
    projections: dict[str, dict[str, Tensor]] = {}
    for name, tensor in renamed.items():
        if match := QKV.match(name):
            # timm computes queries, keys and values with one matrix.
            projections.setdefault(f"{match[1]}.qkv.{match[3]}", {})[match[2][0]] = tensor
        elif not name.startswith("pooler."):
            found[name] = tensor
    for name, parts in projections.items():
        if len(parts) == 3:
            found[name] = torch.cat([parts["q"], parts["k"], parts["v"]])
    return found


def load_weights(model: nn.Module, state: Mapping[str, Tensor], source: object) -> None:
    """Load weights that have to fit exactly, see :func:`check_fit`."""
    check_fit(model, state, source)
    model.load_state_dict(dict(state), strict=True)


def check_fit(model: nn.Module, state: Mapping[str, Tensor], source: object) -> None:
    """Check that weights have the names and shapes of a model's.

    Raises
    ------
    ArtifactError
        Naming ``source`` and the first weights that are missing, foreign or of another shape.
    """
    expected = model.state_dict()
    problems = [f"{name} is missing" for name in expected if name not in state]
    problems += [f"{name} is not part of the model" for name in state if name not in expected]
    problems += [
        f"{name} has shape {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ArtifactError(f"the weights of {source} do not fit its architecture: {'; '.join(problems[:3])}{more}")


def _unwrap(state: Mapping[str, Tensor], roots: tuple[str, ...]) -> dict[str, Tensor]:
    """Take leading parts off every name until it begins with a root."""
    return {_strip(name, roots): tensor for name, tensor in state.items()}


def _strip(name: str, roots: tuple[str, ...]) -> str:
    parts = name.split(".")
    for start in range(len(parts)):
        rest = ".".join(parts[start:])
        if rest.startswith(roots):
            return rest
    return name


def _rename(state: Mapping[str, Tensor], names: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    found = {}
    for name, tensor in state.items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)  # noqa: PLW2901 - one name through all rules
        found[name] = tensor
    return found


def _halve(match: re.Match[str]) -> str:
    place = int(match[2])
    return f"{match[1]}.{place // 2}." if place % 2 == 0 else match[0]
