"""How well values separate pairs within a group from pairs across groups: average precision and violation rate.

Values are signed, so that larger ones mean more similar; NaN stands for a missing one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from resi.groundings.base import Mask, Values

    Integers = np.ndarray[Any, np.dtype[np.int64]]
else:
    from resi.lazy import numpy as np


class Split(NamedTuple):
    """Signed values of pairs within a group, shape (..., n_within), and across groups, shape (..., n_across)."""

    within: Values
    across: Values


class PairIndex(NamedTuple):
    """Rows and columns of the pairs within a group, shape (2, n_within), and across, shape (2, n_across)."""

    within: Integers
    across: Integers

    def split(self, signed: Values) -> Split:
        """Take the pairs' values from matrices of shape (..., n, n)."""
        return Split(signed[..., *self.within], signed[..., *self.across])


def pair_index(members: Mask) -> PairIndex:
    """Return the pairs of two members, first one first, and of members with others, members first.

    Parameters
    ----------
    members : boolean array of shape (n,)
    """
    inside, outside = np.flatnonzero(members), np.flatnonzero(~members)
    first, second = np.triu_indices(len(inside), 1)
    across = np.stack(np.meshgrid(inside, outside, indexing="ij")).reshape(2, -1)
    return PairIndex(np.stack([inside[first], inside[second]]), across)


def average_precision(split: Split) -> Values:
    """Return the average precision of finding pairs within the group by their values; equal values share a threshold.

    It is the mean, over pairs within the group, of the precision at their value: the share of pairs within the group
    among all pairs with a value at least as large.

    Returns
    -------
    array of shape (...)
        NaN where there is no value within, or none across.

    References
    ----------
    .. [1] Manning, Raghavan & Schuetze, Introduction to Information Retrieval, 2008, chapter 8.
    """
    found = _count_at_least(split.within, split.within)
    above = _count_at_least(split.across, split.within)
    with np.errstate(invalid="ignore"):
        precision = np.where(np.isnan(split.within), np.nan, found / (found + above))
    return _where_defined(split, _mean(precision))


def expected_average_precision(split: Split) -> Values:
    """Return the expected average precision if the same values were assigned to the pairs at random.

    Of n values, r of them of pairs within the group, one that m values reach adds (1 + (m - 1)(r - 1)/(n - 1)) / (n m).
    Without ties the sum is (H + (r - 1)(n - H)/(n - 1)) / n, where H = 1 + 1/2 + ... + 1/n; where all are tied it is
    r / n, which is then the average precision itself.

    References
    ----------
    .. [1] Bestgen, Exact expected average precision of the random baseline for system evaluation, PBML 2015.
    """
    values = np.concatenate([split.within, split.across], axis=-1)
    known = ~np.isnan(values)
    relevant, total = (~np.isnan(split.within)).sum(axis=-1), known.sum(axis=-1)
    reached = np.where(known, _count_at_least(values, values), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        others = ((relevant - 1) / (total - 1))[..., None]
        shares = np.where(known, (1 + (reached - 1) * others) / reached, 0)
        # In one memory order, so that the order of additions does not depend on the number of measures.
        expected = np.ascontiguousarray(shares).sum(axis=-1) / total
    return _where_defined(split, expected)


def expected_violation_rate(split: Split, ties: float) -> Values:
    """Return the expected violation rate if the values were assigned to the pairs at random: 1/2 if ties count 1/2.

    Parameters
    ----------
    ties : float
        As for :func:`violation_rate`.
    """
    values = np.concatenate([split.within, split.across], axis=-1)
    total = (~np.isnan(values)).sum(axis=-1)
    tied = (values[..., None, :] == values[..., :, None]).sum(axis=(-2, -1)) - total
    with np.errstate(invalid="ignore", divide="ignore"):
        return _where_defined(split, 0.5 + (ties - 0.5) * tied / (total * (total - 1)))


def violation_rate(split: Split, ties: float) -> Values:
    """Return the share of (within, across) combinations in which the pair within is not the more similar one.

    Parameters
    ----------
    ties : float
        Weight of a tie: 1 in the published benchmark, 1/2 here, so that random values give 1/2.

    Returns
    -------
    array of shape (...)
        NaN where there is no value within, or none across.
    """
    within, across = split.within[..., :, None], split.across[..., None, :]
    wrong = (across > within).sum(axis=(-2, -1)) + ties * (across == within).sum(axis=(-2, -1))
    combinations = (~np.isnan(split.within)).sum(axis=-1) * (~np.isnan(split.across)).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return _where_defined(split, wrong / combinations)


def _count_at_least(values: Values, thresholds: Values) -> Values:
    """Return for each threshold how many values reach it; NaN reaches none."""
    return (values[..., None, :] >= thresholds[..., :, None]).sum(axis=-1)


def _mean(values: Values) -> Values:
    """Return the mean over the last axis without NaN; NaN where nothing is left."""
    with np.errstate(invalid="ignore"):
        return np.nansum(values, axis=-1) / (~np.isnan(values)).sum(axis=-1)


def _where_defined(split: Split, values: Values) -> Values:
    defined = (~np.isnan(split.within)).any(axis=-1) & (~np.isnan(split.across)).any(axis=-1)
    return np.where(defined, values, np.nan)
