"""p-values of the layer test: the layers of each model are permuted."""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.groundings.resampling import PERMUTATIONS, SMALLEST_P, relabellings, share_as_large
from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from resi.groundings.base import Values
    from resi.groundings.resampling import Integers

    Array = np.ndarray[Any, Any]
else:
    from resi.lazy import numpy as np

# All orders of up to seven layers are tried; for more layers, this many random orders, as each takes longer.
MOST_LAYERS = 7
# With fewer layers, no layer has two others whose order could be right.
FEWEST_LAYERS = 3
ORDERS = 999
BLOCK_ENTRIES = 2**21


class Nulls(NamedTuple):
    """The scores of each model with its layers in other orders, each of shape (n_measures, n_orders).

    ``exact`` says of each model whether these are all orders.
    """

    spearman: list[Values]
    violations: list[Values]
    exact: list[bool]


def nulls(matrices: Sequence[Values], seed: int) -> Nulls:
    """Score other orders of the layers, for each model others.

    Parameters
    ----------
    matrices : sequence of array of shape (n_measures, n_layers, n_layers)
        Of each model, larger is more similar; measures with a missing value are NaN in what is returned.
    """
    found: list[Values] = []
    exact: list[bool] = []
    for place, matrix in enumerate(matrices):
        orders, whole = _orders(matrix.shape[-1], seed, place)
        exact.append(whole)
        step = max(1, BLOCK_ENTRIES // matrix.size)
        ranks = _ranks(matrix)
        parts = [score_orders(ranks, orders[start : start + step]) for start in range(0, len(orders), step)]
        missing = np.isnan(_off_diagonal(matrix)).any(axis=1, keepdims=True)
        found.append(np.where(missing, np.nan, np.concatenate(parts, axis=-1)))
    return Nulls([scores[0] for scores in found], [scores[1] for scores in found], exact)


def p_values(values: Values, scores: Sequence[Values], exact: Sequence[bool]) -> Values:
    """Return for each measure and model the share of orders that score at least as well; NaN where a value is missing.

    Parameters
    ----------
    values : array of shape (n_measures, n_models)
    scores : sequence of array of shape (n_measures, n_orders)
        Of each model.
    exact : sequence of bool
        Of each model, whether these are all orders.
    """
    found = np.array([share_as_large(values[:, place], scores[place], whole) for place, whole in enumerate(exact)])
    missing = np.array([np.isnan(null).any(axis=1) for null in scores])
    return np.where(missing, np.nan, found).T


def p_values_of_means(values: Values, scores: Sequence[Values], exact: Sequence[bool], seed: int) -> Values:
    """Return for each measure the share of orders, one of each model, whose mean score is at least as good.

    All combinations are tried where there are at most 9999, else 9999 random ones. The mean over one model has the
    p-value of this model.
    """
    if len(scores) == 1:
        return p_values(values, scores, exact)[:, 0]
    counts = [null.shape[1] for null in scores]
    every = int(np.prod(counts, dtype=float))
    is_whole = all(exact) and every <= PERMUTATIONS
    chosen = _combinations(tuple(counts), is_whole, seed)
    null = np.mean([null[:, places] for null, places in zip(scores, chosen.T, strict=True)], axis=0)
    missing = np.array([np.isnan(null).any(axis=1) for null in scores]).any(axis=0)
    return np.where(missing, np.nan, share_as_large(values.mean(axis=1), null, is_whole))


@functools.lru_cache(maxsize=16)
def _combinations(counts: tuple[int, ...], exact: bool, seed: int) -> Integers:
    if exact:
        return np.array(list(itertools.product(*map(range, counts))))
    draw = generator(seed, "combine orders of layers", *counts)
    return draw.integers(np.array(counts), size=(PERMUTATIONS, len(counts)))


def _orders(layers: int, seed: int, model: int) -> tuple[Integers, bool]:
    """Return orders of the layers, and whether they are all orders; an order and its reverse count as one."""
    if layers <= MOST_LAYERS:
        every = relabellings(layers, seed, "order layers").orders
        return every[every[:, 0] <= every[:, -1]], True
    start = np.tile(np.arange(layers), (ORDERS, 1))
    return generator(seed, "order layers", model, layers).permuted(start, axis=1), False


def smallest_p_value(layers: Sequence[int]) -> float:
    """Return the p-value of the best of all orders of the models' layers; an order and its reverse count as one.

    Where too many to be tried are drawn at random, it is that of a score which none of them reaches.
    """
    drawn = 1 / (ORDERS + 1) if len(layers) == 1 and layers[0] > MOST_LAYERS else SMALLEST_P
    return max(drawn, math.prod(2 / math.factorial(count) for count in layers))


def _off_diagonal(matrix: Values) -> Values:
    return matrix[:, ~np.eye(matrix.shape[-1], dtype=bool)]


def _ranks(matrix: Values) -> Array:
    """Return for each measure small integers in the order of its values."""
    small = np.int16 if matrix[0].size < 2**15 else np.int32
    return np.stack([np.unique(one, return_inverse=True)[1].reshape(one.shape) for one in matrix]).astype(small)


def score_orders(ranks: Array, orders: Integers) -> Values:
    """Return both scores of each measure for orders of the layers.

    What :mod:`.layer_monotonicity` defines, for many orders at once and without missing values.

    Parameters
    ----------
    ranks : integer array of shape (n_measures, n_layers, n_layers)
        In the order of the values, larger is more similar.
    orders : integer array of shape (n_orders, n_layers)

    Returns
    -------
    array of shape (2, n_measures, n_orders)
        NaN for fewer than three layers: no layer has two others to compare.
    """
    size = orders.shape[1]
    # Layers come first, orders last: the loops below then run over long rows.
    placed = ranks.transpose(1, 2, 0)[orders.T[:, None], orders.T[None]]
    correlation, wrong = np.zeros(placed.shape[2:]), np.zeros(placed.shape[2:])
    if size < FEWEST_LAYERS:
        return np.full((2, len(ranks), len(orders)), np.nan)
    rows = triples = 0
    for layer in range(size):
        for targets in (range(layer + 1, size), range(layer - 1, -1, -1)):
            if len(targets) > 1:
                found = _score_row(placed[layer, list(targets)])
                correlation += found[0]
                wrong += found[1]
                rows, triples = rows + 1, triples + len(targets) * (len(targets) - 1) // 2
    return np.stack([correlation / rows, wrong / triples]).transpose(0, 2, 1)


def _score_row(similar: Array) -> tuple[Values, Values]:
    """Return the rank correlation of falling similarity with the place, and the number of pairs in the wrong order.

    Parameters
    ----------
    similar : integer array of shape (n_targets, n_orders, n_measures)
        Of layers farther and farther away; the correlation is 0 where all are equal.
    """
    count = len(similar)
    above = np.zeros(similar.shape)  # twice how many are more similar, ties once
    wrong = np.zeros(similar.shape[1:])
    for far in range(1, count):
        order = np.sign(similar[far] - similar[:far])
        above[:far] += order + 1
        above[far] += (1 - order).sum(axis=0)
        wrong += (order + 1).sum(axis=0)
    centred = above - (count - 1)
    place = np.arange(count) - (count - 1) / 2
    product = np.tensordot(place, centred, axes=1)
    lengths = np.sqrt((place**2).sum() * (centred**2).sum(axis=0))
    return np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0), wrong / 2
