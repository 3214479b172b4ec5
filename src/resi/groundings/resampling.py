"""Relabellings of models, for p-values: all of them, or random ones. All measures share the same draws."""

from __future__ import annotations

import functools
import math
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from resi.groundings.base import Values

    Integers = np.ndarray[Any, np.dtype[np.int64]]
else:
    from resi.lazy import numpy as np

PERMUTATIONS = 9999
SMALLEST_P = 1 / (PERMUTATIONS + 1)
"""The smallest possible p-value, with random or with all permutations."""
# Statistics that differ by less are equal up to the order of additions.
TOLERANCE = 1e-12


class Relabellings(NamedTuple):
    """Permutations of items.

    Attributes
    ----------
    orders : integer array of shape (n_permutations, n_items)
    exact : bool
        Whether these are all permutations, including the identity.
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


def distinct_deals(sizes: Sequence[int]) -> int:
    """Return in how many ways models can be dealt to groups of the given sizes; groups of one size are not told apart.

    Parameters
    ----------
    sizes : sequence of int
        Number of models in each group.
    """
    alike = [sizes.count(size) for size in set(sizes)]
    return math.factorial(sum(sizes)) // math.prod(map(math.factorial, [*sizes, *alike]))


@functools.lru_cache(maxsize=16)
def every_deal(sizes: tuple[int, ...]) -> Integers:
    """Return all ways to deal models to groups of the given sizes, each once.

    Returns
    -------
    integer array of shape (n_deals, n_models)
        The models of the first group in increasing order, then those of the second, and so on.
    """
    ends = np.cumsum([0, *sizes]).tolist()
    deals = np.empty((distinct_deals(sizes), ends[-1]), dtype=np.int64)
    for row, groups in zip(deals, _deals(tuple(range(ends[-1])), sizes), strict=True):
        waiting = list(groups)
        for size, start, end in zip(sizes, ends, ends[1:], strict=False):
            place = next(index for index, group in enumerate(waiting) if len(group) == size)
            row[start:end] = waiting.pop(place)
    deals.flags.writeable = False  # it is remembered
    return deals


def _deals(models: tuple[int, ...], sizes: tuple[int, ...]) -> Iterator[list[tuple[int, ...]]]:
    """Yield all ways to deal models to groups; the first model is in the first group that is yielded."""
    if not sizes:
        yield []
        return
    first, others = models[0], models[1:]
    for size in sorted(set(sizes)):
        place = sizes.index(size)
        for chosen in combinations(others, size - 1):
            left = tuple(model for model in others if model not in chosen)
            for rest in _deals(left, sizes[:place] + sizes[place + 1 :]):
                yield [(first, *chosen), *rest]


def share_as_large(observed: Values, null: Values, exact: bool) -> Values:
    """Return the p-values of observed statistics: the share of relabellings that reach them.

    Parameters
    ----------
    observed : array of shape (n,)
    null : array of shape (n, n_permutations)
        NaN if a relabelling leaves nothing to score; it is left out.
    exact : bool
        Whether ``null`` includes the observed arrangement; if not, it is added.

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
