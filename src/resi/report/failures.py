"""The outcome of comparisons: counts, costs, notes, and why some have no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from resi.choices import Status
from resi.report.names import named, without_paths
from resi.results.manifests import COMPARISONS_FILE
from resi.results.schema import COMPARISONS
from resi.results.tables import complete, named_damage

if TYPE_CHECKING:
    from resi.report.names import Named
    from resi.results.shards import Shard

SUMMARY = ("domain", "measure", "parameters", "status", "error", "note", "seconds", "prepare_seconds")
"""The columns of comparisons used in the summary."""


class Cost(NamedTuple):
    """How a measure's comparisons ended, and how long they took.

    Attributes
    ----------
    milliseconds : float or None
        Mean time of one comparison, including its share of preparing both sides.
    seconds : float
        Time of all comparisons.
    """

    measure: Named
    ok: int
    undefined: int
    failed: int
    milliseconds: float | None
    seconds: float


class Note(NamedTuple):
    """A note on comparisons or scores that have a value."""

    number: int
    measure: Named
    what: str
    note: str


class Reason(NamedTuple):
    """Why comparisons have no value."""

    comparisons: int
    measure: Named
    domain: str
    status: str
    error: str


def summary(shard: Shard) -> pl.DataFrame:
    """Return the number of comparisons for each measure, status, error and note, and their total seconds."""
    path = shard.folder / COMPARISONS_FILE
    by = ["domain", "measure", "parameters", "status", "error", "note"]
    seconds = (pl.col("seconds") + pl.col("prepare_seconds")).fill_nan(None)
    with named_damage(path):
        rows = complete(pl.scan_parquet(path, glob=False), {name: COMPARISONS[name] for name in SUMMARY})
        counted = rows.group_by(by).agg(count=pl.len(), seconds=seconds.sum(), timed=seconds.count()).sort(by)
        return counted.collect(engine="streaming")


def counts(of: pl.DataFrame) -> dict[str, int]:
    """Return how many comparisons have each status."""
    found = dict(of.group_by("status").agg(pl.col("count").sum()).iter_rows())
    return {status.value: found.get(status.value, 0) for status in Status}


def costs(of: pl.DataFrame) -> list[Cost]:
    """Return the cost of each measure, by name."""
    return [
        _cost(named(str(measure), str(parameters)), rows)
        for (measure, parameters), rows in of.sort("measure", "parameters").group_by(
            "measure", "parameters", maintain_order=True
        )
    ]


def _cost(measure: Named, rows: pl.DataFrame) -> Cost:
    timed = rows.filter(status=Status.ok.value)
    number, seconds = int(timed["timed"].sum()), float(timed["seconds"].sum())
    return Cost(measure, **counts(rows), milliseconds=1000 * seconds / number if number else None, seconds=seconds)


def notes(of: pl.DataFrame, scores: pl.DataFrame) -> list[Note]:
    """Return the notes on comparisons and then those on scores, the most frequent first."""
    by = ["measure", "parameters", "note"]
    found = []
    for what, rows in (("comparisons", of.with_columns("count")), ("scores", scores.with_columns(count=pl.lit(1)))):
        noted = rows.filter(pl.col("note") != "").group_by(by).agg(pl.col("count").sum())
        for row in noted.sort("count", *by, descending=[True, False, False, False]).iter_rows(named=True):
            label = named(row["measure"], row["parameters"])
            found.append(Note(row["count"], label, what, without_paths(row["note"])))
    return found


def reasons(of: pl.DataFrame) -> list[Reason]:
    """Return why comparisons have no value, the most frequent reason first."""
    by = ["measure", "parameters", "domain", "status", "error"]
    counted = of.filter(pl.col("status") != Status.ok.value).group_by(by).agg(pl.col("count").sum()).sort(by)
    return [
        Reason(
            row["count"],
            named(row["measure"], row["parameters"]),
            row["domain"],
            row["status"],
            without_paths(row["error"]),
        )
        for row in counted.sort("count", descending=True, maintain_order=True).iter_rows(named=True)
    ]
