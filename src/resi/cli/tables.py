"""What a run prints: its scores as a table, what failed and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from resi.choices import Status
from resi.console import cell, output, say
from resi.report.tables import score_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from resi.config.schema import RunConfig
    from resi.pipeline.run import RunResult
    from resi.report.tables import ScoreTable

SHOWN_FAILURES = 5
SHOWN_NOTES = 5
# Of the measures that share a note on their scores.
SHOWN_NAMES = 4
WIDEST = 10_000


def print_result(config: RunConfig, result: RunResult) -> None:
    """Print the scores as a table, what failed and why, and where the shard is."""
    if result.scores.height:
        print_scores(result.scores, f"{config.test.name} on {config.dataset} ({config.protocol} protocol)")
    _say_failures(result)
    _say_notes(result)
    if result.comparisons.height == 0:
        say(f"stage={config.stage.value} is done")
    elif not result.scores.height:
        say(f"{result.comparisons.height} comparisons are in {result.shard}; stage=score finishes it")
    elif result.reused:
        say(f"finished before; read from {result.shard}")
    else:
        say(f"{result.count(Status.ok)} comparisons; written to {result.shard}")


def print_scores(scores: pl.DataFrame, title: str) -> None:
    """Print one line per architecture and measure, with a column per metric; of single models nothing.

    Where that is wider than the terminal, numbers that are the same in all lines stand below the table. No number is
    ever cut: of ``0.26..`` nobody would know that digits are missing.
    """
    shown, console = score_lines(scores), output()
    table = _table(shown, title, shown.counts)
    if fits(table, console):
        console.print(table)
        return
    columns = list(zip(*(line.counts for line in shown.lines), strict=True))
    same = {name: cells[0] for name, cells in zip(shown.counts, columns, strict=True) if len(set(cells)) == 1}
    console.print(_table(shown, title, [name for name in shown.counts if name not in same]))
    if same:
        console.print(cell(f"in all lines: {', '.join(f'{number} {name}' for name, number in same.items())}"))


def _table(shown: ScoreTable, title: str, counts: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(title=cell(title), title_justify="left")
    for label in shown.labels:
        table.add_column(label, overflow="fold")
    for column in shown.columns:
        style = "dim" if column.kind == "chance" else None
        table.add_column(column.title, justify="right", style=style, overflow="fold")
    for count in counts:
        table.add_column(count, justify="right", overflow="fold")
    previous = None
    for line in shown.lines:
        architecture = line.labels[0]
        if previous not in (None, architecture):
            table.add_section()
        previous = architecture
        numbers = [number for name, number in zip(shown.counts, line.counts, strict=True) if name in counts]
        table.add_row(*map(cell, line.labels), *line.cells, *numbers)
    return table


def fits(table: Table, console: Console) -> bool:
    """Return whether a table is no wider than the terminal."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum <= console.width


def _say_notes(result: RunResult) -> None:
    """Say which values say little, and why."""
    noted = result.comparisons.filter(pl.col("note") != "")
    if noted.height:
        grouped = noted.group_by("measure", "note", maintain_order=True).len().sort("len", descending=True)
        say(f"{count_of(noted.height, 'comparison')} with a note on what the value says:")
        for measure, note, count in grouped.head(SHOWN_NOTES).iter_rows():
            say(f"  {count} x {measure}: {note}")
        if grouped.height > SHOWN_NOTES:
            say(f"  and {grouped.height - SHOWN_NOTES} more notes, in {result.shard}")
    scores = result.scores.filter((pl.col("note") != "") & pl.col("seed").is_null())
    by_note = scores.group_by("note", maintain_order=True).agg(pl.col("measure").unique(maintain_order=True))
    for note, measures in by_note.head(SHOWN_NOTES).iter_rows():
        names = ", ".join(measures[:SHOWN_NAMES])
        more = f" and {len(measures) - SHOWN_NAMES} more" if len(measures) > SHOWN_NAMES else ""
        say(f"scores of {names}{more}: {note}")
    if by_note.height > SHOWN_NOTES:
        say(f"and {by_note.height - SHOWN_NOTES} more notes on scores, in {result.shard}")


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 comparison`` or ``3 comparisons``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _say_failures(result: RunResult) -> None:
    for status in (Status.failed, Status.undefined):
        reasons = result.comparisons.filter(status=status.value)
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
    if result.count(Status.failed):
        say("once the cause is fixed, compare.overwrite=failed computes them again")
