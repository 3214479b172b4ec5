"""Changes of images that torchvision's transforms do not have.

Transforms take and return images of Pillow, and draw from torch's own generator, which
:mod:`resi.domains.vision.inputs` keys by model, epoch and image. The first of them may take an image that is decoded
already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from resi.domains.vision.images import Decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL.Image import Image

    from resi.domains.vision.images import Pixels

    Step = Callable[[Any], Any]

GREY = 128
LARGE = 20_000
"""Numbers of an image from which on noise is made by a compiled loop: of fewer, loading it takes longer."""
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


class RandomResizedCropAndFlip:
    """Cuts out a random part, brings it to a size and mirrors every other one.

    That is torchvision's ``RandomResizedCrop`` and ``RandomHorizontalFlip``, with the same draws and to the same bytes.

    Parameters
    ----------
    side : int
        Height and width of the result.
    scale : (float, float)
        Smallest and largest share of the image's area.
    """

    def __init__(self, side: int, scale: tuple[float, float] = (0.08, 1.0)) -> None:
        from torchvision.transforms import v2

        self._side = side
        self._crop = v2.RandomResizedCrop(side, scale=scale)
        self._flip = v2.RandomHorizontalFlip()

    def __call__(self, image: Image | Decoded) -> Image | Pixels:
        """Return the part of an image; of a decoded one its pixels."""
        if not isinstance(image, Decoded):
            return self._flip(self._crop(image))
        from resi.domains.vision.resampling import Box

        width, height = image.size
        drawn = self._crop.make_params([torch.empty(1).expand(3, height, width)])
        mirrored = bool(torch.rand(1) < self._flip.p)
        box = Box(drawn["left"], drawn["top"], drawn["width"], drawn["height"])
        return image.resized(self._side, box, mirrored)


class Steps:
    """Transforms one after another."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps

    @property
    def take_decoded(self) -> bool:
        """Whether the first takes a :class:`Decoded`, which saves work."""
        return bool(self._steps) and isinstance(self._steps[0], RandomResizedCropAndFlip)

    def __call__(self, image: Any) -> Any:
        """Return the transformed image."""
        for step in self._steps:
            image = step(image)
        return image


def augmented(crops: Sequence[Step], policy: str, *, strong: bool, after: Sequence[Step] = ()) -> Steps:
    """Return crops and flips, followed by AutoAugment and further steps where the augmentation is strong.

    Parameters
    ----------
    policy : str
        AutoAugment's, a name of torchvision's ``AutoAugmentPolicy`` (Cubuk et al., CVPR 2019).
    """
    from resi.domains.vision.augmentation import AutoAugment  # numba takes a moment to import

    return Steps([*crops, AutoAugment(policy, GREY), *after] if strong else crops)


def resize(image: Image, side: int) -> Image:
    """Return an image of height and width ``side``, ignoring its aspect ratio."""
    from PIL import Image as Pillow

    return image if image.size == (side, side) else image.resize((side, side), Pillow.Resampling.BILINEAR)


def as_pixels(image: Image | Decoded | Pixels, side: int) -> Pixels:
    """Return the pixels of an image, brought to a size as by :func:`resize`: shape (side, side, 3)."""
    if isinstance(image, np.ndarray) and image.shape[:2] == (side, side):
        return image
    if isinstance(image, Decoded):
        return image.resized(side)
    return np.asarray(resize(as_image(image), side))


def as_image(image: Image | Decoded | Pixels) -> Image:
    """Return an image as Pillow's."""
    from PIL import Image as Pillow

    if isinstance(image, Decoded):
        return image.image()
    return Pillow.fromarray(image) if isinstance(image, np.ndarray) else image


def add_noise(pixels: Pixels, largest_variance: float, draws: np.random.Generator) -> Pixels:
    """Return pixels with Gaussian noise of every pixel and colour by itself, cut off at 0 and 255.

    The image's variance is drawn first, uniform between 0 and the largest.
    """
    deviation = np.float32(np.sqrt(draws.uniform(0, largest_variance)))
    if pixels.size >= LARGE:
        from resi.domains.vision.noise import noisy

        return noisy(pixels, deviation, draws)
    changed = pixels + deviation * draws.standard_normal(pixels.shape, dtype=np.float32)
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)
