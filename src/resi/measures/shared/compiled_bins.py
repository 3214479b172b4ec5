"""Which bin a distance belongs to, compiled with numba: counting them, and looking up what a bin stands for.

Bins are uniform within cells, which are those numbers that have their first bits in common: the exponent and nine bits
more. Both the cell and the place in it grow with the number, to the last bit, so that bins have the order of numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from resi.machine.compiling import compiled

SHIFT = 43
"""So many bits of a number are not looked at to find its cell."""
FIRST = (1023 - 100) << 9
"""The bits of the smallest number of the second cell, 2⁻¹⁰⁰; the first one begins at 0."""
CELLS = (103 << 9) + 1
"""The last cell ends at 8."""
LOW, FACTOR, START, BAND = range(4)
COUNT_BITS = 40
"""A bin is one number: in so many bits how many values it has, and above them the place in it of the first one."""
COUNT = (1 << COUNT_BITS) - 1
PLACES = 1 << 20
"""A place is one of so many, from 1."""
MIXED_BIT = 62
"""This bit says that the values of a bin differ by more than rounding."""


@compiled
def _bin(value: float, bits: int, cells: Any) -> Any:
    """Return the bin of a number, how far into it the number is, in bins, and how much of that may be rounding."""
    cell = min(max((bits >> SHIFT) - FIRST + 1, 0), CELLS - 1)
    position = (value - cells[cell, LOW]) * cells[cell, FACTOR]
    place = np.int64(position)
    return np.int64(cells[cell, START]) + place, position - place, cells[cell, BAND]


@compiled
def count_bins(values: Any, is_diagonal: bool, cells: Any, counts: Any, below: Any, has_above: Any) -> None:
    """Count the values in each bin, and those that differ from its bounds by rounding alone.

    Parameters
    ----------
    values : array of shape (n_rows, n_columns), float64
        From 0 to less than 8.
    is_diagonal : bool
        Whether only entries below the diagonal count.
    cells : array of shape (CELLS, 4), float64
        Of each cell, where it begins, how many bins it has for a distance of 1, the number of its first bin, and the
        share of a bin by which numbers may differ and be the same.
    counts : array of shape (n_bins,), int64
        See ``COUNT_BITS``.
    below : array of shape (n_bins + 1,), unsigned
        Counts the values that rounding alone sets below the bound where a bin begins.
    has_above : array of shape (n_bins + 1,), bool
        Is set for bins that have values which rounding alone sets above that bound.
    """
    bits = values.view(np.int64)
    numbers, places, bands = (
        np.empty(values.shape[1], dtype=np.int64),
        np.empty(values.shape[1], dtype=np.int64),
        np.empty(values.shape[1], dtype=np.int64),
    )
    for row in range(values.shape[0]):
        stop = row if is_diagonal else values.shape[1]
        for column in range(stop):
            number, share, band = _bin(values[row, column], bits[row, column], cells)
            numbers[column], places[column], bands[column] = number, 1 + share * PLACES, 1 + band * PLACES
            if share < band:
                has_above[number] = True
            elif 1 - share < band:
                below[number + 1] += 1
        for column in range(stop):  # apart, so that many places of memory are waited for at once
            counted, place = counts[numbers[column]], places[column]
            first = (counted >> COUNT_BITS) & (2 * PLACES - 1)
            if first == 0:
                counted |= place << COUNT_BITS
            elif abs(place - first) > bands[column]:
                counted |= 1 << MIXED_BIT
            counts[numbers[column]] = counted + 1


@compiled
def look_up(values: Any, is_diagonal: bool, cells: Any, moved: Any, table: Any, out: Any) -> None:
    """Set ``out`` to what the bins of values stand for, and to 0 on and above the diagonal where that does not count.

    Parameters
    ----------
    moved : array of int64
        Sorted numbers of bins that values belong to which are below their bound by rounding alone.
    table : array of shape (n_bins,), float64
    """
    bits = values.view(np.int64)
    numbers = np.empty(values.shape[1], dtype=np.int64)
    for row in range(values.shape[0]):
        stop = row if is_diagonal else values.shape[1]
        for column in range(stop):
            number, share, band = _bin(values[row, column], bits[row, column], cells)
            if 1 - share < band and len(moved) > 0:
                found = np.searchsorted(moved, number + 1)
                if found < len(moved) and moved[found] == number + 1:
                    number += 1
            numbers[column] = number
        for column in range(stop):
            out[row, column] = table[numbers[column]]
        out[row, stop:] = 0.0
