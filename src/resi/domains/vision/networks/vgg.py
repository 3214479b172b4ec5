"""VGGs (Simonyan & Zisserman, ICLR 2015) with batch norm and one linear layer: timm's, as published.

Layers are every convolution, before batch norm and ReLU, and the input of the linear layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from resi.domains.vision.networks.base import (
    FLOAT_BYTES,
    ImageArchitecture,
    ImageNetwork,
    by_name,
    draw_weights,
    normed,
    numbered,
    pooled_map,
)
from resi.domains.vision.weights import renamed, unwrapped
from resi.extraction.layers import HookPoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from resi.domains.vision.datasets.base import ImageDataset

REFERENCE = "Simonyan & Zisserman, ICLR 2015"
TITLE = "{} layers, batch norm, one linear layer"
TIMES = ("no time", "once", "twice", "three times", "four times", "five times")
CONVOLUTION_MODULES = 3
"""A convolution, its batch norm and its ReLU; max-pooling is one module more after every stage."""

# Where a name begins once the wrappers around the network are taken off, and what it is here.
ROOTS = ("features.", "classifier.")
NAMES = ((r"^classifier\.", "head.fc."),)


@dataclass(frozen=True, kw_only=True)
class VGGArchitecture(ImageArchitecture):
    """A plain convolutional network.

    Attributes
    ----------
    stages : tuple of tuple of int
        Channels of the convolutions of each stage; max-pooling follows every stage.
    """

    stages: tuple[tuple[int, ...], ...]


class VGG(ImageNetwork):
    """VGGs."""

    architectures: ClassVar[tuple[VGGArchitecture, ...]] = (
        VGGArchitecture(
            "vgg11", TITLE.format(11), "VGG11", REFERENCE,
            stages=((64,), (128,), (256, 256), (512, 512), (512, 512)), last_layers=5, smallest_image=32,
        ),
        VGGArchitecture(
            "vgg19", TITLE.format(19), "VGG19", REFERENCE,
            stages=((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4), smallest_image=32,
        ),
        VGGArchitecture(
            "tiny_vgg", "4 convolutions, for digits", "", REFERENCE,
            stages=((16,), (32,), (64, 64)), last_layers=5, smallest_image=8, largest_image=16,
        ),
    )  # fmt: skip

    # Those on digits are chosen so that models learn every setting, the others are the benchmark's.
    hyperparameters_on: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "digits": {"epochs": 30, "batch_size": 32, "learning_rate": 0.05, "weight_decay": 1e-4},
        "imagenet100": {"weight_decay": 4e-5},
    }

    def too_small(self, architecture: str, dataset: ImageDataset) -> str:
        """Say how often maps are halved."""
        times = TIMES[len(by_name(self.architectures, architecture).stages)]
        return f"halves images {times}, {dataset.name} have {dataset.image_size} pixels"

    def build(self, architecture: str, hyperparameters: Mapping[str, Any], classes: int) -> nn.Module:
        """Return an untrained network with torch's default weights."""
        import torch
        from timm.models import vgg
        from torch import nn

        stages = by_name(self.architectures, architecture).stages
        config = [entry for stage in stages for entry in (*stage, "M")]
        with torch.device("meta"):  # timm's two wide layers, which go, are 100 million weights
            model: Any = vgg.VGG(config, num_classes=classes, norm_layer=nn.BatchNorm2d)
            model.pre_logits = nn.Identity()
            model.head.fc = nn.Linear(model.num_features, classes)
        model = model.to_empty(device="cpu")
        draw_weights(model)
        return model

    def layers(self, architecture: str) -> dict[str, HookPoint]:
        """Return every convolution, and the input of the classifier."""
        places: list[int] = []
        start = 0
        for stage in by_name(self.architectures, architecture).stages:
            places += [start + CONVOLUTION_MODULES * number for number in range(len(stage))]
            start += CONVOLUTION_MODULES * len(stage) + 1
        return numbered([*(HookPoint(f"features.{place}") for place in places), HookPoint("head.fc", at_input=True)])

    def layer_shape(self, architecture: str, layer: str, hyperparameters: Mapping[str, Any]) -> tuple[int, ...]:
        """Return channels, height and width of a layer's maps; the features of the last layer."""
        stages = by_name(self.architectures, architecture).stages
        convolutions = [(channels, stage) for stage, several in enumerate(stages) for channels in several]
        if int(layer) == len(convolutions):
            return (stages[-1][-1],)
        channels, stage = convolutions[int(layer)]
        return pooled_map(channels, hyperparameters["image_size"] // 2**stage)

    def weight_bytes(self, architecture: str, hyperparameters: Mapping[str, Any], classes: int) -> int:
        """Return the bytes of convolutions with their batch norms, and of the linear layer."""
        del hyperparameters
        found, before = 0, 3
        for channels in (channels for stage in by_name(self.architectures, architecture).stages for channels in stage):
            found += FLOAT_BYTES * (9 * before + 1) * channels + normed(channels)
            before = channels
        return found + FLOAT_BYTES * (before + 1) * classes

    def from_published(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return published weights under timm's names."""
        return renamed(unwrapped(state, ROOTS), NAMES)
