"""Intervals and p-values of tests by groups: models left out one by one, or assigned to groups at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from resi.groundings.jackknife import (
    FEWEST_MODELS,
    Scale,
    influences,
    limits,
    normal_quantile,
    standard_errors,
    t_quantile,
)
from resi.groundings.resampling import PERMUTATIONS, distinct_deals, every_deal, relabellings, share_as_large
from resi.groundings.separation import pair_index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from resi.groundings.base import Values
    from resi.groundings.separation import PairIndex

    Array = np.ndarray[Any, Any]
else:
    from resi.lazy import numpy as np

# A set of models is encoded as the bits of one integer.
MOST_BITS = 62
BLOCK = 4096


class Uncertainty(NamedTuple):
    """How much scores would vary if the models were trained again.

    Attributes
    ----------
    influences : array of shape (n_measures, n_models)
        See :func:`.jackknife.influences`; NaN where a score is undefined without a model.
    limits : array of shape (2, n_measures)
        95 % interval; NaN where there is none.
    """

    influences: Values
    limits: Values


def uncertainty(
    signed: Values, groups: Array, indices: Sequence[PairIndex], scores: Mapping[str, Values]
) -> dict[str, Uncertainty]:
    """Return the uncertainty of ``auprc`` and ``violation_rate``, from leave-one-out scores.

    Parameters
    ----------
    signed : array of shape (n_measures, n, n)
        Larger is more similar; both triangles hold the same values.
    groups : array of shape (n,)
        The group of each model.
    indices : sequence of PairIndex
        Of each group.
    scores : mapping from metric to array of shape (n_measures,)
    """
    sizes = np.unique(groups, return_counts=True)[1]
    kept = 1 - np.eye(len(groups))
    without = np.mean([_weighted_scores(signed, index, kept) for index in indices], axis=0)
    found = {}
    for metric, of_metric in zip(("auprc", "violation_rate"), without, strict=True):
        influence = influences(of_metric, groups)
        if sizes.min() < FEWEST_MODELS or len(sizes) < 2:
            ends = np.full((2, len(signed)), np.nan)
        else:
            ends = limits(scores[metric], standard_errors(influence), _scale(sizes, metric))
        found[metric] = Uncertainty(influence, ends)
    return found


def _scale(sizes: Array, metric: str) -> Scale:
    """Return the scale of a score's limits for the given group sizes.

    A model that has gone wrong is the least similar to all others: the pairs of its group that it is in then tie with
    its pairs across, below all others. ``floor`` is from the group in which it does the most harm.

    Of a rate of pairs, leaving models out overestimates the error, by about as much as the t distribution is wider than
    the normal one.
    """
    within, across = sizes * (sizes - 1) / 2, sizes * (sizes.sum() - sizes)
    if metric == "auprc":
        harm = (2 / sizes) * (1 - within / (within + across))
        best, worst, quantile = 1.0, 0.0, t_quantile(int((sizes - 1).sum()))
    else:
        harm = (2 / sizes) * (1 - 1 / (2 * sizes))
        best, worst, quantile = 0.0, 1.0, normal_quantile()
    error = float(((sizes - 1) / sizes * harm).max()) / len(sizes)
    return Scale(best, worst, quantile, quantile * error)


def smallest_p_value(groups: Array) -> float:
    """Return the p-value of the best assignment, given how many assignments give the same groups."""
    return 1 / distinct_deals(np.unique(groups, return_counts=True)[1].tolist())


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
    """Return for each measure the share of assignments of models to groups that score at least as well.

    All different assignments are tried where they are at most 9999, else 9999 random ones. A group's scores depend only
    on which models are in it, and few sets of models are possible: each is scored once.

    Parameters
    ----------
    signed, groups
        As for :func:`intervals`.
    observed : mapping from metric to array of shape (n_measures,)
        ``auprc`` and ``violation_rate``.
    """
    members, exact = _dealt(groups, seed)
    null = np.zeros((2, len(signed), len(members[0])))
    for size in {group.shape[1] for group in members}:
        of_size = [group for group in members if group.shape[1] == size]
        sets, where = _distinct(np.concatenate(of_size), len(groups))
        parts = [_score_sets(signed, sets[start : start + BLOCK]) for start in range(0, len(sets), BLOCK)]
        scores = np.concatenate(parts, axis=-1)
        for positions in where.reshape(len(of_size), -1):  # where in `sets` the members of a group of each deal are
            null += scores[:, :, positions] / len(members)
    return {
        "auprc": share_as_large(observed["auprc"], null[0], exact),
        "violation_rate": share_as_large(-observed["violation_rate"], -null[1], exact),
    }


def _dealt(groups: Array, seed: int) -> tuple[list[Array], bool]:
    """Return the members of each group for each assignment, and whether these are all assignments."""
    names, counts = np.unique(groups, return_counts=True)
    sizes = tuple(counts.tolist())
    if distinct_deals(sizes) <= PERMUTATIONS:
        return np.split(every_deal(sizes), np.cumsum(sizes)[:-1], axis=1), True
    orders = relabellings(len(groups), seed, "deal models to groups").orders
    return [np.sort(orders[:, groups == name], axis=1) for name in names], False


def _distinct(sets: Array, models: int) -> tuple[Array, Array]:
    """Return the distinct rows, and the index of each row among them."""
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
    ranks = np.full(values.size, -1, dtype=np.int16 if values.size < 2**15 else np.int32)
    ranks[known.ravel()] = np.unique(values[known], return_inverse=True)[1]
    return ranks


def _score_ranks(ranks: Array, within: Array, across: Array) -> Values:
    """Return both scores of one measure for every set of models, shape (2, n_sets); see :mod:`.separation`."""
    inside, outside = ranks[within], ranks[across]
    counts = np.int16 if len(inside) + len(outside) < 2**15 else np.int32
    found, above_or_equal, above = (np.zeros(inside.shape, dtype=counts) for _ in range(3))
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
