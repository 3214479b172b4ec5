"""Changes of images that torchvision's transforms do not have.

Transforms take and return images of Pillow, and draw from torch's own generator, which
:mod:`resi.domains.vision.inputs` keys by model, epoch and image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

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


def with_flips(crops: Sequence[Any], policy: str, *, strong: bool, after: Sequence[Any] = ()) -> Any:
    """Return crops and random flips, followed by AutoAugment and further steps where the augmentation is strong.

    Parameters
    ----------
    policy : str
        AutoAugment's, a name of torchvision's ``AutoAugmentPolicy`` (Cubuk et al., CVPR 2019).
    """
    from torchvision.transforms import v2

    steps = [*crops, v2.RandomHorizontalFlip()]
    if strong:
        steps += [v2.AutoAugment(v2.AutoAugmentPolicy[policy], fill=GREY), *after]
    return v2.Compose(steps)


def resize(image: Image, side: int) -> Image:
    """Return an image of height and width ``side``, ignoring its aspect ratio."""
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
