"""Precision of numbers: which part of a representation is data, and which may be rounding.

Numbers of single precision and less are rounded when they are stored, and the sums behind them are rounded in single
precision. A measure that whitens features makes as much of a direction of such rounding as of any other, so that the
numerical rank has to follow the precision that the numbers had, not the precision it is computed in.
"""

from __future__ import annotations

import math
from typing import NamedTuple

DOUBLE_EPSILON = 2.0**-52
SINGLE_EPSILON = 2.0**-23
# Rounding as shares of the size that numbers have in their column, measured on linear layers of 10 to 2048 inputs with
# offsets, and with batch or layer normalisation behind them. That of the sums is 0.5 to 10 single epsilons; that of
# what is stored 0.2 of its own epsilon, and up to 1.5 where batch normalisation has taken off an offset.
SUMMED_NOISE = 32 * SINGLE_EPSILON
STORED_UNITS, LEAST_STORED_UNITS = 4, 0.5
# A step of the singular values by this factor separates data from rounding where their size alone does not.
CLEAR_STEP = 4
# The largest direction is so many times larger than rounding may be, where such a step means something.
CLEAR_SPREAD = 8
# Up to this share of its size a column that varies takes a few neighbouring numbers.
SUMMED_SPREAD = 4 * SINGLE_EPSILON
# Offsets so many times larger than the spread are taken into account in columns that have none themselves.
MOST_OFFSET = 1e3
# What cancels to less than this share of what it is made of is rounding of double precision.
CANCELLED = 1e-13


def stored_noise(epsilon: float) -> float:
    """Return what storing numbers in a precision adds to them, as a share of their size."""
    return STORED_UNITS * epsilon


def least_share(epsilon: float) -> float:
    """Return which share of the largest rounding there may be is always there."""
    return LEAST_STORED_UNITS * epsilon / max(stored_noise(epsilon), SUMMED_NOISE)


class Count(NamedTuple):
    """How many singular values stand for directions of the data, and whether others may as well."""

    directions: int
    is_sure: bool


def count_above_rounding(shares: list[float], least: float) -> Count:
    """Count the singular values that stand for directions of the data.

    Parameters
    ----------
    shares : list of float
        Singular values, largest first, as shares of the largest one that rounding may make.
    least : float
        The share that rounding makes at least. What lies between may be either: there the largest step between
        neighbours decides, as rounding fills all directions to about the same extent, or without a clear step the
        geometric mean of both bounds.
    """
    first = sum(share > 1 for share in shares)
    last = sum(share > least for share in shares)
    if first == last:
        return Count(first, is_sure=True)
    bounded = [1.0, *(max(share, least) for share in shares), least]
    steps = {count: bounded[count] / bounded[count + 1] for count in range(first, last + 1)}
    best = max(steps, key=steps.__getitem__)
    if steps[best] >= CLEAR_STEP:
        # Where the data itself is near rounding, steps may be those of the data.
        far_above = shares[best - 1] / shares[best] if 0 < best < len(shares) else shares[0] * CLEAR_SPREAD
        return Count(best, is_sure=far_above >= CLEAR_SPREAD**2)
    return Count(sum(share > math.sqrt(least) for share in shares), is_sure=False)


def noise_edge(n_samples: int, n_features: int) -> float:
    """Return about the largest singular value of a matrix of independent noise of unit variance."""
    return math.sqrt(n_samples) + math.sqrt(n_features)


def or_exactly(best: float, value: float, size: float = 1.0) -> float:
    """Return ``value``, or ``best`` if the two differ by rounding alone.

    Values that are the same number by definition are then equal, independent of the order of their sums.

    Parameters
    ----------
    size : float
        The size of the terms of which the value is the difference.
    """
    return best if abs(value - best) <= CANCELLED * size else value
