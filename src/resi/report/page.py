"""The page of ``resi report``: one HTML file without scripts that needs nothing beside it.

Whatever came from a file is text on it: every string is escaped by the template engine, without exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi.groundings import GROUNDINGS
from resi.report.leaderboard import LEVEL, Leaderboard, leaderboards
from resi.report.tables import ScoreTable, measure_label, score_lines
from resi.results.schema import PUBLISHED
from resi.results.shards import COMPARISONS_FILE, CONFLICTS_FILE, SCORE_CONFLICTS_FILE
from resi.results.tables import named_damage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resi.results.shards import Shard

# What a table of scores is about.
TABLE = ["domain", "dataset", "origin", "model_source", "pooling"]
SHOWN_REASONS = 100


class Section(NamedTuple):
    """One test under one protocol: its leaderboard, all scores behind it, and why measures have none."""

    board: Leaderboard
    about: str
    metric: str
    tables: list[tuple[str, ScoreTable]]
    undefined: list[tuple[str, list[str]]]


class Cost(NamedTuple):
    """What became of a measure's comparisons, and how long one took on average."""

    measure: str
    ok: int
    undefined: int
    failed: int
    milliseconds: float | None


class Reason(NamedTuple):
    """Why comparisons have no value."""

    comparisons: int
    measure: str
    status: str
    error: str


def make_page(shard: Shard, notes: Sequence[str] = ()) -> str:
    """Return the page of merged tables, or of one run.

    The same tables give the same page.

    Parameters
    ----------
    shard : Shard
        A folder of merged tables, or a finished run's.
    notes : sequence of str
        What the reader is to know beforehand, a sentence each.

    Raises
    ------
    ArtifactError
        If a table is damaged or of a later version.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    manifest, scores = shard.verify(), shard.scores()
    comparisons = _summary(shard)
    reasons = _reasons(comparisons)
    sections = list(_sections(scores))
    engine = Environment(
        loader=PackageLoader("resi.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return engine.get_template("page.html.jinja").render(
        folder=str(shard.folder),
        notes=[*notes, *_notes(manifest, scores, sections)],
        counts=_counts(comparisons),
        scores=scores.height,
        versions=", ".join(map(str, scores["resi_version"].unique().sort())),
        overview=_overview([section.board for section in sections]),
        sections=sections,
        costs=_costs(comparisons),
        reasons=reasons[:SHOWN_REASONS],
        more_reasons=len(reasons) - SHOWN_REASONS,
        level=LEVEL,
    )


def _sections(scores: pl.DataFrame) -> Iterator[Section]:
    for board in leaderboards(scores):
        test = GROUNDINGS[board.test]
        rows = scores.filter(test=board.test, protocol=board.protocol)
        tables = [
            (" · ".join(_words(names)), score_lines(part)) for names, part in rows.group_by(TABLE, maintain_order=True)
        ]
        yield Section(board, test.description, test.metrics[board.metric], tables, _undefined(rows))


def _undefined(scores: pl.DataFrame) -> list[tuple[str, list[str]]]:
    """Return the reasons for which there is no score, with the measures that each holds for."""
    without = scores.filter((pl.col("reason") != "") & pl.col("seed").is_null())
    by_reason = without.group_by("reason", maintain_order=True).agg(pl.col("measure").unique().sort())
    return list(by_reason.iter_rows())


def _words(names: Sequence[Any]) -> list[str]:
    """Return in words what a table of scores is about."""
    domain, dataset, origin, model_source, pooling = names
    words = [f"{dataset} ({domain})"]
    if model_source == PUBLISHED:
        words.append("published models")
    if origin == PUBLISHED:
        words.append("published results")
    if pooling not in (None, "none"):
        words.append(f"pooling {pooling}")
    return words


def _overview(boards: Sequence[Leaderboard]) -> dict[str, Any] | None:
    """Return the mean ranks of each measure in all tests, if there are several."""
    if len(boards) < 2:
        return None
    ranks: dict[str, list[str]] = {}
    means: dict[str, list[float]] = {}
    for place, board in enumerate(boards):
        for row in board.rows:
            label = f"{row.label} (published results)" if row.imported else row.label
            if row.mean_rank is not None:
                ranks.setdefault(label, ["-"] * len(boards))[place] = f"{row.mean_rank:.1f}"
                means.setdefault(label, []).append(row.mean_rank)
    ordered = sorted(ranks, key=lambda label: (sum(means[label]) / len(means[label]), label))
    headings = [f"{board.test}{'' if board.protocol == 'corrected' else f' ({board.protocol})'}" for board in boards]
    sizes = [sum(row.mean_rank is not None for row in board.rows) for board in boards]
    return {"headings": list(zip(headings, sizes, strict=True)), "rows": [(label, ranks[label]) for label in ordered]}


def _notes(manifest: dict[str, Any], scores: pl.DataFrame, sections: Sequence[Section]) -> Iterator[str]:
    for name, of in ((CONFLICTS_FILE, "Comparisons"), (SCORE_CONFLICTS_FILE, "Scores")):
        if name in manifest["files"]:
            yield f"{of} of different shards contradict each other and have no value here; they are in {name}."
    if ambiguous := sum(section.board.ambiguous for section in sections):
        yield (
            f"{ambiguous} cells hold several scores, of runs that differ in what has no column, such as "
            "hyperparameters. They are not ranked; report such runs by themselves: resi report shards/NAME."
        )
    if unknown := sorted(set(scores["test"]) - set(GROUNDINGS)):
        yield f"Scores of unknown tests are left out: {', '.join(unknown)}."


def _summary(shard: Shard) -> pl.DataFrame:
    """Return how many comparisons there are of each measure, origin, status and error, and their seconds in all."""
    path = shard.folder / COMPARISONS_FILE
    by = ["measure", "parameters", "status", "error"]
    seconds = pl.col("seconds") + pl.col("prepare_seconds")
    with named_damage(path):
        rows = pl.scan_parquet(path, glob=False).group_by(by)
        counted = rows.agg(count=pl.len(), seconds=seconds.sum(), timed=seconds.count()).sort(by)
        return counted.collect(engine="streaming")


def _counts(summary: pl.DataFrame) -> dict[str, int]:
    counts = dict(summary.group_by("status").agg(pl.col("count").sum()).iter_rows())
    return {status: counts.get(status, 0) for status in ("ok", "undefined", "failed")}


def _costs(summary: pl.DataFrame) -> list[Cost]:
    costs = []
    for (measure, parameters), rows in summary.group_by("measure", "parameters", maintain_order=True):
        timed = rows.filter(status="ok")
        number, seconds = int(timed["timed"].sum()), float(timed["seconds"].sum())
        costs.append(
            Cost(
                measure_label(str(measure), str(parameters)),
                **_counts(rows),
                milliseconds=1000 * seconds / number if number else None,
            )
        )
    return costs


def _reasons(summary: pl.DataFrame) -> list[Reason]:
    without = summary.filter(pl.col("status") != "ok").sort("count", descending=True, maintain_order=True)
    return [
        Reason(row["count"], measure_label(row["measure"], row["parameters"]), row["status"], row["error"])
        for row in without.iter_rows(named=True)
    ]
