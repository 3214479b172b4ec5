"""Scores of every measure from a plan's comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resi import __version__
from resi.engine.execute import OK
from resi.identity import fingerprint
from resi.results.schema import SCORE_ORDER, SCORES
from resi.results.tables import table
from resi.steps.plan import SCORE_VERSION, Plan, parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from resi.measures.base import Measure


def score_measures(plan: Plan, comparisons: pl.DataFrame) -> pl.DataFrame:
    """Return the table of scores: one row per experiment, measure and metric."""
    done = comparisons.filter(status=OK)
    values = dict(zip(done["key"].to_list(), done["value"].to_list(), strict=True))
    rows = [row for measure in plan.config.measures.values() for row in _score(plan, measure, values)]
    return table(rows, SCORES, SCORE_ORDER)


def _score(plan: Plan, measure: Measure, values: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    config = plan.config
    for number, experiment in enumerate(plan.experiments):
        similarity, keys = _matrix(plan, number, measure, values)
        for score in config.test.score(experiment, similarity, type(measure), config.protocol):
            content = {"comparisons": keys, "metric": score.metric, "functional": score.functional}
            about = {"test": experiment.test, "protocol": config.protocol, "version": SCORE_VERSION}
            yield {
                **score._asdict(),
                "test": experiment.test,
                "domain": experiment.domain,
                "dataset": experiment.dataset,
                "architecture": experiment.architecture,
                "measure": measure.name,
                "parameters": parameters(measure, config.subsample),
                "protocol": config.protocol,
                "groups": len(experiment.groups),
                "models": len(experiment.models),
                "key": fingerprint({**content, **about}),
                "resi_version": __version__,
            }


def _matrix(
    plan: Plan, number: int, measure: Measure, values: Mapping[str, float]
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], list[str]]:
    """Return one experiment's values as a matrix, NaN where there is none, and the keys of its comparisons."""
    size = len(plan.experiments[number].items)
    matrix = np.full((size, size), np.nan)
    keys = []
    for comparison in plan.comparisons:
        if comparison.experiment != number or comparison.measure != measure.name:
            continue
        keys.append(comparison.key)
        value = values.get(comparison.key, np.nan)
        matrix[comparison.source, comparison.target] = value
        if measure.symmetric:
            matrix[comparison.target, comparison.source] = value
    return matrix, keys
