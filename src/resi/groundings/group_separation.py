"""Tests by groups: models of one group should be more alike than models of different groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from resi.groundings.base import Experiment, Grounding, Item, Models, Score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from resi.measures.base import Measure

    Values = np.ndarray[Any, np.dtype[np.float64]]
    Mask = np.ndarray[Any, np.dtype[np.bool_]]
    Groups = np.ndarray[Any, np.dtype[np.str_]]

PUBLISHED = "published"


class GroupSeparation(Grounding):
    """Scores how well a measure tells pairs within a group from pairs across groups.

    For each group, pairs of two of its models should be more similar than pairs of one of its models with another
    group's. ``auprc`` is the average precision of finding the former by their similarity, ``violation_rate`` the share
    of combinations of one pair of either kind that are in the wrong order; both are means over groups.
    """

    metrics = ("auprc", "violation_rate")
    headline = "auprc"

    def plan(self, models: Models) -> list[Experiment]:
        """Return one experiment: every setting's models, at their last layer before the output."""
        settings = models.domain.settings(self.name, models.groups)
        specs = [models.spec(setting, seed) for setting in settings for seed in models.seeds]
        probe = models.domain.probe(
            models.architecture, models.dataset.name, models.hyperparameters(settings[0]), self.name
        )
        items = tuple(Item(spec, probe.layers[-1], spec.setting) for spec in specs)
        return [Experiment(self.name, models.domain.name, models.dataset.name, models.architecture, items, probe)]

    def score(
        self, experiment: Experiment, similarity: Values, measure: type[Measure], protocol: str
    ) -> Sequence[Score]:
        """Return AUPRC and violation rate."""
        signed = similarity if measure.larger_is_more_similar else -similarity
        both_directions = protocol != PUBLISHED and not measure.symmetric
        groups = np.array([item.group for item in experiment.items])
        splits = [split_pairs(signed, groups == group, both_directions) for group in experiment.groups]
        used = _pairs_used(groups, measure, both_directions)
        pairs = int(np.isfinite(similarity[used]).sum())
        failed = int(used.sum()) - pairs
        ties = 1.0 if protocol == PUBLISHED else 0.5
        return [
            Score("auprc", _mean(splits, average_precision), _mean(splits, expected_average_precision), pairs, failed),
            Score("violation_rate", _mean(splits, lambda s: violation_rate(s, ties)), 0.5, pairs, failed),
        ]


class Augmentation(GroupSeparation):
    """Models trained with different amounts of augmentation."""

    name = "augmentation"
    title = "models trained with more or less augmentation"
    description = (
        "Models that saw the same amount of augmentation in training should be more alike than models that saw "
        "different amounts. On graphs, augmentation drops edges at random in every epoch."
    )


class Split(NamedTuple):
    """Signed values (larger is more similar) of pairs within a group and across; those that have a value."""

    within: Values
    across: Values


def split_pairs(signed: Values, members: Mask, both_directions: bool) -> Split:
    """Return the values of pairs within a group, and of pairs of its members with others.

    Parameters
    ----------
    signed : array of shape (n, n)
    members : boolean array of shape (n,)
    both_directions : bool
        Whether (i, j) and (j, i) both count; else within the group only i < j, and across only member first.
    """
    inside, outside = np.flatnonzero(members), np.flatnonzero(~members)
    block = signed[np.ix_(inside, inside)]
    upper = np.triu_indices(len(inside), 1)
    within, across = block[upper], signed[np.ix_(inside, outside)].ravel()
    if both_directions:
        within = np.concatenate([within, block.T[upper]])
        across = np.concatenate([across, signed[np.ix_(outside, inside)].ravel()])
    return Split(within[~np.isnan(within)], across[~np.isnan(across)])


def average_precision(split: Split) -> float:
    """Return the average precision of ranking pairs within the group first; equal values share one threshold."""
    values = np.concatenate(split)
    relevant = np.arange(len(values)) < len(split.within)
    order = np.argsort(-values, kind="stable")
    values, relevant = values[order], relevant[order]
    threshold = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    found = np.cumsum(relevant)[threshold]
    precision = found / (threshold + 1)
    return float(np.sum(np.diff(found, prepend=0) * precision) / len(split.within))


def expected_average_precision(split: Split) -> float:
    """Return the expected average precision of a random order without ties."""
    relevant, total = len(split.within), len(split.within) + len(split.across)
    harmonic = float(np.sum(1 / np.arange(1, total + 1)))
    return (harmonic + (relevant - 1) / (total - 1) * (total - harmonic)) / total


def violation_rate(split: Split, ties: float) -> float:
    """Return the share of (within, across) combinations in which the pair within is not the more similar one.

    Parameters
    ----------
    ties : float
        What a tie counts: 1 in the published benchmark, 1/2 in ours, so that random values give 1/2.
    """
    ordered = np.sort(split.across)
    above = len(ordered) - np.searchsorted(ordered, split.within, side="right")
    equal = np.searchsorted(ordered, split.within, side="right") - np.searchsorted(ordered, split.within, side="left")
    return float(np.sum(above + ties * equal) / (len(split.within) * len(split.across)))


def _mean(splits: Sequence[Split], metric: Callable[[Split], float]) -> float | None:
    if any(len(split.within) == 0 or len(split.across) == 0 for split in splits):
        return None
    return float(np.mean([metric(split) for split in splits]))


def _pairs_used(groups: Groups, measure: type[Measure], both_directions: bool) -> Mask:
    """Return which entries of a matrix of similarities are comparisons of their own, and make a difference."""
    upper = np.triu(np.ones((len(groups), len(groups)), dtype=bool), 1)
    if measure.symmetric:
        return upper
    return upper | upper.T if both_directions else upper | (groups[:, None] != groups)
