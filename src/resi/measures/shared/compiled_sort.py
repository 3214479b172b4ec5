"""Many distances brought into order, with the place of each, compiled with numba.

Numbers are first scattered by size into buckets that fit into the processor's cache, and each bucket is then sorted by
the bits of its numbers (least significant digit first). That reads and writes memory twice, where one sort of all
reads and writes it a dozen times. Whatever the numbers are, the work grows in proportion to how many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resi.machine.compiling import compiled

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

BUCKET = 8192
"""How many numbers a bucket has if they are spread evenly."""
DIGIT_BITS = 11
DIGITS = 1 << DIGIT_BITS


SAMPLED = 2**14
TAIL = 2**5
"""So many of the sampled numbers at either end share the first and the last bucket."""


def ordered(values: Array) -> tuple[Array, Array]:
    """Return numbers in increasing order, and where each of them was.

    Parameters
    ----------
    values : array of shape (n,), float64
        At least 0, finite.

    Returns
    -------
    values : array of shape (n,), float64
    places : array of shape (n,), uint32
        Of equal numbers, the earlier one comes first.
    """
    sample = np.sort(values[:: max(1, len(values) // SAMPLED)])
    bounds = sample[TAIL:-TAIL] if len(sample) > 3 * TAIL else sample
    starts = np.zeros(len(values) // BUCKET + 2, dtype=np.int64)
    bits, places = np.empty(len(values), dtype=np.int64), np.empty(len(values), dtype=np.uint32)
    _scatter(values, bounds[0], bounds[-1], starts, bits, places)
    largest = int(np.diff(starts).max())
    _sort_buckets(starts, bits, places, np.empty(largest, dtype=np.int64), np.empty(largest, dtype=np.uint32))
    return bits.view(np.float64), places


@compiled
def close_to_previous(values: Any, share: float) -> Any:
    """Return the positions of numbers in increasing order that exceed the one before by at most a share of them."""
    n_found = 0
    for index in range(1, len(values)):
        n_found += values[index] - values[index - 1] <= share * values[index]
    found = np.empty(n_found, dtype=np.int64)
    n_found = 0
    for index in range(1, len(values)):
        if values[index] - values[index - 1] <= share * values[index]:
            found[n_found] = index
            n_found += 1
    return found


@compiled
def put_ranks(places: Any, tied: Any, out: Any) -> None:
    """Set ``out`` to the ranks from 1 of numbers, the average of them where numbers are equal.

    Parameters
    ----------
    places : array of shape (n,)
        Where the numbers are, in increasing order.
    tied : array of int64
        Positions in that order, increasing, of numbers that are equal to the one before.
    out : array of shape (n,), float64
    """
    start = next_tie = 0
    while start < len(places):
        stop = start + 1
        while next_tie < len(tied) and tied[next_tie] == stop:
            stop += 1
            next_tie += 1
        rank = start + (stop - start + 1) / 2
        for index in range(start, stop):
            out[places[index]] = rank
        start = stop


@compiled
def _bucket(value: float, low: float, factor: float, last: int) -> Any:
    """Return the bucket of a number, which never falls as numbers grow."""
    return np.int64(min(max((value - low) * factor, 0.0), last))


@compiled
def _scatter(values: Any, low: float, high: float, starts: Any, bits: Any, places: Any) -> None:
    """Write the numbers' bits and places by bucket, and where each bucket starts."""
    last = len(starts) - 2
    factor = last / (high - low) if high > low else 0.0
    if not factor < np.inf:  # the numbers differ by too little
        factor = 0.0
    for index in range(len(values)):
        starts[_bucket(values[index], low, factor, last) + 1] += 1
    for bucket in range(last + 1):
        starts[bucket + 1] += starts[bucket]
    free = starts[:-1].copy()
    given = values.view(np.int64)
    for index in range(len(values)):
        bucket = _bucket(values[index], low, factor, last)
        place = free[bucket]
        bits[place] = given[index]
        places[place] = index
        free[bucket] = place + 1


@compiled
def _sort_buckets(starts: Any, bits: Any, places: Any, other_bits: Any, other_places: Any) -> None:
    """Sort each bucket, with room for the largest one."""
    counts = np.empty(DIGITS, dtype=np.int64)
    for bucket in range(len(starts) - 1):
        start, stop = starts[bucket], starts[bucket + 1]
        n = stop - start
        if n < 2:
            continue
        # Bits that all numbers of the bucket share need no pass.
        differing = np.int64(0)
        for index in range(start + 1, stop):
            differing |= bits[index] ^ bits[start]
        source, source_places = bits[start:stop], places[start:stop]
        target, target_places = other_bits[:n], other_places[:n]
        shift, is_aside = 0, False
        while differing >> shift:
            if (differing >> shift) & (DIGITS - 1):
                _pass(source, source_places, target, target_places, shift, counts)
                source, source_places, target, target_places = target, target_places, source, source_places
                is_aside = not is_aside
            shift += DIGIT_BITS
        if is_aside:
            target[:], target_places[:] = source, source_places


@compiled
def _pass(source: Any, source_places: Any, target: Any, target_places: Any, shift: int, counts: Any) -> None:
    """Sort by one digit; equal digits keep their order."""
    counts[:] = 0
    for index in range(len(source)):
        counts[(source[index] >> shift) & (DIGITS - 1)] += 1
    total = 0
    for digit in range(DIGITS):
        counted = counts[digit]
        counts[digit] = total
        total += counted
    for index in range(len(source)):
        digit = (source[index] >> shift) & (DIGITS - 1)
        place = counts[digit]
        target[place] = source[index]
        target_places[place] = source_places[index]
        counts[digit] = place + 1
