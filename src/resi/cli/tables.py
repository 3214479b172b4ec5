"""Tables for people: the scores of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from resi import registry
from resi.console import output, say
from resi.results.schema import SCORE_ORDER

if TYPE_CHECKING:
    import polars as pl

    from resi.config import RunConfig
    from resi.pipeline import RunResult

ARROWS = {"auprc": "AUPRC ↑", "violation_rate": "violations ↓"}
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
    """Print one line per architecture and measure, with a column per metric."""
    from rich.table import Table

    metrics = list(dict.fromkeys(scores["metric"]))
    table = Table(title=title, title_justify="left")
    table.add_column("architecture")
    table.add_column("measure")
    for metric in metrics:
        table.add_column(ARROWS.get(metric, metric), justify="right")
        table.add_column("chance", justify="right", style="dim")
    for column in ("groups", "models", "pairs", "failed"):
        table.add_column(column, justify="right")
    previous = None
    # Insertion order of the sorted table; each group holds the metrics of one architecture and measure.
    keys = ["architecture", "measure", "parameters"]
    for (architecture, measure, given), rows in scores.sort(SCORE_ORDER).group_by(keys, maintain_order=True):
        by_metric = {row["metric"]: row for row in rows.iter_rows(named=True)}
        first = next(iter(by_metric.values()))
        if previous not in (None, architecture):
            table.add_section()
        previous = architecture
        numbers = [_number(by_metric.get(metric, {}).get(name)) for metric in metrics for name in ("value", "chance")]
        counts = [str(first[name]) for name in ("groups", "models", "pairs", "failed_pairs")]
        table.add_row(str(architecture), _with_parameters(str(measure), str(given)), *numbers, *counts)
    output().print(table)


def _with_parameters(measure: str, parameters: str) -> str:
    """Return a measure's name with those of its parameters that are not at their default."""
    defaults = registry.measures().get(measure)().parameters() if measure in registry.measures() else {}
    changed = {name: value for name, value in json.loads(parameters).items() if defaults.get(name) != value}
    return f"{measure} ({', '.join(f'{name}={value}' for name, value in changed.items())})" if changed else measure


def _number(value: Any) -> str:
    return "undefined" if value is None else f"{value:.3f}"


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
    if result.count("failed"):
        say("once the cause is mended, compare.overwrite=failed makes them again")
