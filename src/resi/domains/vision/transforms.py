"""Augmentation and normalization of images, of torchvision's transforms where it has them.

Transforms take and return images of Pillow, and draw from torch's own generator, which :mod:`resi.domains.vision.inputs`
keys by model, epoch and image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torchvision.transforms import v2

from resi.domains.vision.hyperparameters import NORMALIZATION

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from resi.domains.vision.settings import Alteration

GREY = 128
CUTOUT_SIDE = 16
CUTOUT_COLOUR = (125, 122, 113)


class Cutout:
    """Fills a square of 16 x 16 pixels around a random pixel, cut off at the border (DeVries & Taylor 2017)."""

    def __call__(self, image: Image) -> Image:
        """Return a copy of the image with the square filled."""
        image = image.copy()
        column, row = (int(torch.randint(length, ())) for length in image.size)
        half = CUTOUT_SIDE // 2
        box = (
            max(0, column - half),
            max(0, row - half),
            min(image.width, column + half),
            min(image.height, row + half),
        )
        image.paste(CUTOUT_COLOUR, box)
        return image


def training_transform(dataset: str, image_size: int, alteration: Alteration) -> v2.Transform | None:
    """Return the random augmentation of a dataset under a setting; None where there is none."""
    if dataset == "imagenet100":
        steps = _imagenet100(image_size, alteration)
    elif dataset == "cifar100":
        steps = _cifar100(image_size, alteration)
    else:
        return None  # digits: flipped or cut, many are no digits any more
    return v2.Compose(steps)


def _imagenet100(image_size: int, alteration: Alteration) -> list[Any]:
    if alteration.strong:
        auto = v2.AutoAugment(v2.AutoAugmentPolicy.IMAGENET, fill=GREY)
        return [v2.RandomResizedCrop(image_size), v2.RandomHorizontalFlip(), auto]
    return [v2.RandomResizedCrop(image_size, scale=(0.75, 1.0)), v2.RandomHorizontalFlip()]


def _cifar100(image_size: int, alteration: Alteration) -> list[Any]:
    steps: list[Any] = [v2.Resize((image_size, image_size))]
    if not alteration.strong:
        return [*steps, v2.RandomHorizontalFlip()]
    auto = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10, fill=GREY)
    steps += [v2.RandomCrop(image_size, padding=4, fill=GREY), v2.RandomHorizontalFlip(), auto]
    # A square could hide the dot.
    return steps if alteration.dots is not None else [*steps, Cutout()]


def resize(image: Image, side: int) -> Image:
    """Return an image of height and width ``side``, whatever its aspect."""
    from PIL import Image as Pillow

    return image if image.size == (side, side) else image.resize((side, side), Pillow.Resampling.BILINEAR)


def add_noise(
    pixels: np.ndarray[Any, np.dtype[np.uint8]], largest_variance: float, draws: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return pixels with Gaussian noise of every pixel and colour by itself, cut off at 0 and 255.

    The image's variance is drawn first, uniform between 0 and the largest.
    """
    deviation = np.float32(np.sqrt(draws.uniform(0, largest_variance)))
    noisy = pixels + deviation * draws.standard_normal(pixels.shape, dtype=np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def normalize(images: Tensor, statistics: str) -> Tensor:
    """Return float images, shape (n_images, 3, height, width), from bytes: minus the mean, by the deviation."""
    mean, deviation = (torch.tensor(values, device=images.device).view(1, 3, 1, 1) for values in NORMALIZATION[statistics])
    return (images.float() / 255 - mean) / deviation
