"""Tests by prediction: models with more similar predictions should have more similar representations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from resi.groundings.base import LEVEL, Experiment, Grounding, Item, Models, Score, Similarities
from resi.groundings.correlation import correlate, weighted_correlations
from resi.groundings.jackknife import Scale, influences, limits, normal_quantile, standard_errors
from resi.groundings.notes import sentence, too_few_to_tell
from resi.groundings.resampling import SMALLEST_P, relabellings, share_as_large
from resi.groundings.ties import merge_ties

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np

    from resi.choices import Protocol
    from resi.groundings.base import Mask, Values
    from resi.groundings.resampling import Integers
else:
    from resi.lazy import numpy as np


# With fewer models, leaving one out leaves almost nothing to correlate.
FEWEST_MODELS = 5


class PredictionCorrelation(Grounding):
    """Correlates, over pairs of models, the dissimilarity of representations with the difference of predictions.

    Positive correlations are good, whether a measure's large values mean similar or dissimilar.
    """

    metrics: ClassVar[Mapping[str, str]] = {
        "spearman": "rank correlation, over pairs of models, of dissimilarity with the difference of outputs; 1 is "
        "best, chance is 0",
        "pearson": "linear correlation of the two",
        "kendall": "Kendall's tau-b of the two",
    }
    uncertainty = (
        "intervals are based on the correlations with one model left out at a time; p is the share of permutations of "
        "the models that correlate at least as well (Mantel test)"
    )
    headline = "spearman"
    kind = "seeds"
    seeds = tuple(range(10))

    def plan(self, models: Models) -> list[Experiment]:
        """Return one experiment per setting: models that differ only in their seed, at their last layer."""
        about = self.name, models.domain.name, models.dataset.name, models.architecture
        experiments = []
        for setting in models.settings(self.name):
            probe = models.probe(setting, self.name)
            items = tuple(Item(model, probe.layers[-1], setting) for model in models.of(setting))
            experiments.append(Experiment(*about, items, probe, self.functional))
        return experiments

    def score(self, similarities: Similarities, protocol: Protocol, seed: int) -> Sequence[Score]:
        """Return the correlations of every measure with every function of outputs."""
        dissimilar = -similarities.signed(protocol)
        return [
            score
            for functional in self.functional
            if functional in similarities.functional
            for predictions in [similarities.functional[functional]]
            for part in _parts(similarities, dissimilar, _without_rounding(predictions, protocol), protocol)
            for coefficient in self.metrics
            for score in _score_part(part, similarities, functional, coefficient, protocol, seed)
        ]


def _without_rounding(predictions: Values, protocol: Protocol) -> Values:
    """Return differences of predictions, in [0, 1], with values that differ only by rounding made equal.

    Differences of accuracies that are whole numbers of samples often do.
    """
    return predictions if protocol.is_published else merge_ties(predictions, scale=1.0)


class AccuracyCorrelation(PredictionCorrelation):
    """Similarities against differences of accuracy."""

    name = "accuracy_correlation"
    title = "correlation with differences of accuracy"
    description = (
        "Among models that differ only in their seed, those whose accuracies differ more should have less "
        "similar representations."
    )
    functional = ("accuracy_difference",)
    needs = ("accuracy",)


class OutputCorrelation(PredictionCorrelation):
    """Similarities against differences of predictions."""

    name = "output_correlation"
    title = "correlation with differences of predictions"
    description = (
        "Among models that differ only in their seed, those that predict more differently should have less "
        "similar representations. Differences of predictions are the mean Jensen-Shannon divergence of the predicted "
        "probabilities (jsd) and the share of samples with different predicted classes (disagreement)."
    )
    functional = ("jsd", "disagreement")
    needs = ("logits",)


class _Part(NamedTuple):
    """Measures that have values for the same pairs of models.

    Attributes
    ----------
    measures : integer array of shape (n_measures,)
        Their numbers.
    pairs : integer array of shape (2, n_pairs)
        The models of each pair with a value on either side.
    x, y : array of shape (n_measures, n_pairs), (n_pairs,)
        Dissimilarity of the pairs' representations, and of their predictions.
    predictions : array of shape (n, n)
        Dissimilarity of predictions for all pairs of models.
    expected : int
        Number of pairs if none had failed.
    """

    measures: Integers
    pairs: Integers
    x: Values
    y: Values
    predictions: Values
    expected: int


def _parts(similarities: Similarities, dissimilar: Values, predictions: Values, protocol: Protocol) -> Iterator[_Part]:
    size = len(similarities.members)
    upper = np.triu(np.ones((size, size), dtype=bool), 1)
    masks: dict[bytes, list[int]] = {}
    for number, measure in enumerate(similarities.measures):
        # The published benchmark uses both directions of an asymmetric measure, as separate pairs.
        used = upper if measure.symmetric or not protocol.is_published else upper | upper.T
        valid = used & ~np.isnan(dissimilar[number]) & ~np.isnan(predictions)
        masks.setdefault(used.tobytes() + valid.tobytes(), []).append(number)
    for mask, numbers in masks.items():
        used, valid = np.frombuffer(mask, dtype=bool).reshape(2, size, size)
        pairs = np.stack(np.nonzero(valid))
        x = dissimilar[numbers][:, *pairs]
        yield _Part(np.array(numbers), pairs, x, predictions[*pairs], predictions, int(used.sum()))


def _score_part(
    part: _Part, similarities: Similarities, functional: str, coefficient: str, protocol: Protocol, seed: int
) -> Iterator[Score]:
    models = len(similarities.members)
    found = part.pairs.shape[1]
    values = correlate(part.x, part.y[None], coefficient)[:, 0] if found > 1 else np.full(len(part.x), np.nan)
    defined = ~np.isnan(values)
    p_values = np.full(len(part.x), np.nan)
    ends = np.full((2, len(part.x)), np.nan)
    shares = np.full((len(part.x), models), np.nan)  # of each model in a score's uncertainty
    smallest = _smallest_p_value(part, protocol)
    if defined.any():
        if protocol.is_published:
            p_values[defined] = _p_values_of_pairs(part, values, coefficient, seed)[defined]
        else:
            p_values[defined] = _p_values_of_models(part, values, coefficient, seed)[defined]
            shares, ends = uncertainty(part.x, part.y, part.pairs, models, coefficient)
    for row, number in enumerate(part.measures):
        score = Score(int(number), coefficient, None, found, part.expected - found, models, functional=functional)
        score = score._replace(setting=similarities.settings[0])
        if not defined[row]:
            yield score._replace(reason=_why_undefined(part, row, functional))
            continue
        score = score._replace(value=float(values[row]), chance=0.0, note=similarities.measures[number].notes)
        if not np.isnan(p_values[row]):
            score = score._replace(p_value=float(p_values[row]), smallest_p=smallest)
        if not protocol.is_published:
            score = _with_interval(score, ends[:, row], shares[row])
        yield score


def _with_interval(score: Score, ends: Values, shares: Values) -> Score:
    """Return a score with its interval and influences, and notes on what could not be computed."""
    models = score.models
    notes = []
    if models < FEWEST_MODELS:
        notes.append(f"no interval: fewer than {FEWEST_MODELS} models")
    elif np.isnan(ends).any():
        notes.append("no interval: with one model left out, nothing is left to correlate")
    else:
        score = score._replace(low=float(ends[0]), high=float(ends[1]))
    if score.p_value is None:
        notes.append(f"no p-value: some pairs of models have no {score.functional}")
    elif (smallest := score.smallest_p) is not None and smallest > LEVEL:
        notes.append(too_few_to_tell(f"{models} models", smallest))
    known = () if np.isnan(shares).any() else tuple(shares.tolist())
    return score._replace(note=sentence(score.note, *notes), influences=known)


def uncertainty(x: Values, y: Values, pairs: Integers, models: int, coefficient: str) -> tuple[Values, Values]:
    """Return each model's contribution to the uncertainty of correlations, and 95 % limits, from leave-one-out values.

    Parameters
    ----------
    x : array of shape (n_measures, n_pairs)
    y : array of shape (n_pairs,)
    pairs : integer array of shape (2, n_pairs)
        The models of each pair.
    models : int
        How many there are.

    Returns
    -------
    influences : array of shape (n_measures, n_models)
        See :func:`.jackknife.influences`; NaN where nothing is left to correlate without a model.
    limits : array of shape (2, n_measures)
        NaN where an influence is, and with fewer than five models.
    """
    kept = 1 - np.eye(models)
    weights = np.concatenate([np.ones((1, models)), kept])
    found = weighted_correlations(x, y, weights[:, pairs[0]] * weights[:, pairs[1]], coefficient)
    shares = influences(found[:, 1:], np.zeros(models))
    if models < FEWEST_MODELS:
        return shares, np.full((2, len(x)), np.nan)
    return shares, limits(found[:, 0], standard_errors(shares), _scale(models, coefficient))


def _scale(models: int, coefficient: str) -> Scale:
    """Return the scale of the limits of a correlation over pairs of a number of models.

    A correlation of 1 has the lower limit that it would have if a pair of each model changed places with the next one
    in the order of all pairs: a fixed number of steps of a rank correlation.

    Where representations and predictions have little to do with each other, pairs that share a model are hardly more
    alike in it than others, and leaving models out overestimates the error: by a factor of up to the root of two, of
    five models of three. Hence the normal quantile, and not that of the t distribution.
    """
    pairs = models * (models - 1) / 2
    if coefficient == "kendall":
        floor = 4 * models / (pairs * (pairs - 1))
    else:
        floor = 12 * models / (pairs * (pairs**2 - 1))
    return Scale(1.0, -1.0, normal_quantile(), floor)


def _p_values_of_models(part: _Part, values: Values, coefficient: str, seed: int) -> Values:
    """Return one-sided p-values of the Mantel test, which permutes the models of one of the two matrices.

    NaN if some pairs of models lack the function of outputs: a permutation would move the missing entries.

    References
    ----------
    .. [1] Mantel, The detection of disease clustering and a generalized regression approach, Cancer Research 1967.
    """
    alive = _with_predictions(part)
    kept = part.predictions[np.ix_(alive, alive)]
    if np.isnan(kept[np.triu_indices(len(kept), 1)]).any():
        return np.full(len(values), np.nan)
    first, second = (np.cumsum(alive) - 1)[part.pairs]
    found = relabellings(len(kept), seed, "permute models")
    kept = _order(kept, coefficient)
    null = correlate(part.x, kept[found.orders[:, first], found.orders[:, second]], coefficient)
    return share_as_large(values, null, found.exact)


def _with_predictions(part: _Part) -> Mask:
    """Return which models have the function of outputs with at least one other model."""
    off_diagonal = part.predictions.copy()
    np.fill_diagonal(off_diagonal, np.nan)
    return np.asarray(~np.isnan(off_diagonal).all(axis=1))


def _smallest_p_value(part: _Part, protocol: Protocol) -> float:
    """Return the p-value of a correlation that no other permutation reaches."""
    if protocol.is_published:
        return min(1.0, 2 * max(1 / math.factorial(len(part.y)), SMALLEST_P))
    return max(1 / math.factorial(int(_with_predictions(part).sum())), SMALLEST_P)


def _p_values_of_pairs(part: _Part, values: Values, coefficient: str, seed: int) -> Values:
    """Return two-sided p-values of permuting pairs, as if these did not share models."""
    found = relabellings(len(part.y), seed, "permute pairs")
    null = correlate(part.x, _order(part.y, coefficient)[found.orders], coefficient)
    larger, smaller = share_as_large(values, null, found.exact), share_as_large(-values, -null, found.exact)
    return np.minimum(1, 2 * np.minimum(larger, smaller))


def _order(values: Values, coefficient: str) -> np.ndarray[Any, Any]:
    """Return small integers in the order of the values, which are faster, if the coefficient only needs ranks."""
    if coefficient == "pearson":
        return values
    order = np.unique(values, return_inverse=True)[1].reshape(values.shape)
    return order.astype(np.int16 if values.size < 2**15 else np.int32)


def _why_undefined(part: _Part, row: int, functional: str) -> str:
    if part.pairs.shape[1] < 2:
        return "fewer than two pairs of models have values"
    if np.all(part.x[row] == part.x[row][0]):
        return "all pairs of models have the same similarity"
    return f"all pairs of models have the same {functional}"
