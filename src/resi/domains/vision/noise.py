"""Gaussian noise on images: numpy's normal numbers, drawn three times as fast.

Most of numpy's time goes into the calls by which each number is drawn. Here the random bits are taken all at once, and
a compiled loop makes of them the very numbers that numpy does, by the same tables (Marsaglia & Tsang, The Ziggurat
Method for Generating Random Variables, 2000).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from resi.machine.compiling import compiled

if TYPE_CHECKING:
    from resi.domains.vision.images import Pixels

    Floats = np.ndarray[Any, np.dtype[np.float32]]

SPARE = 32
"""So many numbers share the bits of one more; of 70 numbers, one takes further bits on average."""
LEAST_SPARE = 100
MOST_TAKEN = 4
"""Numbers of 32 bits that one step takes at most."""
CHECKED = 50_000
"""Numbers that are compared with numpy's before any is used: 700 of them are of the rare kinds."""


class Ziggurat(NamedTuple):
    """The tables: widths of the layers, bounds below which a number is accepted at once, and densities."""

    widths: Floats
    bounds: np.ndarray[Any, np.dtype[np.uint32]]
    densities: Floats
    tail: np.float32
    inverse_tail: np.float32


def noisy(pixels: Pixels, deviation: np.float32, draws: np.random.Generator) -> Pixels:
    """Return pixels with Gaussian noise, see :func:`resi.domains.vision.transforms.add_noise`."""
    result = np.empty(pixels.shape, np.uint8)
    _add(np.ascontiguousarray(pixels).reshape(-1), deviation, normals(draws, pixels.size), result.reshape(-1))
    return result


def normals(draws: np.random.Generator, count: int) -> Floats:
    """Return ``draws.standard_normal(count, dtype=np.float32)`` of a generator that is not used further."""
    if _is_as_numpy():
        found = _fast_normals(draws, count, _ziggurat())
        if found is not None:
            return found
    return draws.standard_normal(count, dtype=np.float32)


def _fast_normals(draws: np.random.Generator, count: int, tables: Any) -> Floats | None:
    """Return normal numbers; None, with the generator as it was, if more bits are needed than were expected."""
    before = draws.bit_generator.state
    bits = draws.bit_generator.random_raw((count + count // SPARE) // 2 + LEAST_SPARE).view(np.uint32)
    found = np.empty(count, np.float32)
    if _draw(bits, tables.widths, tables.bounds, tables.densities, (tables.tail, tables.inverse_tail), found):
        return found
    draws.bit_generator.state = before
    return None


@functools.cache
def _ziggurat() -> Ziggurat | None:
    """Return numba's tables, which are numpy's; None if they are not where they were."""
    try:
        from numba.np.random import _constants as found

        return Ziggurat(
            found.wi_float,
            found.ki_float,
            found.fi_float,
            np.float32(found.ziggurat_nor_r_f),
            np.float32(found.ziggurat_nor_inv_r_f),
        )
    except (ImportError, AttributeError):
        return None


@functools.cache
def _is_as_numpy() -> bool:
    """Return whether the numpy that is installed draws the same numbers."""
    if (tables := _ziggurat()) is None:
        return False
    expected = np.random.default_rng(0).standard_normal(CHECKED, dtype=np.float32)
    found = _fast_normals(np.random.default_rng(0), CHECKED, tables)
    return found is not None and np.array_equal(found, expected)


@compiled
def _add(pixels: Any, deviation: Any, normal: Any, result: Any) -> None:
    for i in range(len(pixels)):
        noisy = np.float32(np.float32(pixels[i]) + np.float32(deviation * normal[i]))
        result[i] = np.uint8(min(max(np.rint(noisy), np.float32(0)), np.float32(255)))


@compiled
def _uniform(bits: Any) -> Any:
    return np.float32(bits >> np.uint32(8)) * np.float32(1.0 / 16777216.0)


@compiled
def _draw(bits: Any, widths: Any, bounds: Any, densities: Any, tail: Any, result: Any) -> bool:
    """Fill an array with normal numbers; return False if the bits may not suffice."""
    taken = count = 0
    while count < len(result) and taken + MOST_TAKEN <= len(bits):
        drawn = bits[taken]
        taken += 1
        layer, place = drawn & np.uint32(0xFF), (drawn >> np.uint32(9)) & np.uint32(0x7FFFFF)
        number = np.float32(place) * widths[layer]
        if (drawn >> np.uint32(8)) & np.uint32(1):
            number = -number
        is_taken = place < bounds[layer]
        if not is_taken and layer == 0:
            number, taken = _beyond(bits, taken, place, tail)
            is_taken = taken < len(bits)
        elif not is_taken:
            share = _uniform(bits[taken])
            taken += 1
            density = (densities[layer - np.uint32(1)] - densities[layer]) * share + densities[layer]
            is_taken = density < np.exp(-0.5 * np.float64(number) * np.float64(number))
        if is_taken:
            result[count] = number
            count += 1
    return count == len(result)


@compiled
def _beyond(bits: Any, taken: int, place: Any, tail: Any) -> tuple[Any, int]:
    """Return a number beyond all layers, and how many bits were taken; all of them if they do not suffice."""
    while taken + MOST_TAKEN <= len(bits):
        beyond = -tail[1] * np.log1p(-_uniform(bits[taken]))
        height = -np.log1p(-_uniform(bits[taken + 1]))
        taken += 2
        if height + height > beyond * beyond:
            number = tail[0] + beyond
            return (-number if (place >> np.uint32(8)) & np.uint32(1) else number), taken
    return np.float32(0), len(bits)
