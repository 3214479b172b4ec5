"""The test by layers: within one network, the closer two layers are, the more similar they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resi.groundings.base import PUBLISHED, Experiment, Grounding, Item, Models, Score, Similarities
from resi.groundings.correlation import correlate
from resi.groundings.resampling import interval, resampled_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.groundings.base import Member, Values

CHANCE = {"spearman": 0.0, "violation_rate": 0.5}


class LayerMonotonicity(Grounding):
    """Scores whether similarity falls with the distance of two layers in the network.

    From each layer, forwards and backwards, ``spearman`` correlates dissimilarity with distance, and
    ``violation_rate`` is the share of (nearer, farther) layers of which the farther one is the more similar.
    """

    name = "layer_monotonicity"
    title = "closer layers are more similar"
    description = (
        "Layers of one network build on each other, so that a layer should be the less similar to another the more "
        "layers lie between them."
    )
    metrics = ("spearman", "violation_rate")
    headline = "spearman"
    kind = "layers"

    def plan(self, models: Models) -> list[Experiment]:
        """Return one experiment for each model: all its layers before the output."""
        (setting,) = models.domain.settings(self.name, models.groups)
        probe = models.probe(setting, self.name)
        about = self.name, models.domain.name, models.dataset.name, models.architecture
        specs = [models.spec(setting, seed) for seed in models.seeds]
        return [
            Experiment(*about, tuple(Item(spec, layer, setting) for layer in probe.layers), probe) for spec in specs
        ]

    def score(self, similarities: Similarities, protocol: str, seed: int) -> Sequence[Score]:
        """Return both scores of every measure for each model, and their means over models."""
        by_model = _models(similarities.members)
        signed = similarities.signed(protocol)
        matrices = [signed[:, places][:, :, places] for places in by_model.values()]
        values = {
            "spearman": np.stack([layer_correlation(matrix, protocol) for matrix in matrices], axis=1),
            "violation_rate": np.stack([layer_violations(matrix, protocol) for matrix in matrices], axis=1),
        }
        counts = resampled_counts(tuple(setting for setting, _ in by_model), seed)
        scores = []
        for number, measure in enumerate(similarities.measures):
            one_direction = measure.symmetric or protocol != PUBLISHED
            pairs = [_count_pairs(matrix[number], one_direction) for matrix in matrices]
            for metric in self.metrics:
                found = values[metric][number]
                parts = [
                    _score(number, metric, value, [count], setting, seed)
                    for value, count, (setting, seed) in zip(found, pairs, by_model, strict=True)
                ]
                mean = _score(number, metric, float(_mean(found)), pairs, similarities.settings[0], None)
                if protocol != PUBLISHED and mean.value is not None:
                    low, high = interval(_resampled_means(found, counts), int((~np.isnan(found)).sum()))
                    mean = mean._replace(low=low, high=high)
                scores += [*parts, mean]
        return scores


def layer_violations(signed: Values, protocol: str) -> Values:
    """Return the share of wrongly ordered triples: of layers i, j, k in order, k is more similar to i than j is.

    Triples run forwards and backwards. Unless the protocol is the published one, ties count one half and triples
    without a value are left out; there, neither is a violation.

    Parameters
    ----------
    signed : array of shape (..., n_layers, n_layers)
        Larger is more similar; NaN where there is no value.

    Returns
    -------
    array of shape (...)
        NaN where there are no triples.
    """
    layers = np.arange(signed.shape[-1])
    i, j, k = (index.ravel() for index in np.meshgrid(layers, layers, layers, indexing="ij"))
    ordered = ((i < j) & (j < k)) | ((i > j) & (j > k))
    i, j, k = i[ordered], j[ordered], k[ordered]
    near, far = signed[..., i, j], signed[..., i, k]
    wrong = (far > near).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if protocol == PUBLISHED:
            return wrong / np.float64(len(i))
        known = (~np.isnan(near) & ~np.isnan(far)).sum(axis=-1)
        return (wrong + (far == near).sum(axis=-1) / 2) / known


def layer_correlation(signed: Values, protocol: str) -> Values:
    """Return the mean Spearman correlation, over layers and both directions, of dissimilarity with distance.

    A layer takes part in a direction where at least two layers lie. Unless the protocol is the published one, missing
    values are left out, and a layer to which all others are equally similar counts 0; there, either layer is left out.

    Parameters
    ----------
    signed : array of shape (n, n_layers, n_layers)

    Returns
    -------
    array of shape (n,)
        NaN where nothing could be correlated.
    """
    size = signed.shape[-1]
    rows = []
    for layer in range(size):
        for targets in (np.arange(layer + 1, size), np.arange(layer - 1, -1, -1)):
            if len(targets) > 1:
                rows.append(_correlate_with_order(-signed[:, layer, targets], protocol))
    return _mean(np.array(rows).reshape(len(rows), len(signed)).T)


def _correlate_with_order(dissimilar: Values, protocol: str) -> Values:
    """Return the Spearman correlation of each row with 1, 2, 3, ..."""
    order = np.arange(dissimilar.shape[1], dtype=float)
    found = np.full(len(dissimilar), np.nan)
    known = ~np.isnan(dissimilar)
    whole = known.all(axis=1)
    if whole.any():
        found[whole] = correlate(dissimilar[whole], order[None], "spearman")[:, 0]
    if protocol == PUBLISHED:
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


def _resampled_means(values: Values, counts: Values) -> Values:
    """Return the mean over models for each resample; models without a value are left out."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return counts[:, known] @ values[known] / counts[:, known].sum(axis=1)


def _mean(values: Values) -> Values:
    """Return the mean over the last axis without NaN; NaN where nothing is left."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known, values, 0).sum(axis=-1) / known.sum(axis=-1)
