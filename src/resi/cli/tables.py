"""Tables for people: the scores of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi import registry
from resi.console import output, say
from resi.groundings import GROUNDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi.config import RunConfig
    from resi.groundings.base import Grounding
    from resi.pipeline import RunResult

TITLES = {
    "auprc": "AUPRC ↑",
    "violation_rate": "violations ↓",
    "spearman": "Spearman ↑",
    "pearson": "Pearson ↑",
    "kendall": "Kendall ↑",
}
COUNTS = ("groups", "models", "pairs", "failed_pairs")
SHOWN_FAILURES = 5


def print_result(config: RunConfig, result: RunResult) -> None:
    """Print the scores as a table, what failed and why, and where the shard is."""
    if result.scores.height:
        print_scores(result.scores, f"{config.test.name} on {config.dataset} ({config.protocol} protocol)")
    _say_failures(result)
    if result.comparisons.height == 0:
        say(f"stage={config.stage.value} is done")
    elif not result.scores.height:
        say(f"{result.comparisons.height} comparisons are in {result.shard}; stage=score finishes it")
    elif result.reused:
        say(f"finished before; read from {result.shard}")
    else:
        say(f"{result.count('ok')} comparisons; written to {result.shard}")


def print_scores(scores: pl.DataFrame, title: str) -> None:
    """Print one line per architecture and measure, with a column per metric; of single models nothing."""
    from rich.table import Table

    test = GROUNDINGS[scores["test"][0]]
    scores = scores.filter(pl.col("seed").is_null())
    columns = _columns(scores, test)
    labels = ["architecture", "measure", "against"] if test.functional else ["architecture", "measure"]
    table = Table(title=title, title_justify="left")
    for label in labels:
        table.add_column(label)
    for column in columns:
        table.add_column(column.title, justify="right", style="dim" if column.kind == "chance" else None)
    for count in COUNTS:
        table.add_column("failed" if count == "failed_pairs" else count, justify="right")
    previous = None
    # Insertion order of the sorted table; each group holds the metrics of one architecture and measure.
    keys = ["architecture", "measure", "parameters", "functional"]
    for (architecture, measure, given, functional), rows in scores.group_by(keys, maintain_order=True):
        by_metric = {row["metric"]: row for row in rows.iter_rows(named=True)}
        first = next(iter(by_metric.values()))
        if previous not in (None, architecture):
            table.add_section()
        previous = architecture
        names = [str(architecture), _with_parameters(str(measure), str(given)), str(functional)][: len(labels)]
        cells = [_cell(by_metric.get(column.metric, {}), column.kind) for column in columns]
        table.add_row(*names, *cells, *(str(first[count]) for count in COUNTS))
    output().print(table)


class _Column(NamedTuple):
    metric: str
    kind: str
    title: str


def _columns(scores: pl.DataFrame, test: type[Grounding]) -> list[_Column]:
    """Return the columns of numbers: each metric's value, for the one that ranks also what tells how sure it is."""
    columns = []
    for metric in test.metrics:
        columns.append(_Column(metric, "value", TITLES.get(metric, metric)))
        of_metric = scores.filter(metric=metric)
        if metric == test.headline and of_metric["low"].count():
            columns.append(_Column(metric, "interval", "95 %"))
        if metric == test.headline and of_metric["p_value"].count():
            columns.append(_Column(metric, "p_value", "p"))
        if of_metric["chance"].drop_nulls().ne(0).any():
            columns.append(_Column(metric, "chance", "chance"))
    return columns


def _cell(row: Mapping[str, Any], kind: str) -> str:
    if kind == "interval":
        return "-" if row.get("low") is None else f"{row['low']:.2f}..{row['high']:.2f}"
    number = row.get(kind)
    if number is None:
        return "undefined" if kind == "value" else "-"
    return f"{number:.4f}" if kind == "p_value" else f"{number:.3f}"


def _with_parameters(measure: str, parameters: str) -> str:
    """Return a measure's name with those of its parameters that are not at their default."""
    defaults = registry.measures().get(measure)().parameters() if measure in registry.measures() else {}
    changed = {name: value for name, value in json.loads(parameters).items() if defaults.get(name) != value}
    return f"{measure} ({', '.join(f'{name}={value}' for name, value in changed.items())})" if changed else measure


def _say_failures(result: RunResult) -> None:
    for status in ("failed", "undefined"):
        reasons = result.comparisons.filter(status=status)
        if reasons.height == 0:
            continue
        grouped = reasons.group_by("measure", "error", maintain_order=True).len().sort("len", descending=True)
        say(f"{reasons.height} comparisons {status}:")
        for measure, error, count in grouped.head(SHOWN_FAILURES).iter_rows():
            say(f"  {count} x {measure}: {error}")
        if grouped.height > SHOWN_FAILURES:
            say(f"  and {grouped.height - SHOWN_FAILURES} more reasons, in {result.shard}")
    undefined = result.scores.filter((pl.col("reason") != "") & pl.col("seed").is_null())
    for measure, reason in undefined.select("measure", "reason").unique(maintain_order=True).iter_rows():
        say(f"scores of {measure} are undefined: {reason}")
    if result.count("failed"):
        say("once the cause is mended, compare.overwrite=failed makes them again")
