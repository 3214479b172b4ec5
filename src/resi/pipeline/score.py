"""Scores of every measure from a plan's comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from resi.console import say
from resi.errors import CheckpointError, UsageError
from resi.groundings.against import BETWEEN
from resi.groundings.scores import score_table
from resi.results.schema import SCORES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.errors import DatasetError
    from resi.pipeline.plan import Plan


def score_measures(plan: Plan, comparisons: pl.DataFrame) -> pl.DataFrame:
    """Return the table of scores; the plan says which settings are meant, the order of layers, and what is missing.

    Where so many published models are missing that nothing is left to score, that is said, and the table is empty.
    """
    try:
        scores = _score(plan, comparisons)
    except UsageError as error:
        if not plan.left_out:
            raise
        say(f"no scores: {error}")
        return pl.DataFrame(schema=SCORES)
    for architecture in dict.fromkeys(model.architecture for model in plan.left_out):
        text = _what_is_missing([error for model, error in plan.left_out.items() if model.architecture == architecture])
        note = pl.when(pl.col("note") == "").then(pl.lit(text)).otherwise(pl.col("note") + f"; {text}")
        is_meant = pl.col("architecture").str.split(BETWEEN).list.contains(architecture)
        scores = scores.with_columns(note=pl.when(is_meant).then(note).otherwise(pl.col("note")))
    return scores


def _score(plan: Plan, comparisons: pl.DataFrame) -> pl.DataFrame:
    return score_table(
        comparisons,
        plan.config.test.name,
        plan.config.protocol,
        settings=list(dict.fromkeys(group for experiment in plan.experiments for group in experiment.groups)),
        layers={experiment.architecture: experiment.probe.layers for experiment in plan.experiments},
        measures={name: type(measure) for name, measure in plan.config.measures.items()},
    )


def _what_is_missing(errors: Sequence[DatasetError]) -> str:
    """Return how many published models were left out, and for which of the two reasons."""
    useless = sum(isinstance(error, CheckpointError) for error in errors)
    parts = ((len(errors) - useless, "were missing"), (useless, "could not be used"))
    return "; ".join(f"the files of {count} of the published models {how}" for count, how in parts if count)
