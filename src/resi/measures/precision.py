"""How well numbers are known: what of a representation is data, and what may be rounding.

Numbers of single precision and less are rounded when they are stored, and the sums behind them are rounded in single
precision. A measure that whitens features makes as much of a direction of such rounding as of any other, so that the
numerical rank has to follow the precision that the numbers had, whatever precision it is computed in.
"""

from __future__ import annotations

import math

DOUBLE_EPSILON = 2.0**-52
SINGLE_EPSILON = 2.0**-23
# Rounding as shares of the size that numbers have in their column, measured on linear layers of 10 to 2048 inputs with
# offsets, and with batch or layer normalisation behind them. That of the sums is 0.5 to 10 single epsilons; that of
# what is stored 0.2 of its own epsilon, and up to 1.3 where batch normalisation has taken off an offset.
SUMMED_NOISE = 32 * SINGLE_EPSILON
STORED_UNITS = 2
# Up to this share of its size a column that varies takes a few neighbouring numbers.
SUMMED_SPREAD = 4 * SINGLE_EPSILON
# Offsets so many times larger than the spread are taken into account in columns that have none themselves.
MOST_OFFSET = 1e3
# What cancels to less than this share of what it is made of is rounding of double precision.
CANCELLED = 1e-13


def stored_noise(epsilon: float) -> float:
    """Return what storing numbers in a precision adds to them, as a share of their size."""
    return STORED_UNITS * epsilon


def noise_edge(n_samples: int, n_features: int) -> float:
    """Return about the largest singular value of a matrix of independent noise of unit variance."""
    return math.sqrt(n_samples) + math.sqrt(n_features)


def or_exactly(best: float, value: float, size: float = 1.0) -> float:
    """Return ``value``, or ``best`` if the two differ by rounding alone.

    Values that are the same number by definition are then equal, whatever the order of their sums was.

    Parameters
    ----------
    size : float
        The size of the terms of which the value is the difference.
    """
    return best if abs(value - best) <= CANCELLED * size else value
