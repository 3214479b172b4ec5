"""What the vision architectures are, as plain data: sizes, layers, and which layers the layer test looks at.

Layers have the numbers of the published benchmark, in the order of the network; what each one is stands in
:mod:`resi.domains.vision.taps`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_GRID = 7
"""Maps larger than this in height or width are pooled to it."""


@dataclass(frozen=True)
class ResNetDesign:
    """A residual network with a 3x3 stem and no max-pooling.

    Attributes
    ----------
    blocks : tuple of int
        Residual blocks of each stage.
    channels : tuple of int
        Of each stage, before the fourfold expansion of a bottleneck.
    stem : int
        Channels of the first convolution.
    """

    blocks: tuple[int, ...]
    channels: tuple[int, ...] = (64, 128, 256, 512)
    stem: int = 64
    bottleneck: bool = False
    last_layers: int = 6

    @property
    def layers(self) -> int:
        """The stem, every block, and the pooled map."""
        return 1 + sum(self.blocks) + 1

    @property
    def features(self) -> int:
        """Channels of the last layer."""
        return self.channels[-1] * (4 if self.bottleneck else 1)

    def layer_shape(self, number: int, hyperparameters: Mapping[str, Any]) -> tuple[int, ...]:
        """Return channels, height and width of a layer's maps."""
        if number == self.layers - 1:
            return self.features, 1, 1
        early = bool(hyperparameters["early_downsampling"])
        # The stem of large images halves them, after a border of three pixels; so does the first stage.
        width = hyperparameters["image_size"] // 2 + 2 if early else hyperparameters["image_size"]
        if number == 0:
            return _map(self.stem, width)
        stages = [stage for stage, count in enumerate(self.blocks) for _ in range(count)]
        stage = stages[number - 1]
        return _map(self.channels[stage] * (4 if self.bottleneck else 1), math.ceil(width / 2 ** (stage + early)))


@dataclass(frozen=True)
class VGGDesign:
    """A plain convolutional network with batch norm and one linear layer.

    Attributes
    ----------
    stages : tuple of tuple of int
        Channels of the convolutions of each stage; max-pooling follows every stage.
    """

    stages: tuple[tuple[int, ...], ...]
    last_layers: int = 6

    @property
    def layers(self) -> int:
        """Every convolution, and the input of the classifier."""
        return sum(map(len, self.stages)) + 1

    @property
    def features(self) -> int:
        """Features of the last layer."""
        return self.stages[-1][-1]

    def layer_shape(self, number: int, hyperparameters: Mapping[str, Any]) -> tuple[int, ...]:
        """Return channels, height and width of a layer's maps; the features of the last layer."""
        if number == self.layers - 1:
            return (self.features,)
        convolutions = [(channels, stage) for stage, several in enumerate(self.stages) for channels in several]
        channels, stage = convolutions[number]
        return _map(channels, hyperparameters["image_size"] // 2**stage)


@dataclass(frozen=True)
class ViTDesign:
    """A vision transformer with a class token."""

    width: int
    depth: int
    heads: int
    patch: int
    last_layers: int = 6

    @property
    def layers(self) -> int:
        """Every encoder layer, and the input of the classifier."""
        return self.depth + 1

    @property
    def features(self) -> int:
        """Features of the last layer."""
        return self.width

    def layer_shape(self, number: int, hyperparameters: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the features of the class token."""
        del number, hyperparameters
        return (self.width,)


def _map(channels: int, width: int) -> tuple[int, int, int]:
    return channels, min(width, MAX_GRID), min(width, MAX_GRID)


Design = ResNetDesign | VGGDesign | ViTDesign

DESIGNS: dict[str, Design] = {
    "resnet18": ResNetDesign((2, 2, 2, 2), last_layers=5),
    "resnet34": ResNetDesign((3, 4, 6, 3)),
    "resnet101": ResNetDesign((3, 4, 23, 3), bottleneck=True),
    "vgg11": VGGDesign(((64,), (128,), (256, 256), (512, 512), (512, 512)), last_layers=5),
    "vgg19": VGGDesign(((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)),
    "vit_b32": ViTDesign(width=768, depth=12, heads=12, patch=32),
    "vit_l32": ViTDesign(width=1024, depth=24, heads=16, patch=32),
    "tiny_resnet": ResNetDesign((1, 1, 1, 1), channels=(8, 16, 32, 64), stem=8, last_layers=5),
    "tiny_vgg": VGGDesign(((16,), (32,), (64, 64)), last_layers=5),
    "tiny_vit": ViTDesign(width=48, depth=4, heads=4, patch=4, last_layers=5),
}


def layer_names(architecture: str) -> tuple[str, ...]:
    """Return the layers of an architecture in the order of the network."""
    return tuple(str(number) for number in range(DESIGNS[architecture].layers))
