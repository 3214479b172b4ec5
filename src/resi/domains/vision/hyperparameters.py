"""Hyperparameters of vision models: the benchmark's by dataset, and the config keys that change them.

``digits`` and the tiny models are not in the published benchmark; their values are chosen so that models of every
setting learn what they are given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.domains.overrides import put_over
from resi.domains.vision.designs import DESIGNS, ResNetDesign, VGGDesign, ViTDesign
from resi.errors import UsageError
from resi.fingerprints import hash_file

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class VisionModelConfig:
    """Config of one architecture; every key left null has the benchmark's value for the dataset.

    Parameters
    ----------
    epochs : int, optional
        Passes over the training images.
    batch_size : int, optional
        Images of one forward pass.
    accumulation : int, optional
        Forward passes of one step of the optimizer.
    optimizer : str, optional
        ``sgd`` (momentum 0.9, Nesterov) or ``adamw``.
    learning_rate, weight_decay : float, optional
        The rate falls to 0 along a cosine; the decay is of all parameters.
    warmup_epochs : int, optional
        Epochs over which the rate first rises from 0.
    label_smoothing, clip_gradient_norm : float, optional
        0 for none. The published recipes name them and never apply them.
    pretrained : str, optional
        Weights a ``vit`` starts from: a repository on the hub, a local folder, or ``none``.
    normalization : str, optional
        Statistics of the pixels: ``imagenet``, ``cifar100``, ``cifar10`` or ``digits``.
    head_pooling : str, optional
        Of ``resnet``: ``global``, or ``corner`` for the top-left 5 x 5 cells, as published ImageNet100 models have it.
    """

    epochs: int | None = None
    batch_size: int | None = None
    accumulation: int | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    warmup_epochs: int | None = None
    label_smoothing: float | None = None
    clip_gradient_norm: float | None = None
    pretrained: str | None = None
    normalization: str | None = None
    head_pooling: str | None = None


# Mean and standard deviation of red, green and blue, on a scale of 0 to 1.
NORMALIZATION = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "digits": ((0.0482,) * 3, (0.0508,) * 3),
}
CHOICES = {
    "optimizer": ("sgd", "adamw"),
    "normalization": tuple(NORMALIZATION),
    "head_pooling": ("global", "corner"),
}
# Smallest value of a hyperparameter, and what it has to stay below.
LIMITS = {
    "epochs": (1, math.inf),
    "batch_size": (2, math.inf),
    "accumulation": (1, math.inf),
    "learning_rate": (0, math.inf),
    "weight_decay": (0, math.inf),
    "warmup_epochs": (0, math.inf),
    "label_smoothing": (0, 1),
    "clip_gradient_norm": (0, math.inf),
}
HUB = {"vit_b32": "google/vit-base-patch32-224-in21k", "vit_l32": "google/vit-large-patch32-224-in21k"}
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
FULL_SIZE = tuple(name for name in DESIGNS if not name.startswith("tiny_"))
TINY = tuple(name for name in DESIGNS if name.startswith("tiny_"))
IMAGE_SIZE = {"imagenet100": 224, "cifar100": 32, "digits": 12}
VIT_IMAGE_SIZE = 224


def _values(**changes: Any) -> dict[str, Any]:
    common = {
        "epochs": 200,
        "batch_size": 128,
        "accumulation": 1,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "weight_decay": 5e-4,
        "warmup_epochs": 0,
        "label_smoothing": 0.0,
        "clip_gradient_norm": 0.0,
    }
    return {**common, **changes}


_CIFAR100 = _values(normalization="cifar100")
_IMAGENET100 = _values(weight_decay=4e-5, normalization="imagenet")
_IMAGENET100_VIT = _values(
    epochs=300,
    accumulation=4,
    optimizer="adamw",
    learning_rate=3e-3,
    weight_decay=0.1,
    warmup_epochs=35,
    normalization="imagenet",
)
_DIGITS_VGG = _values(epochs=30, batch_size=32, learning_rate=0.05, weight_decay=1e-4, normalization="digits")
_DIGITS_RESNET = {**_DIGITS_VGG, "epochs": 25, "batch_size": 64, "learning_rate": 0.1}
_DIGITS_VIT = _values(
    epochs=30,
    batch_size=32,
    optimizer="adamw",
    learning_rate=2e-3,
    weight_decay=0.01,
    warmup_epochs=3,
    normalization="digits",
)


def recipe(architecture: str, dataset: str) -> dict[str, Any]:
    """Return the benchmark's hyperparameters of an architecture on a dataset.

    Raises
    ------
    UsageError
        If the two do not go together.
    """
    design = DESIGNS[architecture]
    is_vit = isinstance(design, ViTDesign)
    if architecture in TINY and dataset != "digits":
        raise UsageError(f"model={architecture} is for dataset=digits; on {dataset} choose from {', '.join(FULL_SIZE)}")
    if is_vit and architecture not in TINY and dataset == "digits":
        raise UsageError(f"model={architecture} takes no images of dataset=digits; choose tiny_vit")
    table = {
        "digits": {VGGDesign: _DIGITS_VGG, ResNetDesign: _DIGITS_RESNET, ViTDesign: _DIGITS_VIT}[type(design)],
        "cifar100": _CIFAR100,
        "imagenet100": _IMAGENET100_VIT if is_vit else _IMAGENET100,
    }
    values = dict(table[dataset])
    if is_vit:
        values["pretrained"] = HUB.get(architecture, "none")
    if isinstance(design, ResNetDesign):
        values["head_pooling"] = "global"
    return values


def hyperparameters(architecture: str, dataset: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe with those ``overrides`` that are set, and what follows from the dataset.

    Raises
    ------
    UsageError
        If an override does not exist for the architecture, or does not fit.
    """
    values = put_over(architecture, recipe(architecture, dataset), overrides, CHOICES, LIMITS)
    design = DESIGNS[architecture]
    full_size_vit = isinstance(design, ViTDesign) and architecture not in TINY
    values["image_size"] = VIT_IMAGE_SIZE if full_size_vit else IMAGE_SIZE[dataset]
    if isinstance(design, ResNetDesign):
        values["early_downsampling"] = dataset == "imagenet100"
        if values["head_pooling"] == "corner" and dataset != "imagenet100":
            raise UsageError(f"model.{architecture}.head_pooling=corner: only models of dataset=imagenet100 have it")
    if isinstance(design, VGGDesign) and dataset == "digits" and architecture not in TINY:
        raise UsageError(f"model={architecture} halves images five times, digits have 12 pixels; choose tiny_vgg")
    if (folder := Path(values.get("pretrained", "none")).expanduser()).is_dir():
        # Where weights lie says nothing about what they are.
        values["pretrained_sha256"] = hash_file(pretrained_file(folder))
    return values


def pretrained_file(folder: Path) -> Path:
    """Return the file of weights in a local folder of a pre-trained model."""
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"pretrained={folder} holds no weights: expected {' or '.join(WEIGHT_FILES)}")
