"""What a run prints: its scores as a table, what failed and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from resi.choices import Status
from resi.cli.score_tables import print_scores
from resi.console import say
from resi.errors import count_of, listed

if TYPE_CHECKING:
    from pathlib import Path

    from resi.config.schema import RunConfig
    from resi.pipeline.run import RunResult

SHOWN_FAILURES = 5
SHOWN_NOTES = 5
# Of the measures that share a note on their scores.
SHOWN_NAMES = 4


def print_result(config: RunConfig, result: RunResult) -> None:
    """Print the scores as a table, what failed and why, and where the shard is."""
    if result.scores.height:
        title = f"{config.test.name} on {config.dataset} ({config.protocol} protocol)"
        more = f"resi show {_shard_name(result.shard)} --wide, a wider terminal or COLUMNS=160 shows them"
        print_scores(result.scores, title, more=more)
    _say_failures(result)
    _say_missing(result)
    _say_notes(result)
    if result.comparisons.height == 0:
        say(f"stage={config.stage.value} is done")
    elif not result.scores.height:
        say(f"{count_of(result.comparisons.height, 'comparison')} in {result.shard}; stage=score finishes it")
    elif result.reused:
        say(f"finished before; read from {result.shard}")
    else:
        say(f"{count_of(result.count(Status.ok), 'comparison')}; written to {result.shard}")


def _shard_name(shard: Path) -> str:
    """Return what ``resi show`` finds a shard by: its name in the usual data root, else its path."""
    from resi.store.root import Store, default_root

    is_usual = shard.absolute().parent == Store(default_root()).shards.absolute()
    return shard.name if is_usual else str(shard)


def _say_missing(result: RunResult) -> None:
    """Say how many published models the run did without."""
    if result.missing and result.plan is not None:
        count = len(result.plan.models) + len(result.missing)
        say(f"{len(result.missing)} of {count_of(count, 'published model')} left out: {listed(result.missing, 3)}")


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
        say(f"scores of {_names(measures)}: {note}")
    if by_note.height > SHOWN_NOTES:
        say(f"and {by_note.height - SHOWN_NOTES} more notes on scores, in {result.shard}")


def _names(measures: list[str]) -> str:
    more = f" and {len(measures) - SHOWN_NAMES} more" if len(measures) > SHOWN_NAMES else ""
    return ", ".join(measures[:SHOWN_NAMES]) + more


def _say_failures(result: RunResult) -> None:
    for status in (Status.failed, Status.undefined):
        reasons = result.comparisons.filter(status=status.value)
        if reasons.height == 0:
            continue
        grouped = reasons.group_by("measure", "error", maintain_order=True).len().sort("len", descending=True)
        say(f"{count_of(reasons.height, 'comparison')} {status}:")
        for measure, error, count in grouped.head(SHOWN_FAILURES).iter_rows():
            say(f"  {count} x {measure}: {error}")
        if grouped.height > SHOWN_FAILURES:
            say(f"  and {count_of(grouped.height - SHOWN_FAILURES, 'more reason')}, in {result.shard}")
    undefined = result.scores.filter((pl.col("reason") != "") & pl.col("seed").is_null())
    by_reason = undefined.group_by("reason", maintain_order=True).agg(pl.col("measure").unique(maintain_order=True))
    for reason, measures in by_reason.iter_rows():
        say(f"scores of {_names(measures)} are undefined: {reason}")
    if result.count(Status.failed):
        say("once the cause is fixed, compare.overwrite=failed computes them again")
