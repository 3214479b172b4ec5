"""Scores of every measure from a plan's comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.results.scoring import score_table

if TYPE_CHECKING:
    import polars as pl

    from resi.steps.plan import Plan


def score_measures(plan: Plan, comparisons: pl.DataFrame) -> pl.DataFrame:
    """Return the table of scores; the plan says which settings are meant, and the order of layers."""
    return score_table(
        comparisons,
        plan.config.test.name,
        plan.config.protocol,
        settings=list(dict.fromkeys(group for experiment in plan.experiments for group in experiment.groups)),
        layers={experiment.architecture: experiment.probe.layers for experiment in plan.experiments},
    )
