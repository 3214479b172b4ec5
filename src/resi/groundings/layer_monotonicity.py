"""The test by layers: within one network, the closer two layers are, the more similar they should be."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar

from resi.choices import Protocol
from resi.groundings.base import LEVEL, Experiment, Grounding, Item, Models, Score, Similarities
from resi.groundings.correlation import correlate
from resi.groundings.jackknife import FEWEST_MODELS, Scale, limits, normal_quantile, t_quantile
from resi.groundings.layer_orders import FEWEST_LAYERS, nulls, p_values, p_values_of_means, smallest_p_value
from resi.groundings.notes import one_number, sentence, too_few_to_tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from resi.groundings.base import Member, Values
else:
    from resi.lazy import numpy as np

CHANCE = {"spearman": 0.0, "violation_rate": 0.5}
BEST = {"spearman": 1.0, "violation_rate": 0.0}
WORST = {"spearman": -1.0, "violation_rate": 1.0}
# With so few layers, a swap of two neighbours is a large part of the score, and intervals are wide anyway.
FEW_LAYERS = 4


class LayerMonotonicity(Grounding):
    """Scores whether similarity falls with the distance of two layers in the network.

    From each layer, forwards and backwards, ``spearman`` correlates dissimilarity with distance, and
    ``violation_rate`` is the share of (nearer, farther) pairs of layers in which the farther one is more similar.
    """

    name = "layer_monotonicity"
    title = "closer layers are more similar"
    description = (
        "Layers of one network build on each other, so a layer should be less similar to another the more layers lie "
        "between them."
    )
    metrics: ClassVar[Mapping[str, str]] = {
        "spearman": "rank correlation of dissimilarity with the number of layers between, mean over layers, both "
        "directions and models; 1 is best, chance is 0",
        "violation_rate": "share of (nearer, farther) layers as seen from a third, in which the farther one is more "
        "similar, ties one half; 0 is best, chance is 0.5",
    }
    uncertainty = (
        "intervals are based on how much models differ; p is the share of orders of each model's layers that score at "
        "least as well"
    )
    headline = "spearman"
    kind = "layers"
    needs = ("layer",)

    def plan(self, models: Models) -> list[Experiment]:
        """Return one experiment for each model: all its layers before the output."""
        about = self.name, models.domain.name, models.dataset.name, models.architecture
        experiments = []
        for setting in models.settings(self.name):
            probe = models.probe(setting, self.name)
            for model in models.of(setting):
                layers = models.domain.layers_of(model, probe.layers)
                items = tuple(Item(model, layer, setting) for layer in layers)
                experiments.append(Experiment(*about, items, probe))
        return experiments

    def score(self, similarities: Similarities, protocol: Protocol, seed: int) -> Sequence[Score]:
        """Return both scores of every measure for each model, and their means over models."""
        by_model = _models(similarities.members)
        signed = similarities.signed(protocol)
        matrices = [signed[:, places][:, :, places] for places in by_model.values()]
        values = {
            "spearman": np.stack([layer_correlation(matrix, protocol) for matrix in matrices], axis=1),
            "violation_rate": np.stack([layer_violations(matrix, protocol) for matrix in matrices], axis=1),
        }
        p = _p_values(matrices, values, seed) if not protocol.is_published else {}
        sizes = [matrix.shape[-1] for matrix in matrices]
        scores = []
        for number, measure in enumerate(similarities.measures):
            one_direction = measure.symmetric or not protocol.is_published
            pairs = [_count_pairs(matrix[number], one_direction) for matrix in matrices]
            constant = [one_number(matrix[number]) for matrix in matrices]
            for metric in self.metrics:
                found = values[metric][number]
                parts = [
                    _score(number, metric, value, [count], setting, seed)._replace(note=note)
                    for value, count, note, (setting, seed) in zip(found, pairs, constant, by_model, strict=True)
                ]
                mean = _score(number, metric, float(_mean(found)), pairs, similarities.settings[0], None)
                mean = mean._replace(note=sentence(measure.notes, constant[0] if all(constant) else ""))
                if not protocol.is_published and mean.value is not None:
                    mean = _with_interval(mean, found, max(sizes))
                scores += _with_p_values([*parts, mean], p[metric][number], sizes) if p else [*parts, mean]
        return scores


def layer_violations(signed: Values, protocol: Protocol) -> Values:
    """Return the share of wrongly ordered triples: of layers i, j, k in order, k is more similar to i than j is.

    Triples run forwards and backwards. Unless the protocol is the published one, ties count one half and triples
    without a value are left out; there, neither is a violation.

    Parameters
    ----------
    signed : array of shape (..., n_layers, n_layers)
        Larger is more similar; NaN for a missing value.

    Returns
    -------
    array of shape (...)
        NaN if there are no triples.
    """
    layers = np.arange(signed.shape[-1])
    i, j, k = (index.ravel() for index in np.meshgrid(layers, layers, layers, indexing="ij"))
    ordered = ((i < j) & (j < k)) | ((i > j) & (j > k))
    i, j, k = i[ordered], j[ordered], k[ordered]
    near, far = signed[..., i, j], signed[..., i, k]
    wrong = (far > near).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if protocol.is_published:
            return wrong / np.float64(len(i))
        known = (~np.isnan(near) & ~np.isnan(far)).sum(axis=-1)
        return (wrong + (far == near).sum(axis=-1) / 2) / known


def layer_correlation(signed: Values, protocol: Protocol) -> Values:
    """Return the mean Spearman correlation, over layers and both directions, of dissimilarity with distance.

    A layer takes part in a direction where at least two layers lie. Unless the protocol is the published one, missing
    values are left out, and a layer to which all others are equally similar counts 0; there, either layer is left out.

    Parameters
    ----------
    signed : array of shape (n, n_layers, n_layers)

    Returns
    -------
    array of shape (n,)
        NaN if nothing could be correlated.
    """
    size = signed.shape[-1]
    rows = []
    for layer in range(size):
        for targets in (np.arange(layer + 1, size), np.arange(layer - 1, -1, -1)):
            if len(targets) > 1:
                rows.append(_correlate_with_order(-signed[:, layer, targets], protocol))
    return _mean(np.array(rows).reshape(len(rows), len(signed)).T)


def _correlate_with_order(dissimilar: Values, protocol: Protocol) -> Values:
    """Return the Spearman correlation of each row with 1, 2, 3, ..."""
    order = np.arange(dissimilar.shape[1], dtype=float)
    found = np.full(len(dissimilar), np.nan)
    known = ~np.isnan(dissimilar)
    whole = known.all(axis=1)
    if whole.any():
        found[whole] = correlate(dissimilar[whole], order[None], "spearman")[:, 0]
    if protocol.is_published:
        return found
    for row in np.flatnonzero(~whole & (known.sum(axis=1) > 1)):
        kept = known[row]
        found[row] = correlate(dissimilar[row, kept][None], order[kept][None], "spearman")[0, 0]
    return np.where(np.isnan(found) & (known.sum(axis=1) > 1), 0, found)


def _models(members: Sequence[Member]) -> dict[tuple[str, int], list[int]]:
    """Return the places of each model's layers, in order."""
    places: dict[tuple[str, int], list[int]] = {}
    for place, member in enumerate(members):
        places.setdefault((member.setting, member.seed), []).append(place)
    return places


def _count_pairs(matrix: Values, one_direction: bool) -> tuple[int, int]:
    """Return how many pairs of layers have a value, and how many lack one."""
    used = np.triu(np.ones(matrix.shape, dtype=bool), 1)
    used = used if one_direction else used | used.T
    found = int((~np.isnan(matrix[used])).sum())
    return found, int(used.sum()) - found


def _score(
    number: int, metric: str, value: float, pairs: Sequence[tuple[int, int]], setting: str, seed: int | None
) -> Score:
    found, failed = (sum(count[side] for count in pairs) for side in (0, 1))
    score = Score(number, metric, None, found, failed, len(pairs), setting=setting, seed=seed)
    if np.isnan(value):
        return score._replace(reason="no layer can be compared with two others")
    return score._replace(value=float(value), chance=CHANCE[metric])


def _p_values(matrices: Sequence[Values], values: Mapping[str, Values], seed: int) -> dict[str, Values]:
    """Return for each metric the p-values of every measure's scores, of each model and last of their mean."""
    null = nulls(matrices, seed)
    found = {}
    for metric, scores in (("spearman", null.spearman), ("violation_rate", null.violations)):
        sign = 1.0 if BEST[metric] > WORST[metric] else -1.0
        good, others = sign * values[metric], [sign * score for score in scores]
        mean = p_values_of_means(good, others, null.exact, seed)
        found[metric] = np.column_stack([p_values(good, others, null.exact), mean])
    return found


def _with_p_values(scores: Sequence[Score], shares: Values, layers: Sequence[int]) -> list[Score]:
    """Return the scores of each model, and last their mean, with p-values or why these are missing or large."""
    found = []
    for score, share, of in zip(scores, shares, [*([count] for count in layers), layers], strict=True):
        if score.value is None:
            found.append(score)
        elif np.isnan(share):
            found.append(score._replace(note=sentence(score.note, "no p-value: some pairs of layers have no value")))
        else:
            smallest = smallest_p_value(of)
            few = too_few_to_tell("so few layers", smallest) if smallest > LEVEL else ""
            note = sentence(score.note, few)
            found.append(score._replace(p_value=float(share), smallest_p=smallest, note=note))
    return found


def _with_interval(mean: Score, values: Values, layers: int) -> Score:
    """Return the mean score with its interval over models, and the contribution of each to its uncertainty."""
    known = values[~np.isnan(values)]
    count = len(known)
    if count < FEWEST_MODELS:
        return mean._replace(note=sentence(mean.note, f"no interval: fewer than {FEWEST_MODELS} models have a score"))
    low, high = limits_of_mean(known, layers, mean.metric)
    influences = np.where(np.isnan(values), 0, values - known.mean()) / np.sqrt(count * (count - 1))
    return mean._replace(low=float(low), high=float(high), influences=tuple(influences.tolist()))


def limits_of_mean(values: Values, layers: int, metric: str) -> Values:
    """Return the 95 % limits of mean scores over models, by Student's t distribution.

    Parameters
    ----------
    values : array of shape (..., n_models)
    layers : int
        Of each model.

    Returns
    -------
    array of shape (2, ...)
    """
    count = values.shape[-1]
    errors = np.std(values, axis=-1, ddof=1) / np.sqrt(count)
    # Of a mean in which one model differs from all others by so much.
    error, quantile = _harm_of_a_swap(layers, metric) / count, t_quantile(count - 1)
    # A layer with two others on one side correlates with 1 or -1: the mean of few such moves in jumps.
    jump = normal_quantile() * error if metric == "spearman" else 0.0
    least = jump / 2 if layers <= FEW_LAYERS else jump
    # Of three layers, two can be in order or not: the mean is a share, and its error is no further unknown.
    times = normal_quantile() if layers == FEWEST_LAYERS else quantile
    scale = Scale(BEST[metric], WORST[metric], times, quantile * error, least)
    return limits(values.mean(axis=-1), errors, scale)


@functools.lru_cache(maxsize=64)
def _harm_of_a_swap(layers: int, metric: str) -> float:
    """Return the largest drop of a perfect score if two neighbouring layers are swapped."""
    score = layer_correlation if metric == "spearman" else layer_violations
    place = np.arange(layers)
    swapped = np.tile(place, (layers - 1, 1))
    swapped[place[:-1], place[:-1]], swapped[place[:-1], place[1:]] = place[1:], place[:-1]
    fading = -np.abs(swapped[:, :, None] - swapped[:, None]).astype(float)
    return float(np.abs(BEST[metric] - score(fading, Protocol.corrected)).max())


def _mean(values: Values) -> Values:
    """Return the mean over the last axis without NaN; NaN where nothing is left."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known, values, 0).sum(axis=-1) / known.sum(axis=-1)
