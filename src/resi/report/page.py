"""The page of ``resi report``: one HTML file without scripts that needs nothing beside it.

Whatever came from a file is text on it: every string is escaped by the template engine, without exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi.choices import Status
from resi.groundings import GROUNDINGS
from resi.groundings.base import LEVEL
from resi.registry.labels import measure_label
from resi.report.leaderboard import Leaderboard, leaderboards
from resi.report.tables import ScoreTable, score_lines
from resi.results.manifests import COMPARISONS_FILE, CONFLICTS_FILE, SCORE_CONFLICTS_FILE
from resi.results.schema import COMPARISONS, PUBLISHED
from resi.results.tables import complete, named_damage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resi.report.leaderboard import Key
    from resi.results.shards import Shard

# What a table of scores is about.
TABLE = ["domain", "dataset", "origin", "pooling"]
SHOWN_REASONS = 100
SUMMARY = ("measure", "parameters", "status", "error", "note", "seconds", "prepare_seconds")
"""The columns of comparisons that the page is made of."""


class Section(NamedTuple):
    """A leaderboard, all scores behind it, and why measures have none."""

    board: Leaderboard
    about: str
    metric: str
    tables: list[tuple[str, ScoreTable]]
    undefined: list[tuple[str, list[str]]]


class Overview(NamedTuple):
    """Mean ranks of each measure in several tests.

    Attributes
    ----------
    tests : list of (str, int)
        Each test, and how many measures it ranks.
    rows : list of (str, bool, list of float or None)
        Each measure, whether its results are imported, and its mean rank in each test.
    """

    conditions: str
    tests: list[tuple[str, int]]
    rows: list[tuple[str, bool, list[float | None]]]


class Cost(NamedTuple):
    """How a measure's comparisons ended, and how long one took on average."""

    measure: str
    ok: int
    undefined: int
    failed: int
    milliseconds: float | None


class Note(NamedTuple):
    """What there is to know of some comparisons or scores that have a value."""

    number: int
    measure: str
    what: str
    note: str


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
    remarks = [*_remarks(comparisons), *_score_remarks(scores)]
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
        versions=", ".join(map(str, scores["resi_version"].drop_nulls().unique().sort())),
        overviews=list(_overviews([section.board for section in sections])),
        sections=sections,
        costs=_costs(comparisons),
        reasons=reasons[:SHOWN_REASONS],
        more_reasons=len(reasons) - SHOWN_REASONS,
        remarks=remarks[:SHOWN_REASONS],
        more_remarks=len(remarks) - SHOWN_REASONS,
        level=LEVEL,
    )


def _sections(scores: pl.DataFrame) -> Iterator[Section]:
    for board in leaderboards(scores):
        test = GROUNDINGS[board.test]
        same_models = pl.col("model_source").eq_missing(pl.lit(board.model_source, pl.String))
        rows = scores.filter(same_models, pl.col("seed").is_null(), test=board.test, protocol=board.protocol)
        tables = [
            (" · ".join(_words(names)), score_lines(part)) for names, part in rows.group_by(TABLE, maintain_order=True)
        ]
        yield Section(board, test.description, test.metrics[board.metric], tables, _undefined(rows))


def _undefined(scores: pl.DataFrame) -> list[tuple[str, list[str]]]:
    """Return the reasons for missing scores, with the measures of each."""
    without = scores.filter(pl.col("reason") != "")
    by_reason = without.group_by("reason", maintain_order=True).agg(pl.col("measure").unique().sort())
    return list(by_reason.iter_rows())


def _words(names: Sequence[Any]) -> list[str]:
    """Return in words what a table of scores is about."""
    domain, dataset, origin, pooling = names
    words = [f"{dataset} ({domain})"]
    if origin == PUBLISHED:
        words.append("published results")
    if pooling not in (None, "none"):
        words.append(f"pooling {pooling}")
    return words


def _overviews(boards: Sequence[Leaderboard]) -> Iterator[Overview]:
    """Yield the mean ranks of each measure in all tests, where there are several on the same models."""
    together: dict[str, list[Leaderboard]] = {}
    for board in boards:
        together.setdefault(board.conditions, []).append(board)
    for conditions, tests in together.items():
        if len(tests) > 1:
            yield _overview(conditions, tests)


def _overview(conditions: str, boards: Sequence[Leaderboard]) -> Overview:
    ranks: dict[Key, list[float | None]] = {}
    known = {row.key: row for board in boards for row in board.rows}
    for place, board in enumerate(boards):
        for row in board.rows:
            ranks.setdefault(row.key, [None] * len(boards))[place] = row.mean_rank
    sizes = [sum(row.mean_rank is not None for row in board.rows) for board in boards]

    def mean_share(key: Key) -> float:
        # In the middle of the pack is a half, however large it is.
        shares = [(rank - 0.5) / size for rank, size in zip(ranks[key], sizes, strict=True) if rank is not None]
        return sum(shares) / len(shares) if shares else 1.0

    rows = [
        (known[key].label, known[key].imported, ranks[key]) for key in sorted(ranks, key=lambda k: (mean_share(k), k))
    ]
    return Overview(conditions, [(board.test, size) for board, size in zip(boards, sizes, strict=True)], rows)


def _notes(manifest: dict[str, Any], scores: pl.DataFrame, sections: Sequence[Section]) -> Iterator[str]:
    for name, of in ((CONFLICTS_FILE, "Comparisons"), (SCORE_CONFLICTS_FILE, "Scores")):
        if name in manifest["files"]:
            yield f"{of} of different shards contradict each other and have no value here; they are in {name}."
    if ambiguous := sum(section.board.ambiguous for section in sections):
        yield (
            f"Cells with several scores, of runs that cannot be distinguished: {ambiguous}. They are not ranked; "
            "report such runs separately (resi report shards/NAME)."
        )
    if scores.filter(pl.col("compared").is_null() & pl.col("seed").is_null()).height:
        yield (
            "Some scores do not record their models: they are from tables of an earlier version, or scored by hand. "
            "Scores in one column may be of different models."
        )
    if unknown := sorted(set(scores["test"]) - set(GROUNDINGS)):
        yield f"Scores of unknown tests are left out: {', '.join(unknown)}."


def _summary(shard: Shard) -> pl.DataFrame:
    """Return how many comparisons there are of each measure, status, error and note, and their seconds in all."""
    path = shard.folder / COMPARISONS_FILE
    by = ["measure", "parameters", "status", "error", "note"]
    seconds = (pl.col("seconds") + pl.col("prepare_seconds")).fill_nan(None)
    with named_damage(path):
        rows = complete(pl.scan_parquet(path, glob=False), {name: COMPARISONS[name] for name in SUMMARY})
        counted = rows.group_by(by).agg(count=pl.len(), seconds=seconds.sum(), timed=seconds.count()).sort(by)
        return counted.collect(engine="streaming")


def _counts(summary: pl.DataFrame) -> dict[str, int]:
    counts = dict(summary.group_by("status").agg(pl.col("count").sum()).iter_rows())
    return {status.value: counts.get(status, 0) for status in Status}


def _costs(summary: pl.DataFrame) -> list[Cost]:
    costs = []
    for (measure, parameters), rows in summary.group_by("measure", "parameters", maintain_order=True):
        timed = rows.filter(status=Status.ok.value)
        number, seconds = int(timed["timed"].sum()), float(timed["seconds"].sum())
        costs.append(
            Cost(
                measure_label(str(measure), str(parameters)),
                **_counts(rows),
                milliseconds=1000 * seconds / number if number else None,
            )
        )
    return costs


def _remarks(summary: pl.DataFrame) -> list[Note]:
    """Return the notes on comparisons, the most frequent first."""
    by = ["measure", "parameters", "note"]
    noted = summary.filter(pl.col("note") != "").group_by(by).agg(pl.col("count").sum())
    return [
        Note(row["count"], measure_label(row["measure"], row["parameters"]), "comparisons", row["note"])
        for row in noted.sort("count", *by, descending=[True, False, False, False]).iter_rows(named=True)
    ]


def _score_remarks(scores: pl.DataFrame) -> list[Note]:
    """Return the notes on scores, the most frequent first."""
    by = ["measure", "parameters", "note"]
    noted = scores.filter(pl.col("note") != "").group_by(by).agg(count=pl.len())
    return [
        Note(row["count"], measure_label(row["measure"], row["parameters"]), "scores", row["note"])
        for row in noted.sort("count", *by, descending=[True, False, False, False]).iter_rows(named=True)
    ]


def _reasons(summary: pl.DataFrame) -> list[Reason]:
    by = ["measure", "parameters", "status", "error"]
    counted = summary.group_by(by).agg(pl.col("count").sum()).sort(by)
    without = counted.filter(pl.col("status") != Status.ok.value).sort("count", descending=True, maintain_order=True)
    return [
        Reason(row["count"], measure_label(row["measure"], row["parameters"]), row["status"], row["error"])
        for row in without.iter_rows(named=True)
    ]
