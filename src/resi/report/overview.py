"""All measures in all tests and domains: a matrix of mean ranks, and a filterable table of all scores."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi.groundings import SCORED
from resi.groundings.readable import TITLES, differs_from_chance, with_designs
from resi.report.answer import board_anchor
from resi.report.cells import shade
from resi.report.leaderboard import NOTHING, headline_scores
from resi.report.names import named, title
from resi.report.tables import interval_text
from resi.results.schema import OWN, PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resi.report.leaderboard import Key, Leaderboard, Row
    from resi.report.names import Named

ABOUT = ["domain", "dataset", "architecture", "protocol"]
LABELS = ["measure", "parameters", "origin", *ABOUT, "pooling", "model_source"]


class Place(NamedTuple):
    """A measure's mean rank in one test of one domain, and the same from 0 (first of all) to 1 (last)."""

    rank: float | None
    share: float | None

    @property
    def shade(self) -> int | None:
        """The shade, from 0 (last) to 10 (first)."""
        return None if self.share is None else shade(1 - self.share)


class Matrix(NamedTuple):
    """Mean ranks under the same conditions.

    Attributes
    ----------
    heads : list of (str, str, str, int)
        Domain, test, anchor of the leaderboard, and how many measures it ranks.
    rows : list of (Named, bool, list of Place, float or None)
        Each measure, whether its results are imported, its places, and the mean of their shares; the best first.
    """

    conditions: str
    heads: list[tuple[str, str, str, int]]
    rows: list[tuple[Named, bool, list[Place], float | None]]


class Entry(NamedTuple):
    """A score in the table of all scores; ``text`` is empty where there is none."""

    text: str
    interval: str = ""
    value: float | None = None
    shade: int | None = None
    differs: bool | None = None


class Line(NamedTuple):
    """The scores of one measure on one dataset and architecture.

    Attributes
    ----------
    about : list of str
        Domain, dataset, architecture and protocol.
    """

    measure: Named
    imported: bool
    about: list[str]
    entries: list[Entry]


class ScoreMatrix(NamedTuple):
    """All scores that rank measures; ``tests`` are the columns, ``metrics`` the metric of each."""

    tests: list[str]
    metrics: list[str]
    lines: list[Line]


def matrices(boards: Sequence[Leaderboard]) -> list[Matrix]:
    """Return a matrix for each set of conditions, trained models first."""
    together: dict[str, list[Leaderboard]] = {}
    for board in boards:
        together.setdefault(board.conditions, []).append(board)
    return [_matrix(conditions, together[conditions]) for conditions in sorted(together)]


def _matrix(conditions: str, boards: Sequence[Leaderboard]) -> Matrix:
    places: dict[Key, list[Place]] = {}
    for number, board in enumerate(boards):
        for row in board.rows:
            places.setdefault(row.key, [Place(None, None)] * len(boards))[number] = _place(row)
    means: dict[Key, float | None] = {}
    for key, found in places.items():
        shares = [place.share for place in found if place.share is not None]
        means[key] = fmean(shares) if shares else None
    ordered = sorted(places, key=lambda key: (means[key] is None, means[key], key))
    heads = [
        (board.domain, title(board.test), board_anchor(board), sum(row.mean_rank is not None for row in board.rows))
        for board in boards
    ]
    rows = [(named(key[0], key[1]), key[2] == PUBLISHED, places[key], means[key]) for key in ordered]
    return Matrix(conditions, heads, rows)


def _place(row: Row) -> Place:
    rank = row.mean_rank
    return Place(rank, None if rank is None or row.measures < 2 else (rank - 1) / (row.measures - 1))


def score_matrix(scores: pl.DataFrame) -> ScoreMatrix:
    """Return one line for each measure, dataset, architecture and protocol, with a column for each test."""
    found = headline_scores(scores).with_columns(
        column=pl.when(pl.col("functional") == "").then("test").otherwise(pl.format("{} {}", "test", "functional")),
        own_setting=pl.when(pl.col("model_source") == OWN).then("setting").fill_null(""),
    )
    # Settings of the reader's own models and runs on other models, which give a cell several scores, have their own
    # lines.
    found = with_designs(found)
    labels = [*LABELS, "own_setting", "design"]
    order = ["compared", "groups", "models", "setting", "key"]
    found = found.sort(*labels, *order).with_columns(run=pl.int_range(pl.len()).over([*labels, "column"]))
    columns = found.select("test", "functional", "column").unique()
    columns = columns.sort(
        pl.col("test").replace_strict({name: place for place, name in enumerate(SCORED)}), "functional"
    )
    places = {name: number for number, name in enumerate(columns["column"])}
    lines: dict[Key, list[Entry]] = {}
    for score in found.iter_rows(named=True):
        key = tuple(score[name] for name in (*labels, "run"))
        lines.setdefault(key, [Entry("")] * len(places))[places[score["column"]]] = _entry(score)
    heads = [f"{title(test)} ({what})" if _several(columns, test) else title(test) for test, what, _ in columns.rows()]
    metrics = [TITLES[SCORED[test].headline] for test in columns["test"]]
    return ScoreMatrix(heads, metrics, [_line(dict(zip(labels, key, strict=False)), lines[key]) for key in lines])


def _several(columns: pl.DataFrame, test: str) -> bool:
    return columns.filter(test=test).height > 1


def _line(names: Mapping[str, Any], entries: list[Entry]) -> Line:
    architecture = str(names["architecture"])
    if names["own_setting"]:
        architecture += f", {names['own_setting']}"
    if names["design"]:
        architecture += f" ({names['design']})"
    if names["pooling"] not in NOTHING:
        architecture += f", {names['pooling']} pooling"
    if names["model_source"] == PUBLISHED:
        architecture += ", published models"
    about = [str(names["domain"]), str(names["dataset"]), architecture, str(names["protocol"])]
    return Line(named(names["measure"], names["parameters"]), names["origin"] == PUBLISHED, about, entries)


def _entry(score: Mapping[str, Any]) -> Entry:
    value = score["value"]
    if value is None:
        return Entry("undefined")
    interval = interval_text(score["low"], score["high"])
    return Entry(
        f"{value:.2f}",
        "" if interval == "-" else interval,
        value,
        shade(score["normalised"]),
        differs_from_chance(score),
    )
