"""Steps of augmentation over all pixels of an image, compiled with numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resi.machine.compiling import compiled

if TYPE_CHECKING:
    Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def looked_up(pixels: Pixels, table: Pixels) -> Pixels:
    """Return an image of shape (height, width, 3) with each brightness replaced as a table of 256 says."""
    result = np.empty(pixels.shape, np.uint8)
    _look_up(np.ascontiguousarray(pixels), np.repeat(table[:, None], 3, axis=1), result)
    return result


def equalized(pixels: Pixels) -> Pixels:
    """Return an image whose brightnesses are about equally frequent, colour by colour, as Pillow's ``equalize``."""
    result = np.empty(pixels.shape, np.uint8)
    pixels = np.ascontiguousarray(pixels)
    _look_up(pixels, _equalizing(pixels), result)
    return result


@compiled
def _look_up(pixels: Any, tables: Any, result: Any) -> None:
    for row in range(pixels.shape[0]):
        for column in range(pixels.shape[1]):
            for colour in range(3):
                result[row, column, colour] = tables[pixels[row, column, colour], colour]


@compiled
def _equalizing(pixels: Any) -> Any:
    """Return the table of each colour, shape (256, 3)."""
    counts = np.zeros((256, 3), np.int64)
    for row in range(pixels.shape[0]):
        for column in range(pixels.shape[1]):
            for colour in range(3):
                counts[pixels[row, column, colour], colour] += 1
    tables = np.empty((256, 3), np.uint8)
    for colour in range(3):
        last = 255
        while counts[last, colour] == 0:
            last -= 1
        # The brightest ones do not count.
        step = (pixels.shape[0] * pixels.shape[1] - counts[last, colour]) // 255
        below = step // 2
        for level in range(256):
            tables[level, colour] = min(below // step, 255) if step else level
            below += counts[level, colour]
    return tables
