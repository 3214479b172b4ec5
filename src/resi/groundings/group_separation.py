"""Tests by groups: models of one group should be more alike than models of different groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resi.groundings.base import PUBLISHED, Experiment, Grounding, Item, Models, Score, Similarities
from resi.groundings.group_resampling import intervals, p_values
from resi.groundings.separation import average_precision, expected_average_precision, pair_index, violation_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.groundings.base import Mask
    from resi.groundings.separation import Split

CHANCE_OF_VIOLATION = 0.5


class GroupSeparation(Grounding):
    """Scores how well a measure tells pairs within a group from pairs across groups.

    For each group, pairs of two of its models should be more similar than pairs of one of its models with another
    group's. ``auprc`` is the average precision of finding the former by their similarity, ``violation_rate`` the share
    of combinations of one pair of either kind that are in the wrong order; both are means over groups.
    """

    metrics = ("auprc", "violation_rate")
    headline = "auprc"
    kind = "settings"

    def plan(self, models: Models) -> list[Experiment]:
        """Return one experiment: every setting's models, at their last layer before the output."""
        settings = models.domain.settings(self.name, models.groups)
        probe = models.probe(settings[0], self.name)
        items = tuple(
            Item(models.spec(setting, seed), probe.layers[-1], setting) for setting in settings for seed in models.seeds
        )
        return [Experiment(self.name, models.domain.name, models.dataset.name, models.architecture, items, probe)]

    def score(self, similarities: Similarities, protocol: str, seed: int) -> Sequence[Score]:
        """Return AUPRC and violation rate of every measure."""
        groups = np.array([member.setting for member in similarities.members])
        signed = similarities.signed(protocol)
        indices = [pair_index(groups == group) for group in similarities.settings]
        splits = [index.split(signed) for index in indices]
        ties = 1.0 if protocol == PUBLISHED else 0.5
        values = {
            "auprc": np.mean([average_precision(split) for split in splits], axis=0),
            "violation_rate": np.mean([violation_rate(split, ties) for split in splits], axis=0),
        }
        chance = np.mean([expected_average_precision(split) for split in splits], axis=0)
        bounds = {} if protocol == PUBLISHED else intervals(signed, groups, indices, seed)
        p = {} if protocol == PUBLISHED else p_values(signed, groups, values, seed)
        scores = []
        for number, measure in enumerate(similarities.measures):
            used = _pairs_used(groups, both_directions=protocol == PUBLISHED and not measure.symmetric)
            found = int(np.isfinite(signed[number][used]).sum())
            reason = _why_undefined(splits, similarities.settings, number)
            for metric in self.metrics:
                score = Score(number, metric, None, found, int(used.sum()) - found, len(groups), reason=reason)
                if not reason:
                    low, high = bounds[metric][number] if bounds else (None, None)
                    score = score._replace(
                        value=float(values[metric][number]),
                        chance=float(chance[number]) if metric == "auprc" else CHANCE_OF_VIOLATION,
                        low=low,
                        high=high,
                        p_value=float(p[metric][number]) if p else None,
                    )
                scores.append(score)
        return scores


class LabelRandomization(GroupSeparation):
    """Models trained on labels of which more or fewer are random."""

    name = "label_randomization"
    title = "models trained with more or fewer random labels"
    description = (
        "Models that were trained with the same share of random labels should be more alike than models trained with "
        "different shares: the more labels are random, the more a model has to memorise instead of generalising."
    )


class Shortcut(GroupSeparation):
    """Models trained on inputs in which a shortcut gives the label away more or less often."""

    name = "shortcut"
    title = "models trained with a shortcut that is more or less reliable"
    description = (
        "Models should be more alike where a shortcut in their training data gave the label away equally often: the "
        "more reliable it is, the more a model relies on it instead of on the content. All are probed with the same "
        "input, in which the shortcut tells nothing."
    )


class Augmentation(GroupSeparation):
    """Models trained with different amounts of augmentation."""

    name = "augmentation"
    title = "models trained with more or less augmentation"
    description = (
        "Models that saw the same amount of augmentation in training should be more alike than models that saw "
        "different amounts. On graphs, augmentation drops edges at random in every epoch."
    )


def _pairs_used(groups: np.ndarray[Any, Any], both_directions: bool) -> Mask:
    """Return which entries of a matrix of similarities make a difference; each pair once unless both directions do."""
    upper = np.triu(np.ones((len(groups), len(groups)), dtype=bool), 1)
    # Within a group the published benchmark uses one direction of an asymmetric measure, across both.
    return upper | (groups[:, None] != groups) if both_directions else upper


def _why_undefined(splits: Sequence[Split], settings: Sequence[str], measure: int) -> str:
    if len(settings) < 2:
        return f"there is only the group {settings[0]}"
    for split, setting in zip(splits, settings, strict=True):
        if np.isnan(split.within[measure]).all():
            return f"no pair of two models of {setting} has a value"
        if np.isnan(split.across[measure]).all():
            return f"no pair of a model of {setting} with one of another group has a value"
    return ""
