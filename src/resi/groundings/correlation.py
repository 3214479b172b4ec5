"""Correlation coefficients of many vectors at once, with and without weights.

Each coefficient is the cosine of two vectors made from the data: centred values (Pearson), centred ranks (Spearman), or
the signs of all differences (Kendall's tau-b). So one matrix product gives the correlations of all measures with all
permutations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from resi.groundings.base import Values
else:
    from resi.lazy import numpy as np

# A weighted variance below this share of the sum of squares is rounding: the values are equal.
SMALLEST_SPREAD = 1e-12
# Large enough for few calls, small enough for the cache.
BLOCK_ENTRIES = 2**19


def correlate(x: Values, y: Values, coefficient: str) -> Values:
    """Return the correlation of each row of ``x`` with each row of ``y``.

    Parameters
    ----------
    x, y : array of shape (n_x, n), (n_y, n)
    coefficient : str
        ``pearson``, ``spearman`` or ``kendall`` (tau-b).

    Returns
    -------
    array of shape (n_x, n_y)
        NaN where a row is constant.

    References
    ----------
    .. [1] Daniels, The relation between measures of correlation in the universe of sample permutations,
       Biometrika 1944.
    """
    left = _embed(x, coefficient)
    step = max(1, BLOCK_ENTRIES // len(left.vectors))
    blocks = []
    for start in range(0, len(y), step):
        right = _embed(y[start : start + step], coefficient)
        with np.errstate(invalid="ignore"):
            blocks.append((left.vectors.T @ right.vectors) / (left.lengths[:, None] * right.lengths))
    return np.clip(np.concatenate(blocks, axis=1), -1, 1)


class _Embedded(NamedTuple):
    """Vectors as columns, and their lengths: NaN for vectors made of equal values."""

    vectors: np.ndarray[Any, Any]
    lengths: Values


def _embed(rows: np.ndarray[Any, Any], coefficient: str) -> _Embedded:
    constant = (rows == rows[:, :1]).all(axis=1)
    if coefficient == "kendall":
        columns = np.ascontiguousarray(rows.T)
        first, second = np.triu_indices(len(columns), 1)
        # float32 holds these whole numbers, and sums of them, exactly.
        vectors = np.sign(columns[first] - columns[second]).astype(np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->j", vectors, vectors).astype(float))
    else:
        ranks = average_ranks(rows) if coefficient == "spearman" else rows
        vectors = (ranks - ranks.mean(axis=1, keepdims=True)).T
        lengths = np.sqrt((vectors**2).sum(axis=0))
    return _Embedded(vectors, np.where(constant, np.nan, lengths))


def average_ranks(values: np.ndarray[Any, Any]) -> Values:
    """Return the ranks of values along the last axis, from 1; equal values share the mean of theirs."""
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    places = np.broadcast_to(np.arange(values.shape[-1]), values.shape)
    changes = ordered[..., 1:] != ordered[..., :-1]
    edge = np.ones_like(changes[..., :1])
    first = np.maximum.accumulate(np.where(np.concatenate([edge, changes], axis=-1), places, 0), axis=-1)
    is_last = np.concatenate([changes, edge], axis=-1)
    last = np.minimum.accumulate(np.where(is_last, places, places.shape[-1])[..., ::-1], axis=-1)[..., ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=-1)
    return ranks


def weighted_correlations(x: Values, y: Values, weights: Values, coefficient: str) -> Values:
    """Return the correlation of each row of ``x`` with ``y`` when entry i stands there ``weights[b, i]`` times.

    Parameters
    ----------
    x : array of shape (n_x, n)
    y : array of shape (n,)
    weights : array of shape (n_b, n)

    Returns
    -------
    array of shape (n_x, n_b)
        NaN where the entries that are left are all equal.
    """
    if coefficient == "kendall":
        return _weighted_kendall(x, y, weights)
    if coefficient == "spearman":
        return _weighted_spearman(x, y, weights)
    return _weighted_pearson(x, y, weights)


def _weighted_pearson(x: Values, y: Values, weights: Values) -> Values:
    x, y = x - x.mean(axis=-1, keepdims=True), y - y.mean()
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y = (x @ weights.T) / total, (weights @ y) / total
        product = ((x * y) @ weights.T) / total - mean_x * mean_y
        square_x, square_y = ((x * x) @ weights.T) / total, (weights @ (y * y)) / total
    return _ratio(product, square_x - mean_x**2, square_y - mean_y**2, square_x, square_y)


def _weighted_spearman(x: Values, y: Values, weights: Values) -> Values:
    total = weights.sum(axis=1)[:, None]
    # The mean of all ranks is half the total.
    ranks_x = weights @ _below(x) - total / 2
    ranks_y = weights @ _below(y) - total / 2
    product = np.einsum("bn,xbn->xb", weights * ranks_y, ranks_x, optimize=True)
    square_x = np.einsum("bn,xbn->xb", weights, ranks_x * ranks_x, optimize=True)
    square_y = (weights * ranks_y**2).sum(axis=1)
    return _ratio(product, square_x, square_y, total.T**3, total.T[0] ** 3)


def _below(values: Values) -> Values:
    """Return for each entry (second) which entries (first) are below it; equal ones count one half."""
    first, second = values[..., :, None], values[..., None, :]
    return (first < second) + (first == second) / 2


def _weighted_kendall(x: Values, y: Values, weights: Values) -> Values:
    signs_x, signs_y = (np.sign(values[..., :, None] - values[..., None, :]) for values in (x, y))

    def form(matrix: Values) -> Values:
        # float32 holds these whole numbers exactly.
        small = weights.astype(np.float32)
        return np.einsum("...bn,bn->...b", small @ matrix.astype(np.float32), small, optimize=True).astype(float)

    square_x, square_y = form(signs_x**2), form(signs_y**2)
    return _ratio(form(signs_x * signs_y), square_x, square_y, np.ones_like(square_x), np.ones_like(square_y))


def _ratio(product: Values, spread_x: Values, spread_y: Values, scale_x: Values, scale_y: Values) -> Values:
    defined = (spread_x > SMALLEST_SPREAD * scale_x) & (spread_y > SMALLEST_SPREAD * scale_y)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(defined, np.clip(product / np.sqrt(spread_x * spread_y), -1, 1), np.nan)
