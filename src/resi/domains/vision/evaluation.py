"""Accuracies of a trained model on the splits of its dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from resi.domains.vision.images import Chosen, Split
from resi.domains.vision.inputs import EpochBatches, Inputs, Loader, normalize
from resi.domains.vision.settings import alteration

if TYPE_CHECKING:
    from torch import Tensor, nn

    from resi.domains.vision.images import Images, Labels
    from resi.specs import ModelSpec

BATCH_SIZE = 128
# Of the training images, a sample is enough for an accuracy.
MAX_TRAINING_IMAGES = 10_000


def accuracies(
    spec: ModelSpec, model: nn.Module, images: Images, training_labels: Labels, device: torch.device
) -> dict[str, float]:
    """Return accuracies of a model in evaluation mode, on images without augmentation and noise.

    ``train`` is about the labels the model was given. Images have the setting's dots; with them, ``test_dots``
    is the accuracy on test images with uninformative dots, and ``test_dots_followed`` the share of them that the
    model takes for the class whose colour their dot has.
    """
    altered = alteration(spec.setting, spec.hyperparameters.get("shortcut_coins", 1))
    size = spec.hyperparameters["image_size"]
    train, training_labels = _sample(images.train, training_labels)
    found = {}
    for name, split in (("train", train), ("validation", images.validation), ("test", images.test)):
        inputs = Inputs(images, split, size, altered.dots)
        labels = training_labels if name == "train" else split.labels
        found[name] = _share(predictions(spec, model, inputs, device), torch.from_numpy(labels))
    if altered.dots is not None:
        inputs = Inputs(images, images.test, size, dots=0.0)
        guessed = predictions(spec, model, inputs, device)
        found["test_dots"] = _share(guessed, torch.from_numpy(inputs.labels))
        found["test_dots_followed"] = _share(guessed, inputs.colour_classes())
    return found


@torch.no_grad()
def predictions(spec: ModelSpec, model: nn.Module, inputs: Inputs, device: torch.device) -> Tensor:
    """Return the class a model takes each image for, shape (n_images,), on the CPU."""
    model.eval()
    found = []
    for images, _ in Loader(inputs, EpochBatches(len(inputs), BATCH_SIZE), device):
        found.append(model(normalize(images.to(device), spec.hyperparameters["normalization"])).argmax(1).cpu())
    return torch.cat(found)


def _sample(split: Split, labels: Labels) -> tuple[Split, Labels]:
    """Return evenly spaced images of a large split with their labels, all of a small one."""
    if len(split) <= MAX_TRAINING_IMAGES:
        return split, labels
    some = np.linspace(0, len(split) - 1, MAX_TRAINING_IMAGES).astype(np.int64)
    return Split([split.ids[i] for i in some], split.labels[some], Chosen(split.source, some)), labels[some]


def _share(found: Tensor, expected: Tensor) -> float:
    return float((found == expected).double().mean())
