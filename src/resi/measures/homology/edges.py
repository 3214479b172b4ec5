"""Edges between points in the order of their lengths, and those that close no triangle, compiled with numba.

An edge bc is written as one number, ``b << 16 | c`` with b < c; in the order of these numbers are the distances of
``numpy.triu_indices(n_points, 1)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from resi.machine.compiling import compiled

DIGITS = 6
DIGIT_BITS = 11


@compiled
def in_order(values: Any, n_points: int) -> Any:
    """Return the edges by value, ties by position: a radix sort, in linear time.

    Parameters
    ----------
    values : array of shape (n_edges,), float64
        Not negative.

    Returns
    -------
    array of shape (n_edges,), uint32
        Points of each edge.
    """
    # Numbers that are not negative are in the order of their bits; adding 0 takes the sign of -0 away.
    keys, n_edges = (values + 0.0).view(np.uint64), len(values)
    edges = np.empty(n_edges, np.uint32)
    position = 0
    for b in range(n_points):
        for c in range(b + 1, n_points):
            edges[position] = b << 16 | c
            position += 1
    mask, size = np.uint64((1 << DIGIT_BITS) - 1), 1 << DIGIT_BITS
    starts = np.zeros((DIGITS, size), np.int64)
    for key in keys:
        for digit in range(DIGITS):
            starts[digit, np.int64(key >> np.uint64(DIGIT_BITS * digit) & mask)] += 1
    next_keys, next_edges = np.empty_like(keys), np.empty_like(edges)
    for digit in range(DIGITS):
        if starts[digit].max() == n_edges:  # all have the same one
            continue
        total = 0
        for value in range(size):
            total += starts[digit, value]
            starts[digit, value] = total - starts[digit, value]
        for k in range(n_edges):
            own = np.int64(keys[k] >> np.uint64(DIGIT_BITS * digit) & mask)
            place = starts[digit, own]
            starts[digit, own] = place + 1
            next_keys[place] = keys[k]
            next_edges[place] = edges[k]
        keys, next_keys = next_keys, keys
        edges, next_edges = next_edges, edges
    return edges


@compiled
def opening(order: Any, n_points: int) -> Any:
    """Return which edges close no triangle with earlier ones, as positions in the order.

    They are the edges of the relative neighbourhood graph, a few for each point.
    """
    one, last = np.uint64(1), np.uint64(63)
    words = (n_points + 63) // 64
    present = np.zeros((n_points, words), np.uint64)
    found, count = np.empty(len(order), np.int32), 0
    for position in range(len(order)):
        b, c = np.int64(order[position] >> 16), np.int64(order[position] & 0xFFFF)
        closes = False
        for w in range(words):
            if present[b, w] & present[c, w]:
                closes = True
                break
        if not closes:
            found[count] = position
            count += 1
        present[b, c >> 6] |= one << (np.uint64(c) & last)
        present[c, b >> 6] |= one << (np.uint64(b) & last)
    return found[:count].copy()
