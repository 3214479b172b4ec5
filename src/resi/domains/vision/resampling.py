"""Parts of images brought to another size, to the same bytes as Pillow's bilinear resizing gives, compiled with numba.

Pillow resizes in two passes, along rows and along columns, with weights of 22 bits and bytes in between. The pass along
columns adds whole rows, which processors do for many bytes at once. That along rows would be one byte at a time; of an
image that is stored column after column it adds whole columns instead, and what it gives is turned round before the
second pass. This takes a quarter of Pillow's time.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from resi.machine.compiling import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]
    IsTall = Callable[[int, int, int], bool]

BITS = 22
ONE = 1 << BITS
HALF = 1 << (BITS - 1)
BLOCK = 16
"""Columns that are turned into rows together."""
PATTERNS = ((31, 45, 20), (9, 7, 24), (24, 24, 24), (50, 3, 12), (5, 40, 20), (21, 22, 20), (21, 23, 20), (20, 21, 20))
"""Widths, heights and new sizes with which it is found out how the Pillow that is installed resizes."""


class Box(NamedTuple):
    """A part of an image, in pixels."""

    left: int
    top: int
    width: int
    height: int


def resample(columns: Pixels, box: Box, side: int, mirrored: bool = False) -> Pixels:
    """Return a part of an image as rows of a square image, shape (side, side, 3).

    Parameters
    ----------
    columns : array of uint8, shape (width, height, 3)
        The image, column after column, as :func:`turned` makes it; it may be mapped from a file.
    box : Box
        The part, inside the image; what lies around it has no influence.
    side : int
        Height and width of the result.
    mirrored : bool
        Whether left and right are exchanged.

    Raises
    ------
    LookupError
        If Pillow resizes in another way, see :func:`is_as_pillow`.
    """
    if (is_tall := _order()) is None:
        raise LookupError("this Pillow resizes in an unknown way")
    return _resample(columns, box, side, is_tall, mirrored)


def turned(pixels: Pixels) -> Pixels:
    """Return an image with its axes exchanged: rows of shape (height, width, 3) as columns, or columns as rows."""
    result = np.empty((pixels.shape[1], pixels.shape[0], 3), np.uint8)
    _turn(pixels, result)
    return result


def is_as_pillow() -> bool:
    """Return whether the Pillow that is installed gives the same bytes; some of its relatives round differently."""
    return _order() is not None


@functools.cache
def _order() -> IsTall | None:
    """Return which images Pillow resizes along their columns first: none, or tall ones from version 13 on."""
    from PIL import Image

    draws = np.random.default_rng(0)
    images = [draws.integers(0, 256, (height, width, 3), np.uint8) for width, height, _ in PATTERNS]
    for is_tall in (_is_tall, lambda *_: False):
        for pixels, (width, height, side) in zip(images, PATTERNS, strict=True):
            expected = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
            if not np.array_equal(
                _resample(turned(pixels), Box(0, 0, width, height), side, is_tall), np.asarray(expected)
            ):
                break
        else:
            return is_tall
    return None


def _is_tall(width: int, height: int, side: int) -> bool:
    return height - side > max(0, 2 * (width - side))


def _resample(columns: Pixels, box: Box, side: int, is_tall: IsTall, mirrored: bool = False) -> Pixels:
    part = columns[box.left : box.left + box.width, box.top : box.top + box.height].copy()
    along_rows, along_columns = _weights(box.width, side), _weights(box.height, side)
    if mirrored:
        along_rows = tuple(np.ascontiguousarray(numbers[::-1]) for numbers in along_rows)
    if is_tall(box.width, box.height, side):
        return turned(_in_two_passes(turned(part), along_columns, along_rows, side))
    return _in_two_passes(part, along_rows, along_columns, side)


def _in_two_passes(columns: Pixels, first: tuple[Any, ...], second: tuple[Any, ...], side: int) -> Pixels:
    """Return a square image as rows: columns are brought to another number first, rows then."""
    between = np.empty((columns.shape[1], side * 3), np.uint8)
    _along_rows(columns.reshape(len(columns), -1), *first, between)
    rows = np.empty((side, side * 3), np.uint8)
    _along_columns(between, *second, rows)
    return rows.reshape(side, side, 3)


@compiled
def _weights(before: int, after: int) -> tuple[Any, Any, Any]:
    """Return for each new pixel the first old one it is made of, how many, and their weights in units of 2^-22.

    A new pixel is the mean of the old ones around its centre, with weights that fall off linearly over the distance of
    two pixels, old or new, whichever is more.
    """
    scale = before / after
    reach = max(scale, 1.0)
    first, count = np.empty(after, np.int64), np.empty(after, np.int64)
    weights = np.zeros((after, math.ceil(reach) * 2 + 1), np.int32)
    shares = np.empty(weights.shape[1], np.float64)
    for new in range(after):
        centre = (new + 0.5) * scale
        start = max(int(centre - reach + 0.5), 0)
        number = min(int(centre + reach + 0.5), before) - start
        total = 0.0
        for old in range(number):
            shares[old] = max(1.0 - abs((old + start - centre + 0.5) * (1.0 / reach)), 0.0)
            total += shares[old]
        for old in range(number):
            weights[new, old] = int(0.5 + shares[old] / total * ONE)
        first[new], count[new] = start, number
    return first, count, weights


@compiled
def _add(lines: Any, first: int, count: int, weights: Any, sums: Any, result: Any) -> None:
    """Write the weighted mean of some lines, rounded to bytes."""
    n_bytes = len(result)
    weight, line = weights[0], lines[first]
    for i in range(n_bytes):
        sums[i] = HALF + weight * np.int32(line[i])
    for old in range(1, count - 1):
        weight, line = weights[old], lines[first + old]
        for i in range(n_bytes):
            sums[i] += weight * np.int32(line[i])
    weight, line = weights[count - 1] if count > 1 else np.int32(0), lines[first + count - 1]
    for i in range(n_bytes):
        result[i] = np.uint8(np.int32(sums[i] + weight * np.int32(line[i])) >> BITS)


@compiled
def _along_rows(columns: Any, first: Any, count: Any, weights: Any, rows: Any) -> None:
    """Bring columns of shape (width, height * 3) to another number; write them as rows, shape (height, n_new * 3)."""
    n_new, height = len(first), rows.shape[0]
    sums = np.empty(height * 3, np.int32)
    block = np.empty((BLOCK, height * 3), np.uint8)
    for start in range(0, n_new, BLOCK):
        n_block = min(BLOCK, n_new - start)
        for number in range(n_block):
            new = start + number
            _add(columns, first[new], count[new], weights[new], sums, block[number])
        for row in range(height):
            target = rows[row, start * 3 :]
            for number in range(n_block):
                for colour in range(3):
                    target[number * 3 + colour] = block[number, row * 3 + colour]


@compiled
def _along_columns(rows: Any, first: Any, count: Any, weights: Any, result: Any) -> None:
    """Bring rows to another number, shape (n_new, rows.shape[1])."""
    sums = np.empty(rows.shape[1], np.int32)
    for new in range(len(first)):
        _add(rows, first[new], count[new], weights[new], sums, result[new])


@compiled
def _turn(pixels: Any, result: Any) -> None:
    """Exchange the axes in blocks that stay near the processor."""
    height, width = pixels.shape[0], pixels.shape[1]
    for top in range(0, height, BLOCK):
        for left in range(0, width, BLOCK):
            for column in range(left, min(left + BLOCK, width)):
                for row in range(top, min(top + BLOCK, height)):
                    for colour in range(3):
                        result[column, row, colour] = pixels[row, column, colour]
