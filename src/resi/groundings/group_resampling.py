"""Intervals and p-values of tests by groups: models drawn again within their groups, or dealt to groups at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resi.groundings.resampling import interval, relabellings, resampled_counts, share_as_large
from resi.groundings.separation import pair_index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resi.groundings.base import Values
    from resi.groundings.separation import PairIndex

    Bounds = list[tuple[float | None, float | None]]
    Array = np.ndarray[Any, Any]

# Sets of models are told apart as bits of one integer.
MOST_BITS = 62
BLOCK = 4096


def intervals(signed: Values, groups: Array, indices: Sequence[PairIndex], seed: int) -> dict[str, Bounds]:
    """Return the 95 % intervals of ``auprc`` and ``violation_rate``, one for each measure.

    Parameters
    ----------
    signed : array of shape (n_measures, n, n)
        Larger is more similar; both triangles hold the same values.
    groups : array of shape (n,)
        The group of each model.
    indices : sequence of PairIndex
        Of each group.
    """
    counts = resampled_counts(tuple(groups.tolist()), seed)
    resampled = np.mean([_weighted_scores(signed, index, counts) for index in indices], axis=0)
    fewest = int(np.unique(groups, return_counts=True)[1].min())
    bounds = [[interval(statistics, fewest) for statistics in metric] for metric in resampled]
    return {"auprc": bounds[0], "violation_rate": bounds[1]}


def _weighted_scores(signed: Values, index: PairIndex, counts: Values) -> Values:
    """Return both scores of one group when model i counts ``counts[:, i]`` times.

    Returns
    -------
    array of shape (2, n_measures, n_resamples)
    """
    within, across = index.split(signed)
    weight_within = counts[:, index.within[0]] * counts[:, index.within[1]]
    weight_across = counts[:, index.across[0]] * counts[:, index.across[1]]
    # For each pair within: the weight of those that are at least, or strictly, more similar.
    found = weight_within @ (within[:, :, None] >= within[:, None, :]).astype(float)
    above_or_equal = weight_across @ (across[:, :, None] >= within[:, None, :]).astype(float)
    above = weight_across @ (across[:, :, None] > within[:, None, :]).astype(float)
    weight = weight_within * ~np.isnan(within)[:, None, :]
    total_within = weight.sum(axis=-1)
    total_across = weight_across @ (~np.isnan(across)).T.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(weight > 0, found / (found + above_or_equal), 0)
        auprc = (weight * precision).sum(axis=-1) / total_within
        violations = (weight * (above + above_or_equal) / 2).sum(axis=-1) / (total_within * total_across.T)
    return np.stack([np.where(total_across.T > 0, auprc, np.nan), violations])


def p_values(signed: Values, groups: Array, observed: Mapping[str, Values], seed: int) -> dict[str, Values]:
    """Return for each measure the share of random deals of the models to the groups that score at least as well.

    A group's scores depend only on which models are in it, and few sets of models are possible: each is scored once.

    Parameters
    ----------
    signed, groups
        As for :func:`intervals`.
    observed : mapping from metric to array of shape (n_measures,)
        ``auprc`` and ``violation_rate``.
    """
    deals = relabellings(len(groups), seed, "deal models to groups")
    names = np.unique(groups)
    # Where in `sets` the members of each group of each deal are.
    members = [np.sort(deals.orders[:, groups == name], axis=1) for name in names]
    null = np.zeros((2, len(signed), len(deals.orders)))
    for size in {group.shape[1] for group in members}:
        of_size = [group for group in members if group.shape[1] == size]
        sets, where = _distinct(np.concatenate(of_size), len(groups))
        parts = [_score_sets(signed, sets[start : start + BLOCK]) for start in range(0, len(sets), BLOCK)]
        scores = np.concatenate(parts, axis=-1)
        for positions in where.reshape(len(of_size), -1):
            null += scores[:, :, positions] / len(names)
    return {
        "auprc": share_as_large(observed["auprc"], null[0], deals.exact),
        "violation_rate": share_as_large(-observed["violation_rate"], -null[1], deals.exact),
    }


def _distinct(sets: Array, models: int) -> tuple[Array, Array]:
    """Return the different rows, and for every row which of them it is."""
    if models > MOST_BITS:
        return sets, np.arange(len(sets))
    _, first, where = np.unique((1 << sets).sum(axis=1), return_index=True, return_inverse=True)
    return sets[first], where


def _score_sets(signed: Values, sets: Array) -> Values:
    """Return both scores that each set of models would have as a group, shape (2, n_measures, n_sets).

    Parameters
    ----------
    sets : integer array of shape (n_sets, n_members)
    """
    size = signed.shape[-1]
    is_member = np.zeros((len(sets), size), dtype=bool)
    np.put_along_axis(is_member, sets, True, axis=1)
    index = pair_index(np.arange(size) < sets.shape[1])  # of the first models; below, of the set's
    order = np.argsort(~is_member, axis=1, kind="stable").T
    # Pairs come first, sets last: the loops below then run over long rows.
    within, across = (order[pairs[0]] * size + order[pairs[1]] for pairs in index)
    return np.stack([_score_ranks(_ranks(values), within, across) for values in signed], axis=1)


def _ranks(values: Values) -> Array:
    """Return integers in the order of the values, equal where these are; -1 where there is none."""
    known = ~np.isnan(values)
    ranks = np.full(values.size, -1, dtype=np.int16)
    ranks[known.ravel()] = np.unique(values[known], return_inverse=True)[1]
    return ranks


def _score_ranks(ranks: Array, within: Array, across: Array) -> Values:
    """Return both scores of one measure for every set of models, shape (2, n_sets); see :mod:`.separation`."""
    inside, outside = ranks[within], ranks[across]
    found, above_or_equal, above = (np.zeros(inside.shape, dtype=np.int16) for _ in range(3))
    for other in inside:
        found += other >= inside
    for other in outside:
        above_or_equal += other >= inside
        above += other > inside
    known = inside >= 0
    count = known.sum(axis=0)
    combinations = count * (outside >= 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(known, found / (found + above_or_equal), 0)
        auprc = np.where(combinations > 0, precision.sum(axis=0) / count, np.nan)
        violations = np.where(known, (above + above_or_equal) / 2, 0).sum(axis=0) / combinations
    return np.stack([auprc, violations])
