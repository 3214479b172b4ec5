"""AutoAugment (Cubuk et al., CVPR 2019) as torchvision has it, with the same draws and to the same bytes.

Most of its steps replace each brightness by another one. These are done on arrays of pixels, without making an image of
Pillow's first and pixels of that again.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from resi.domains.vision.compiled import equalized, looked_up

if TYPE_CHECKING:
    from PIL.Image import Image

    from resi.domains.vision.images import Pixels

BY_TABLE = ("Posterize", "Solarize", "Invert")
EQUALIZE = "Equalize"
LEVELS = 10
"""Magnitudes of each step."""
COMPARED = 100
"""Small images that are compared with torchvision's before any is used, in less than 0.1 s."""


class AutoAugment:
    """Two random steps of a random policy.

    It uses undocumented parts of torchvision. If these are missing or have changed, torchvision's own class is used.

    Parameters
    ----------
    policy : str
        A name of torchvision's ``AutoAugmentPolicy``.
    fill : int
        Brightness of what comes into an image from outside.
    """

    def __init__(self, policy: str, fill: int) -> None:
        from torchvision.transforms import v2

        self._whole: Any = v2.AutoAugment(v2.AutoAugmentPolicy[policy], fill=fill)
        self._kind = (policy, fill)
        self._tables: dict[tuple[str, float], Pixels] = {}
        self._magnitudes: dict[tuple[str, int, int], tuple[list[float] | None, bool]] = {}

    def __call__(self, image: Image | Pixels) -> Image | Pixels:
        """Return an image after the steps, as Pillow's or as pixels."""
        return self.by_steps(image) if _is_as_torchvision(*self._kind) else self.at_once(image)

    def at_once(self, image: Image | Pixels) -> Image:
        """Return torchvision's result for an image."""
        return self._whole(_as_image(image))

    def by_steps(self, image: Image | Pixels) -> Image | Pixels:
        """Return the same, each step done in the fastest way."""
        width, height = image.size if not isinstance(image, np.ndarray) else image.shape[1::-1]
        policies = self._whole._policies
        for step, probability, level in policies[int(torch.randint(len(policies), ()))]:
            if torch.rand(()) <= probability:
                magnitudes, is_signed = self._magnitudes_of(step, height, width)
                magnitude = 0.0 if magnitudes is None else magnitudes[level]
                if magnitudes is not None and is_signed and torch.rand(()) <= 0.5:
                    magnitude = -magnitude
                image = self._apply(image, step, magnitude)
        return image

    def _apply(self, image: Image | Pixels, step: str, magnitude: float) -> Image | Pixels:
        if isinstance(image, np.ndarray):
            if step == EQUALIZE:
                return equalized(image)
            if step in BY_TABLE:
                return looked_up(image, self._table(step, magnitude))
        return self._by_torchvision(_as_image(image), step, magnitude)

    def _table(self, step: str, magnitude: float) -> Pixels:
        """Return the result of a step for each brightness, shape (256,)."""
        from PIL import Image

        if (step, magnitude) not in self._tables:
            levels = np.arange(256, dtype=np.uint8)
            ramp = Image.fromarray(np.repeat(levels[None, :, None], 3, axis=2))
            self._tables[step, magnitude] = np.asarray(self._by_torchvision(ramp, step, magnitude))[0, :, 0].copy()
        return self._tables[step, magnitude]

    def _magnitudes_of(self, step: str, height: int, width: int) -> tuple[list[float] | None, bool]:
        key = (step, height, width)
        if key not in self._magnitudes:
            find, is_signed = self._whole._AUGMENTATION_SPACE[step]
            found = find(LEVELS, height, width)
            self._magnitudes[key] = None if found is None else [float(each) for each in found], is_signed
        return self._magnitudes[key]

    def _by_torchvision(self, image: Image, step: str, magnitude: float) -> Image:
        whole = self._whole
        apply = whole._apply_image_or_video_transform
        return apply(image, step, magnitude, interpolation=whole.interpolation, fill=whole._fill)


def _as_image(image: Image | Pixels) -> Image:
    from PIL import Image as Pillow

    return Pillow.fromarray(image) if isinstance(image, np.ndarray) else image


@functools.cache
def _is_as_torchvision(policy: str, fill: int) -> bool:
    """Return whether steps done one by one give the same as the installed torchvision."""
    augment = AutoAugment(policy, fill)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    with torch.random.fork_rng(devices=[]):
        for seed in range(COMPARED):
            torch.default_generator.manual_seed(seed)
            expected = np.asarray(augment.at_once(pixels))
            torch.default_generator.manual_seed(seed)
            try:
                found = np.asarray(augment.by_steps(pixels))
            except (AttributeError, LookupError, TypeError, ValueError):
                return False
            if not np.array_equal(found, expected):
                return False
    return True
