"""Residual networks (He et al., CVPR 2016) with a 3 x 3 stem and without max-pooling: timm's, as published.

Layers are the stem's batch norm and every residual block, both before their last ReLU, and the pooled map, 1 x 1.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from resi import registry
from resi.domains.vision.datasets.base import ImageDataset
from resi.domains.vision.networks.base import (
    FLOAT_BYTES,
    ImageArchitecture,
    ImageNetwork,
    by_name,
    draw_weights,
    normed,
    numbered,
    pooled_map,
    reduce,
)
from resi.domains.vision.weights import renamed, unwrapped
from resi.errors import UsageError
from resi.extraction.layers import HookPoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from resi.specs import DatasetInfo

REFERENCE = "He et al., CVPR 2016"
TITLE = "{} layers, 3x3 stem, no max-pooling"
EXPANSION = 4
"""Channels that leave a bottleneck block, by those inside it."""
LARGE_IMAGES = 128
"""Height and width from which the stem and the first stage halve the maps."""
CORNER = 5
"""Published networks that pool so many cells in height and width of their last map, which has more, pool its corner."""

# Where a name begins once the wrappers around the network are taken off, and what it is here.
ROOTS = ("conv0.", "bn0.", "layer", "linear.")
NAMES = ((r"^conv0\.", "conv1."), (r"^bn0\.", "bn1."), (r"^linear\.", "fc."))


@dataclass(frozen=True, kw_only=True)
class ResNetArchitecture(ImageArchitecture):
    """A residual network.

    Attributes
    ----------
    blocks : tuple of int
        Residual blocks of each stage.
    channels : tuple of int
        Of each stage, before the fourfold expansion of a bottleneck.
    stem : int
        Channels of the first convolution.
    bottleneck : bool
        Whether blocks are of three convolutions instead of two.
    """

    blocks: tuple[int, ...]
    channels: tuple[int, ...] = (64, 128, 256, 512)
    stem: int = 64
    bottleneck: bool = False

    def width(self, stage: int) -> int:
        """Return the channels of the maps that leave the blocks of a stage."""
        return self.channels[stage] * (EXPANSION if self.bottleneck else 1)


class ResNet(ImageNetwork):
    """Residual networks."""

    architectures: ClassVar[tuple[ResNetArchitecture, ...]] = (
        ResNetArchitecture(
            "resnet18", TITLE.format(18), "ResNet18", REFERENCE, blocks=(2, 2, 2, 2), last_layers=5
        ),
        ResNetArchitecture("resnet34", TITLE.format(34), "ResNet34", REFERENCE, blocks=(3, 4, 6, 3)),
        ResNetArchitecture(
            "resnet101", TITLE.format(101), "ResNet101", REFERENCE, blocks=(3, 4, 23, 3), bottleneck=True
        ),
        ResNetArchitecture(
            "tiny_resnet", "4 residual blocks, for digits", "", REFERENCE,
            blocks=(1, 1, 1, 1), channels=(8, 16, 32, 64), stem=8, last_layers=5, largest_image=16,
        ),
    )  # fmt: skip
    # Those on digits are chosen so that models learn every setting, the others are the benchmark's.
    hyperparameters_on: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "digits": {"epochs": 25, "batch_size": 64, "weight_decay": 1e-4},
        "imagenet100": {"weight_decay": 4e-5},
    }
    choices: ClassVar[Mapping[str, Sequence[str]]] = {"head_pooling": ("global", "corner")}

    def recipe(self, architecture: str, dataset: ImageDataset) -> dict[str, Any]:
        """Return the hyperparameters that all families have, and how the last map is pooled."""
        return {**super().recipe(architecture, dataset), "head_pooling": "global"}

    def derived(self, architecture: str, dataset: ImageDataset, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the size of images, and whether the first layers halve them."""
        if values["head_pooling"] == "corner" and not _pools_corner(dataset):
            names = [known.name for known in registry.datasets(self.domain).in_order() if _pools_corner(known)]
            raise UsageError(
                f"model.{architecture}.head_pooling=corner: only models of dataset={', '.join(names)} have it"
            )
        return {**super().derived(architecture, dataset, values), "early_downsampling": _is_large(dataset)}

    def build(self, architecture: str, hyperparameters: Mapping[str, Any], classes: int) -> nn.Module:
        """Return an untrained network with torch's default weights; every block begins as the identity."""
        from timm.models.resnet import BasicBlock, Bottleneck, downsample_conv
        from timm.models.resnet import ResNet as TimmResNet
        from torch import nn

        size = by_name(self.architectures, architecture)
        block: Any = Bottleneck if size.bottleneck else BasicBlock
        model: Any = TimmResNet(block, size.blocks, num_classes=classes, channels=size.channels)
        stride, padding = (2, 3) if hyperparameters["early_downsampling"] else (1, 1)
        model.conv1 = nn.Conv2d(3, size.stem, 3, stride=stride, padding=padding, bias=False)
        model.bn1 = nn.BatchNorm2d(size.stem)
        model.maxpool = nn.Identity()
        # timm's first stage takes 64 channels and keeps the size of the map.
        is_same = stride == 1 and size.stem == size.width(0)
        projection = None if is_same else downsample_conv(size.stem, size.width(0), kernel_size=1, stride=stride)
        model.layer1[0] = block(size.stem, size.channels[0], stride=stride, downsample=projection)
        if hyperparameters["head_pooling"] == "corner":
            from resi.domains.vision.networks.corner_pool import CornerPool

            model.global_pool = CornerPool(CORNER)
        draw_weights(model)
        return model

    def layers(self, architecture: str) -> dict[str, HookPoint]:
        """Return the stem, every block, and the pooled map."""
        size = by_name(self.architectures, architecture)
        # A block ends in its own activation, whose input is wanted.
        last = "act3" if size.bottleneck else "act2"
        names = [f"layer{stage}.{i}.{last}" for stage, count in enumerate(size.blocks, 1) for i in range(count)]
        blocks = [HookPoint(name, at_input=True) for name in names]
        return numbered([HookPoint("bn1"), *blocks, HookPoint("global_pool")])

    def reduce(self, activation: Tensor) -> Tensor:
        """Return a map of at most 7 x 7 cells."""
        # All layers are maps; timm's pooling drops the last two axes, which a map of one cell has.
        return reduce(activation[:, :, None, None] if activation.ndim == 2 else activation)

    def layer_shape(self, architecture: str, layer: str, hyperparameters: Mapping[str, Any]) -> tuple[int, ...]:
        """Return channels, height and width of a layer's maps."""
        size, number = by_name(self.architectures, architecture), int(layer)
        stages = [stage for stage, count in enumerate(size.blocks) for _ in range(count)]
        if number > len(stages):
            return size.width(stages[-1]), 1, 1
        early = bool(hyperparameters["early_downsampling"])
        # The stem of large images halves them, after a border of three pixels; so does the first stage.
        width = hyperparameters["image_size"] // 2 + 2 if early else hyperparameters["image_size"]
        if number == 0:
            return pooled_map(size.stem, width)
        stage = stages[number - 1]
        return pooled_map(size.width(stage), math.ceil(width / 2 ** (stage + early)))

    def weight_bytes(self, architecture: str, hyperparameters: Mapping[str, Any], classes: int) -> int:
        """Return the bytes of the stem, of all blocks, and of the linear layer."""
        size = by_name(self.architectures, architecture)
        found, before = _convolved(3, size.stem, 3), size.stem
        for stage, count in enumerate(size.blocks):
            inner, out = size.channels[stage], size.width(stage)
            halves = stage > 0 or bool(hyperparameters["early_downsampling"])
            for number in range(count):
                found += _block(before, inner, out, size.bottleneck)
                if number == 0 and (halves or before != out):
                    found += _convolved(before, out, 1)
                before = out
        return found + FLOAT_BYTES * (before + 1) * classes

    def from_published(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return published weights under timm's names."""
        found = renamed(unwrapped(state, ROOTS), NAMES)
        # The published stages list blocks and activations in turn; only blocks, at even places, have weights.
        return {re.sub(r"^(layer\d+)\.(\d+)\.", _halve, name): tensor for name, tensor in found.items()}

    def published_hyperparameters(self, dataset: ImageDataset) -> dict[str, Any]:
        """Return the pooling of a corner, where the published networks pool one."""
        return {"head_pooling": "corner"} if _pools_corner(dataset) else {}

    def built_from(self, dataset: ImageDataset) -> dict[str, Any]:
        """Return classes, stem and pooling of the published networks."""
        published = dataset.published
        pooling = {} if published is None else {"global_average_pooling": published.global_average_pooling}
        return {**super().built_from(dataset), "early_downsampling": _is_large(dataset), **pooling}


def _block(before: int, inner: int, out: int, bottleneck: bool) -> int:
    """Return the bytes of a residual block without its projection."""
    if not bottleneck:
        return _convolved(before, inner, 3) + _convolved(inner, out, 3)
    return _convolved(before, inner, 1) + _convolved(inner, inner, 3) + _convolved(inner, out, 1)


def _convolved(before: int, channels: int, width: int) -> int:
    """Return the bytes of a convolution without bias, and of its batch norm."""
    return FLOAT_BYTES * before * channels * width**2 + normed(channels)


def _is_large(dataset: ImageDataset) -> bool:
    return dataset.image_size >= LARGE_IMAGES


def _pools_corner(dataset: DatasetInfo) -> bool:
    published = dataset.published if isinstance(dataset, ImageDataset) else None
    return published is not None and published.global_average_pooling == CORNER


def _halve(match: re.Match[str]) -> str:
    place = int(match[2])
    return f"{match[1]}.{place // 2}." if place % 2 == 0 else match[0]
