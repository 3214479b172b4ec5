"""Scores as lines of text, for the page of ``resi report`` and the files of ``--tables``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi.groundings import SCORED
from resi.groundings.corrections import p_title
from resi.groundings.readable import TITLES, with_designs
from resi.registry.labels import measure_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi.groundings.base import Grounding

COUNTS = ("groups", "models", "pairs", "failed_pairs")
# What a line is about; each line holds its scores by all metrics.
LINE = ["architecture", "measure", "parameters", "functional", "setting", "groups", "models", "compared"]


class Column(NamedTuple):
    """A column of numbers: a metric's ``value``, or its ``interval``, ``p_value``, ``smallest_p`` or ``chance``."""

    metric: str
    kind: str
    title: str


class Line(NamedTuple):
    """The scores of one measure on one architecture, a text for each column."""

    labels: list[str]
    cells: list[str]
    counts: list[str]


class ScoreTable(NamedTuple):
    """Lines in the order of their scores, with headings."""

    labels: list[str]
    columns: list[Column]
    counts: list[str]
    lines: list[Line]


def score_lines(scores: pl.DataFrame) -> ScoreTable:
    """Return one line for each measure on the same models, with a column per metric, without scores of single models.

    Lines with the same labels differ in what the heading of the table states, see ``TABLE`` in
    :mod:`resi.report.sections`.

    Parameters
    ----------
    scores : DataFrame
        Of one test, with the columns :data:`resi.results.schema.SCORES`.
    """
    test = SCORED[scores["test"][0]]
    scores = with_designs(without_nan(scores).filter(pl.col("seed").is_null()), "groups")
    columns = _columns(scores, test)
    has_settings = bool((scores["setting"].fill_null("") != "").any())
    labels = ["architecture", *["setting"] * has_settings, "measure", *["against"] * bool(test.functional)]
    lines = []
    # Runs may differ in something without a column and then cannot be distinguished: each score has its own line.
    several = pl.when(pl.struct(*LINE, "metric").is_duplicated()).then("key").alias("alone")
    for names, rows in scores.group_by([*LINE, several], maintain_order=True):
        by_metric = {row["metric"]: row for row in rows.iter_rows(named=True)}
        first = next(iter(by_metric.values()))
        architecture, measure, parameters, functional, setting = (str(name or "") for name in names[:5])
        architecture += f" ({first['design']})" if first["design"] else ""
        label = measure_label(measure, parameters or "{}")
        about = {"architecture": architecture, "setting": setting, "measure": label, "against": functional}
        texts = [about[name] for name in labels]
        cells = [_cell(by_metric.get(column.metric, {}), column.kind) for column in columns]
        lines.append(Line(texts, cells, [str(first[count]) for count in COUNTS]))
    counts = ["failed" if count == "failed_pairs" else count for count in COUNTS]
    return ScoreTable(labels, columns, counts, lines)


def without_nan(scores: pl.DataFrame) -> pl.DataFrame:
    """Return scores with null in place of NaN, which tables from elsewhere may hold."""
    return scores.with_columns(pl.col(pl.Float64).fill_nan(None))


def interval_text(low: float | None, high: float | None) -> str:
    """Return an interval as text, ``-`` where there is none."""
    return "-" if low is None or high is None else f"{low:.2f}..{high:.2f}"


def _columns(scores: pl.DataFrame, test: type[Grounding]) -> list[Column]:
    """Return the columns of numbers: each metric's value; for the one that ranks, also its uncertainty."""
    columns = []
    for metric in test.metrics:
        columns.append(Column(metric, "value", TITLES.get(metric, metric)))
        of_metric = scores.filter(metric=metric)
        if metric == test.headline and of_metric["low"].count():
            columns.append(Column(metric, "interval", "95 %"))
        if metric == test.headline and of_metric["p_value"].count():
            columns.append(Column(metric, "p_value", p_title(of_metric.iter_rows(named=True))))
            columns.append(Column(metric, "smallest_p", "least p"))
        if of_metric["chance"].drop_nulls().ne(0).any():
            columns.append(Column(metric, "chance", "chance"))
    return columns


def _cell(row: Mapping[str, Any], kind: str) -> str:
    if kind == "interval":
        return interval_text(row.get("low"), row.get("high"))
    number = row.get(kind)
    if number is None:
        return "undefined" if kind == "value" and row else "-"
    return f"{number:.4f}" if kind in ("p_value", "smallest_p") else f"{number:.3f}"
