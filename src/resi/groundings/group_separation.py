"""Tests by groups: models of one group should be more similar than models of different groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from resi.groundings.base import LEVEL, Experiment, Grounding, Item, Models, Score, Similarities
from resi.groundings.group_resampling import p_values, smallest_p_value, uncertainty
from resi.groundings.jackknife import FEWEST_MODELS
from resi.groundings.notes import one_number, sentence, too_few_to_tell
from resi.groundings.resampling import SMALLEST_P
from resi.groundings.separation import (
    average_precision,
    expected_average_precision,
    expected_violation_rate,
    pair_index,
    violation_rate,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from resi.choices import Protocol
    from resi.groundings.base import Mask
    from resi.groundings.group_resampling import Uncertainty
    from resi.groundings.separation import Split
else:
    from resi.lazy import numpy as np


class GroupSeparation(Grounding):
    """Scores how well a measure separates pairs within a group from pairs across groups.

    For each group, pairs within the group should be more similar than pairs of one of its models and one of another
    group. ``auprc`` is the average precision of finding the former by their similarity, ``violation_rate`` the share
    of combinations of one pair of either kind that are in the wrong order; both are means over groups.
    """

    metrics: ClassVar[Mapping[str, str]] = {
        "auprc": "average precision of finding the pairs within a group by their similarity, mean over groups; 1 is "
        "best, chance is its mean if the same values were assigned to the pairs at random",
        "violation_rate": "share of (pair within a group, pair of a member with another group) in which the latter is "
        "more similar, ties one half, mean over groups; 0 is best, chance is 0.5",
    }
    uncertainty = (
        "intervals are based on the scores with one model left out at a time; p is the share of assignments of models "
        "to groups that score at least as well"
    )
    headline = "auprc"
    kind = "settings"
    needs = ("setting", "seed")

    def plan(self, models: Models) -> list[Experiment]:
        """Return one experiment: the models of all settings, at their last layer before the output."""
        settings = models.settings(self.name)
        probe = models.probe(settings[0], self.name)
        items = tuple(Item(model, probe.layers[-1], setting) for setting in settings for model in models.of(setting))
        return [Experiment(self.name, models.domain.name, models.dataset.name, models.architecture, items, probe)]

    def score(self, similarities: Similarities, protocol: Protocol, seed: int) -> Sequence[Score]:
        """Return AUPRC and violation rate of every measure."""
        groups = np.array([member.setting for member in similarities.members])
        signed = similarities.signed(protocol)
        indices = [pair_index(groups == group) for group in similarities.settings]
        splits = [index.split(signed) for index in indices]
        ties = 1.0 if protocol.is_published else 0.5
        values = {
            "auprc": np.mean([average_precision(split) for split in splits], axis=0),
            "violation_rate": np.mean([violation_rate(split, ties) for split in splits], axis=0),
        }
        chance = {
            "auprc": np.mean([expected_average_precision(split) for split in splits], axis=0),
            "violation_rate": np.mean([expected_violation_rate(split, ties) for split in splits], axis=0),
        }
        corrected = not protocol.is_published
        uncertain = uncertainty(signed, groups, indices, values) if corrected else {}
        p = p_values(signed, groups, values, seed) if corrected else {}
        smallest = max(smallest_p_value(groups), SMALLEST_P)
        scores = []
        for number, measure in enumerate(similarities.measures):
            used = _pairs_used(groups, both_directions=not corrected and not measure.symmetric)
            found = int(np.isfinite(signed[number][used]).sum())
            reason = _why_undefined(splits, similarities.settings, number)
            for metric in self.metrics:
                score = Score(number, metric, None, found, int(used.sum()) - found, len(groups), reason=reason)
                if not reason:
                    score = score._replace(
                        value=float(values[metric][number]),
                        chance=float(chance[metric][number]),
                        note=sentence(measure.notes, one_number(signed[number][used])),
                    )
                if not reason and corrected:
                    score = _with_uncertainty(score, uncertain[metric], groups)
                    score = score._replace(p_value=float(p[metric][number]), smallest_p=smallest)
                scores.append(score)
        return scores


def _with_uncertainty(score: Score, uncertain: Uncertainty, groups: np.ndarray[Any, Any]) -> Score:
    """Return a score with its interval, and notes if the interval or p-value is barely informative."""
    influence, (low, high) = uncertain.influences[score.measure], uncertain.limits[:, score.measure]
    sizes = np.unique(groups, return_counts=True)[1].tolist()
    notes = []
    if min(sizes) < FEWEST_MODELS:
        notes.append(f"no interval: a group has fewer than {FEWEST_MODELS} models")
    elif np.isnan(low):
        notes.append("no interval: with one model left out, nothing is left to score")
    else:
        score = score._replace(low=float(low), high=float(high))
    if not np.isnan(influence).any():
        score = score._replace(influences=tuple(influence.tolist()))
    if (smallest := smallest_p_value(groups)) > LEVEL:
        models = f"{len(sizes)} groups of {' and '.join(map(str, dict.fromkeys(sizes)))} models"
        notes.append(too_few_to_tell(models, smallest))
    return score._replace(note=sentence(score.note, *notes))


class LabelRandomization(GroupSeparation):
    """Models trained on labels of which more or fewer are random."""

    name = "label_randomization"
    title = "models trained with more or fewer random labels"
    description = (
        "Models that were trained with the same share of random labels should be more similar than models trained "
        "with different shares: the more labels are random, the more a model has to memorise instead of generalising."
    )


class Shortcut(GroupSeparation):
    """Models trained on inputs in which a shortcut reveals the label more or less often."""

    name = "shortcut"
    title = "models trained with a shortcut that is more or less reliable"
    description = (
        "Models should be more similar if a shortcut in their training data reveals the label equally often: the more "
        "reliable it is, the more a model relies on it instead of on the content. All are probed with the same "
        "input, in which the shortcut is uninformative."
    )


class Augmentation(GroupSeparation):
    """Models trained with different amounts of augmentation."""

    name = "augmentation"
    title = "models trained with more or less augmentation"
    description = (
        "Models that saw the same amount of augmentation in training should be more similar than models that "
        "saw different amounts. On graphs, augmentation drops edges at random in every epoch."
    )


def _pairs_used(groups: np.ndarray[Any, Any], both_directions: bool) -> Mask:
    """Return which entries of a matrix of similarities make a difference; each pair once unless both directions do."""
    upper = np.triu(np.ones((len(groups), len(groups)), dtype=bool), 1)
    # Within a group the published benchmark uses one direction of an asymmetric measure, across both.
    return upper | (groups[:, None] != groups) if both_directions else upper


def _why_undefined(splits: Sequence[Split], settings: Sequence[str], measure: int) -> str:
    if len(settings) < 2:
        return f"the only group is {settings[0]}"
    for split, setting in zip(splits, settings, strict=True):
        if np.isnan(split.within[measure]).all():
            return f"no pair of two models of {setting} has a value"
        if np.isnan(split.across[measure]).all():
            return f"no pair of a model of {setting} with one of another group has a value"
    return ""
