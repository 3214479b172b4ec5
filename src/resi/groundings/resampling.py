"""Models drawn again or relabelled at random, for intervals and p-values. All measures share the same draws."""

from __future__ import annotations

import functools
import math
from itertools import permutations
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.randomness import generator

if TYPE_CHECKING:
    import numpy as np

    from resi.groundings.base import Values

    Integers = np.ndarray[Any, np.dtype[np.int64]]
else:
    from resi.lazy import numpy as np

PERMUTATIONS = 9999
SMALLEST_P = 1 / (PERMUTATIONS + 1)
"""The p-value that no random permutation reaches; of all permutations it can be no smaller."""
RESAMPLES = 2000
LEVEL = 0.95
# Of fewer models, most resamples leave nothing to correlate.
FEWEST_MODELS = 5
# Resamples in which nothing can be scored are left out, but an interval with many of them would be of few models only.
MOST_UNDEFINED = 0.2
# Statistics that differ by less are equal but for the order of additions.
TOLERANCE = 1e-12


class Relabellings(NamedTuple):
    """Permutations of items.

    Attributes
    ----------
    orders : integer array of shape (n_permutations, n_items)
    exact : bool
        Whether these are all there are, the identity among them.
    """

    orders: Integers
    exact: bool


@functools.lru_cache(maxsize=16)
def relabellings(count: int, seed: int, purpose: str) -> Relabellings:
    """Return all permutations of ``count`` items where they are at most 9999, else 9999 random ones."""
    exact = math.factorial(count) <= PERMUTATIONS
    if exact:
        orders = np.array(list(permutations(range(count))), dtype=np.int64)
    else:
        orders = np.tile(np.arange(count, dtype=np.int64), (PERMUTATIONS, 1))
        orders = generator(seed, purpose, count).permuted(orders, axis=1)
    orders.flags.writeable = False  # it is remembered
    return Relabellings(orders, exact)


@functools.lru_cache(maxsize=16)
def resampled_counts(groups: tuple[str, ...], seed: int) -> Values:
    """Draw models with replacement, from each group as many as it has.

    Parameters
    ----------
    groups : tuple of str
        The group of each model.

    Returns
    -------
    array of shape (n_resamples, n_models)
        How often each model was drawn. Pairs of models are then weighted by the product of the two counts; a model and
        its own copy are not a pair.
    """
    counts = np.zeros((RESAMPLES, len(groups)))
    for group in dict.fromkeys(groups):
        members = np.array([index for index, other in enumerate(groups) if other == group])
        drawn = generator(seed, "resample models", group, len(members)).integers(
            len(members), size=(RESAMPLES, len(members))
        )
        for column in drawn.T:
            counts[np.arange(RESAMPLES), members[column]] += 1
    counts.flags.writeable = False  # it is remembered
    return counts


def interval(statistics: Values, models: int) -> tuple[float | None, float | None]:
    """Return the 95 % percentile interval of resampled statistics.

    None where there are fewer than five models, or where more than a fifth of the resamples left nothing to score
    (NaN).

    Parameters
    ----------
    statistics : array of shape (n_resamples,)
    models : int
    """
    defined = statistics[~np.isnan(statistics)]
    if models < FEWEST_MODELS or len(defined) < (1 - MOST_UNDEFINED) * len(statistics):
        return None, None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def share_as_large(observed: Values, null: Values, exact: bool) -> Values:
    """Return the p-values of observed statistics: the share of relabellings that reach them.

    Parameters
    ----------
    observed : array of shape (n,)
    null : array of shape (n, n_permutations)
        NaN where a relabelling leaves nothing to score; it is left out.
    exact : bool
        Whether ``null`` holds the observed arrangement already; else it is counted in.

    Returns
    -------
    array of shape (n,)
        NaN where the observed statistic is NaN.
    """
    reached = (null >= observed[:, None] - TOLERANCE).sum(axis=1)
    valid = (~np.isnan(null)).sum(axis=1)
    extra = 0 if exact else 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isnan(observed), np.nan, (reached + extra) / (valid + extra))
