"""Hyperparameters of vision models: those of their family for the dataset, and the config keys that change them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.domains.overrides import changed_by_dataset, put_over
from resi.domains.vision.lookup import (
    image_architectures,
    image_dataset,
    image_datasets,
    image_network,
    statistics,
)
from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi.domains.vision.datasets.base import ImageDataset
    from resi.domains.vision.networks.base import ImageArchitecture, ImageNetwork


@dataclass
class VisionModelConfig:
    """Config of one architecture; a null key means the benchmark's value for the dataset.

    Parameters
    ----------
    epochs : int, optional
        Passes over the training images.
    batch_size : int, optional
        Images per forward pass.
    accumulation : int, optional
        Forward passes per optimizer step.
    optimizer : str, optional
        ``sgd`` (momentum 0.9, Nesterov) or ``adamw``.
    learning_rate, weight_decay : float, optional
        The learning rate decays to 0 along a cosine; weight decay applies to all parameters.
    warmup_epochs : int, optional
        Epochs of linear warm-up from 0.
    label_smoothing, clip_gradient_norm : float, optional
        0 turns them off. The published recipes list them but never apply them.
    pretrained : str, optional
        Initial weights of a ``vit``: a repository on the hub, a local folder, or ``none``.
    normalization : str, optional
        Pixel statistics: ``imagenet``, ``cifar100``, ``cifar10``, ``digits``, or those of a plugin's dataset.
    head_pooling : str, optional
        For ``resnet``: ``global``, or ``corner`` for the top-left 5 x 5 cells, as in published ImageNet100 models.
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


# Smallest value of a hyperparameter, and its exclusive upper limit.
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
OPTIMIZERS = ("sgd", "adamw")


def hyperparameters(architecture: str, dataset: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the family's recipe, changed by the dataset and then by ``overrides``, and what follows from the dataset.

    Raises
    ------
    UsageError
        If architecture and dataset do not go together, or an override does not exist for the architecture, or does not
        fit.
    """
    family, images = image_network(architecture), image_dataset(dataset)
    _check_images(family, architecture, images)
    choices = {"optimizer": OPTIMIZERS, "normalization": tuple(statistics()), **family.choices}
    recipe = changed_by_dataset(architecture, family.recipe(architecture, images), dataset, images.hyperparameters)
    values = put_over(VisionModelConfig, architecture, recipe, overrides, choices, LIMITS)
    return {**values, **family.derived(architecture, images, values)}


def _check_images(family: ImageNetwork, architecture: str, dataset: ImageDataset) -> None:
    """Raise ``UsageError`` if the images of a dataset are too large or too small for an architecture."""
    about = family.architecture(architecture)
    if dataset.image_size > about.largest_image:
        wanted = ", ".join(known.name for known in image_datasets() if _fits(about, known))
        choice = ", ".join(known.name for known in image_architectures() if _fits(known, dataset))
        raise UsageError(f"model={architecture} is for dataset={wanted}; on {dataset.name} choose from {choice}")
    if dataset.image_size < about.smallest_image:
        choice = ", ".join(known.name for known in family.architectures if _fits(known, dataset)) or "another model"
        raise UsageError(f"model={architecture} {family.too_small(architecture, dataset)}; choose {choice}")


def _fits(architecture: ImageArchitecture, dataset: ImageDataset) -> bool:
    return architecture.smallest_image <= dataset.image_size <= architecture.largest_image
