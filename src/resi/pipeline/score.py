"""Scores of every measure from a plan's comparisons."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from resi.groundings.against import BETWEEN
from resi.groundings.scores import score_table

if TYPE_CHECKING:
    from resi.pipeline.plan import Plan


def score_measures(plan: Plan, comparisons: pl.DataFrame) -> pl.DataFrame:
    """Return the table of scores; the plan says which settings are meant, the order of layers, and what is missing."""
    scores = score_table(
        comparisons,
        plan.config.test.name,
        plan.config.protocol,
        settings=list(dict.fromkeys(group for experiment in plan.experiments for group in experiment.groups)),
        layers={experiment.architecture: experiment.probe.layers for experiment in plan.experiments},
        measures={name: type(measure) for name, measure in plan.config.measures.items()},
    )
    for architecture, count in Counter(model.architecture for model in plan.left_out).items():
        text = f"the files of {count} of the published models were missing"
        note = pl.when(pl.col("note") == "").then(pl.lit(text)).otherwise(pl.col("note") + f"; {text}")
        is_meant = pl.col("architecture").str.split(BETWEEN).list.contains(architecture)
        scores = scores.with_columns(note=pl.when(is_meant).then(note).otherwise(pl.col("note")))
    return scores
