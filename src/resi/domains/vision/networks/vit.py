"""Vision transformers with a class token (Dosovitskiy et al., ICLR 2021): timm's, as published.

Layers are the class token after every encoder layer, and after the final norm.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from resi.domains.vision.networks.base import FLOAT_BYTES, ImageArchitecture, ImageNetwork, by_name, numbered
from resi.domains.vision.pretrained import pretrained_file, read_pretrained
from resi.domains.vision.weights import load_weights, renamed, unwrapped
from resi.extraction.layers import HookPoint
from resi.fingerprints import hash_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from resi.domains.vision.datasets.base import ImageDataset

REFERENCE = "Dosovitskiy et al., ICLR 2021"
TITLE = "{} layers, patches of 32, pre-trained on ImageNet-21k"

# Where a name begins once the wrappers around the network are taken off, and what it is here.
ROOTS = ("embeddings.", "encoder.", "layers.", "layernorm.", "pooler.", "classifier.")
# transformers renamed the parts of its vision transformer in version 5; both names lead to timm's.
NAMES = (
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


@dataclass(frozen=True, kw_only=True)
class ViTArchitecture(ImageArchitecture):
    """A vision transformer.

    Attributes
    ----------
    width, depth, heads : int
        Features of a token, encoder layers, and heads of attention.
    patch : int
        Height and width of the patches of which tokens are made.
    input_size : int, optional
        Height and width to which all images are brought; None for those of the dataset.
    pretrained : str
        The weights that training starts from: a repository on the hub, or ``none``.
    """

    width: int
    depth: int
    heads: int
    patch: int
    input_size: int | None = None
    pretrained: str = "none"


class VisionTransformer(ImageNetwork):
    """Vision transformers."""

    architectures: ClassVar[tuple[ViTArchitecture, ...]] = (
        ViTArchitecture(
            "vit_b32", TITLE.format(12), "ViT_B32", REFERENCE, width=768, depth=12, heads=12, patch=32,
            input_size=224, smallest_image=32, pretrained="google/vit-base-patch32-224-in21k",
        ),
        ViTArchitecture(
            "vit_l32", TITLE.format(24), "ViT_L32", REFERENCE, width=1024, depth=24, heads=16, patch=32,
            input_size=224, smallest_image=32, pretrained="google/vit-large-patch32-224-in21k", published_layers=13,
        ),
        ViTArchitecture(
            "tiny_vit", "4 layers, patches of 4, for digits", "", REFERENCE, width=48, depth=4, heads=4, patch=4,
            last_layers=5, largest_image=16,
        ),
    )  # fmt: skip
    # Those on digits are chosen so that models learn every setting, the others are the benchmark's.
    hyperparameters_on: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "digits": {
            "epochs": 30,
            "batch_size": 32,
            "optimizer": "adamw",
            "learning_rate": 2e-3,
            "weight_decay": 0.01,
            "warmup_epochs": 3,
        },
        "imagenet100": {
            "epochs": 300,
            "accumulation": 4,
            "optimizer": "adamw",
            "learning_rate": 3e-3,
            "weight_decay": 0.1,
            "warmup_epochs": 35,
        },
    }

    def recipe(self, architecture: str, dataset: ImageDataset) -> dict[str, Any]:
        """Return the hyperparameters that all families have, and the weights that training starts from."""
        return {
            **super().recipe(architecture, dataset),
            "pretrained": by_name(self.architectures, architecture).pretrained,
        }

    def derived(self, architecture: str, dataset: ImageDataset, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the size of images, and the hash of pre-trained weights in a local folder."""
        size = by_name(self.architectures, architecture).input_size
        found: dict[str, Any] = {"image_size": size or dataset.image_size}
        if (folder := Path(values["pretrained"]).expanduser()).is_dir():
            # Where weights lie says nothing about what they are.
            found["pretrained_sha256"] = hash_file(pretrained_file(folder))
        return found

    def build(self, architecture: str, hyperparameters: Mapping[str, Any], classes: int) -> nn.Module:
        """Return an untrained network."""
        from timm.models import vision_transformer
        from torch import nn

        size = by_name(self.architectures, architecture)
        model: Any = vision_transformer.VisionTransformer(
            img_size=hyperparameters["image_size"],
            patch_size=size.patch,
            num_classes=classes,
            embed_dim=size.width,
            depth=size.depth,
            num_heads=size.heads,
            norm_layer=functools.partial(nn.LayerNorm, eps=1e-12),
            weight_init="jax",  # scaled by the width, unlike timm's own, under which narrow ones hardly learn
        )
        model.head.reset_parameters()  # a fresh linear layer, as on pre-trained weights
        return model

    def layers(self, architecture: str) -> dict[str, HookPoint]:
        """Return every encoder layer, and the input of the classifier."""
        depth = by_name(self.architectures, architecture).depth
        return numbered([*(HookPoint(f"blocks.{i}") for i in range(depth)), HookPoint("head", at_input=True)])

    def layer_shape(self, architecture: str, layer: str, hyperparameters: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the features of the class token."""
        del layer, hyperparameters
        return (by_name(self.architectures, architecture).width,)

    def weight_bytes(self, architecture: str, hyperparameters: Mapping[str, Any], classes: int) -> int:
        """Return the bytes of the embeddings, the encoder layers, the final norm and the classifier."""
        size = by_name(self.architectures, architecture)
        tokens = (int(hyperparameters["image_size"]) // size.patch) ** 2 + 1
        embeddings = (3 * size.patch**2 + 1) * size.width + (tokens + 1) * size.width
        layers = size.depth * (12 * size.width**2 + 13 * size.width)
        return FLOAT_BYTES * (embeddings + layers + 2 * size.width + (size.width + 1) * classes)

    def stored_bytes(self, architecture: str) -> int:
        """Return the bytes of the joint projections, which published networks have in three parts."""
        size = by_name(self.architectures, architecture)
        return FLOAT_BYTES * size.depth * 3 * (size.width + 1) * size.width

    def load_pretrained(self, model: nn.Module, hyperparameters: Mapping[str, Any]) -> None:
        """Load all weights but the classifier's, which are not changed."""
        source = hyperparameters["pretrained"]
        if source == "none":
            return
        read = from_transformers(read_pretrained(source, hyperparameters.get("pretrained_sha256")))
        head = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("head.")}
        body = {name: tensor for name, tensor in read.items() if name not in head}
        load_weights(model, {**body, **head}, source)

    def from_published(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return published weights, named as ``transformers`` does, under timm's names."""
        return from_transformers(state)


def from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a ViT of ``transformers``, of either naming, under timm's names; a pooler is left out."""
    import torch

    found: dict[str, Tensor] = {}
    projections: dict[str, dict[str, Tensor]] = {}
    for name, tensor in renamed(unwrapped(state, ROOTS), NAMES).items():
        if match := QKV.match(name):
            # timm computes queries, keys and values with one matrix.
            projections.setdefault(f"{match[1]}.qkv.{match[3]}", {})[match[2][0]] = tensor
        elif not name.startswith("pooler."):
            found[name] = tensor
    for name, parts in projections.items():
        if len(parts) == 3:
            found[name] = torch.cat([parts["q"], parts["k"], parts["v"]])
    return found
