"""Which rows may be among the nearest ones of others, from products in single precision; compiled with numba.

For every row the largest values that were offered so far are kept, in any order, in a line of fixed size. When a line
is full, its ``need``-th largest value less a margin becomes the limit of the row, below which nothing is kept and
nothing is taken from then on. Nearly all values are below the limits, so most of the work is to compare, many at a
time; the limits only rise, and after a few thousand values one in hundreds passes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from resi.machine.compiling import ANY_ORDER, compiled

AT_A_TIME = 32
"""So many values are compared before one of them is looked at."""


@compiled
def _passes(line: Any, heights: Any, limit: Any) -> bool:
    """Return whether an entry of ``line - heights`` reaches a limit."""
    count: Any = 0
    for place in range(len(line)):
        count += np.int32(line[place] - heights[place] >= limit)
    return count > 0


@compiled
def _passes_any(line: Any, height: Any, limits: Any) -> bool:
    """Return whether an entry of ``line - height`` reaches its own limit."""
    count: Any = 0
    for place in range(len(line)):
        count += np.int32(line[place] - height >= limits[place])
    return count > 0


@compiled
def _largest(values: Any, count: int, need: int, scratch: Any) -> Any:
    """Return the ``need``-th largest of the first ``count`` values (Hoare)."""
    for place in range(count):
        scratch[place] = values[place]
    low, high, wanted = 0, count - 1, need - 1
    while low < high:
        pivot = scratch[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while scratch[i] > pivot:
                i += 1
            while scratch[j] < pivot:
                j -= 1
            if i <= j:
                scratch[i], scratch[j] = scratch[j], scratch[i]
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return scratch[wanted]


@compiled
def _raise_limit(row: int, kept: Any, need: int, scratch: Any) -> None:
    """Raise the limit of a row to what its values say, and drop what is below."""
    values, columns, counts, limits, margins = kept
    count, kept_now = counts[row], 0
    limit = _largest(values[row], count, need, scratch) - margins[row]
    for place in range(count):
        if values[row, place] >= limit:
            values[row, kept_now] = values[row, place]
            columns[row, kept_now] = columns[row, place]
            kept_now += 1
    counts[row] = kept_now
    limits[row] = limit


@compiled
def _take(row: int, column: int, value: Any, kept: Any, need: int, scratch: Any) -> None:
    """Keep a value; where a full line stays nearly full without what is below the limit, give the row up."""
    values, columns, counts, limits, _ = kept
    count, room = counts[row], values.shape[1]
    values[row, count] = value
    columns[row, count] = column
    counts[row] = count + 1
    if count + 1 == room:
        _raise_limit(row, kept, need, scratch)
        if counts[row] > room - room // 8:
            limits[row] = np.inf


@compiled
def offer_to_rows(
    part: tuple[int, int], products: Any, place: tuple[int, int], heights: Any, kept: Any, need: int
) -> None:
    """Offer the columns of a tile to its rows.

    Parameters
    ----------
    part : (int, int)
        Only these rows of the tile: from, to.
    products : array of shape (n_rows, n_columns), float32
    place : (int, int)
        The first row and the first column of the tile; where they are the same, the diagonal is left out.
    heights : array of shape (n_samples,), float32
        What is taken off the products, for each column.
    kept : tuple of arrays
        Values (n_samples, capacity), float32, and the columns they belong to, int32; counts (n_samples,), int32;
        limits and margins (n_samples,), float32. All but the last are changed, in the lines of these rows alone. A row
        with more candidates than there is room for has an infinite limit.
    need : int
        Less than the capacity.
    """
    limits = kept[3]
    scratch = np.empty(kept[0].shape[1], dtype=np.float32)
    first, second = place
    for line in range(part[0], part[1]):
        row = first + line
        for start in range(0, products.shape[1], AT_A_TIME):
            stop = min(start + AT_A_TIME, products.shape[1])
            if _passes(products[line, start:stop], heights[second + start : second + stop], limits[row]):
                for other in range(start, stop):
                    value = products[line, other] - heights[second + other]
                    if value >= limits[row] and second + other != row:
                        _take(row, second + other, value, kept, need, scratch)


@compiled
def offer_to_columns(
    part: tuple[int, int], products: Any, place: tuple[int, int], heights: Any, kept: Any, need: int
) -> None:
    """Offer the rows of a tile to its columns, of which there is only a part: see ``offer_to_rows``."""
    limits = kept[3]
    scratch = np.empty(kept[0].shape[1], dtype=np.float32)
    first, second = place
    for line in range(len(products)):
        height = heights[first + line]
        for start in range(part[0], part[1], AT_A_TIME):
            stop = min(start + AT_A_TIME, part[1])
            if _passes_any(products[line, start:stop], height, limits[second + start : second + stop]):
                for other in range(start, stop):
                    value = products[line, other] - height
                    if value >= limits[second + other]:
                        _take(second + other, first + line, value, kept, need, scratch)


@compiled
def raise_limits(part: tuple[int, int], kept: Any, need: int) -> None:
    """Raise the limits of some rows to what their values say, and drop what is below."""
    scratch = np.empty(kept[0].shape[1], dtype=np.float32)
    for row in range(part[0], part[1]):
        if kept[3][row] < np.inf:
            _raise_limit(row, kept, need, scratch)


def _square(a: Any, b: Any) -> float:
    total = 0.0
    for place in range(len(a)):
        difference = a[place] - b[place]
        total += difference * difference
    return total


# Summed in the order that takes many at a time.
_square = compiled(_square, fastmath=ANY_ORDER)


@compiled
def squares_of_pairs(points: Any, rows: Any, others: Any, out: Any) -> None:
    """Set ``out[i, j]`` to the squared distance of the points ``rows[i]`` and ``others[i, j]``."""
    for line in range(len(rows)):
        for place in range(others.shape[1]):
            out[line, place] = _square(points[rows[line]], points[others[line, place]])
