"""Each test as a section: its leaderboards with all their scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi.groundings import SCORED
from resi.report.answer import board_anchor
from resi.report.names import Named, named, without_paths
from resi.report.tables import ScoreTable, score_lines
from resi.results.schema import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.report.cells import Cell
    from resi.report.leaderboard import Leaderboard, Row

# What a table of scores is about.
TABLE = ["domain", "dataset", "origin", "pooling"]
MOST_LINES = 2000
"""The most lines of all metrics on a page."""
LEFT, WIDTH = -0.5, 1.5
"""Where the plots of scores begin, from chance (0) to the best value (1), and how much they show."""
PLOT = 200


class Plot(NamedTuple):
    """Scores of one measure in hundredths of the plot's half width, as paths: the intervals, and the scores."""

    intervals: str
    scores: str


class Section(NamedTuple):
    """A leaderboard with all its scores.

    Attributes
    ----------
    left_out : int
        The number of lines of all metrics that are not shown.
    undefined : list of (str, list of str)
        The reasons for missing scores, with the measures of each.
    notes : list of (str, list of str)
        Why scores carry little information, with the columns of each note.
    """

    board: Leaderboard
    anchor: str
    about: str
    metric: str
    rows: list[tuple[Named, Row, Plot]]
    tables: list[tuple[str, ScoreTable]]
    left_out: int
    undefined: list[tuple[str, list[str]]]
    notes: list[tuple[str, list[str]]]


def sections(scores: pl.DataFrame, boards: Sequence[Leaderboard]) -> list[Section]:
    """Return the sections in the order of leaderboards."""
    room = MOST_LINES
    found = []
    for board in boards:
        same_models = pl.col("model_source").eq_missing(pl.lit(board.model_source, pl.String))
        about = {"test": board.test, "protocol": board.protocol, "domain": board.domain}
        rows = scores.filter(same_models, pl.col("seed").is_null(), **about)
        tables = [
            (" · ".join(_words(names)), score_lines(part)) for names, part in rows.group_by(TABLE, maintain_order=True)
        ]
        lines = sum(len(table.lines) for _, table in tables)
        room -= lines
        test = SCORED[board.test]
        found.append(
            Section(
                board,
                board_anchor(board),
                test.description,
                test.metrics[board.metric],
                [(named(row.key[0], row.key[1]), row, _plot(row.cells)) for row in board.rows],
                tables if room >= 0 else [],
                0 if room >= 0 else lines,
                _undefined(rows),
                _notes(board),
            )
        )
    return found


def _plot(cells: Sequence[Cell | None]) -> Plot:
    """Return the scores of a measure as paths, each at its own height so that none covers another."""
    known = [cell for cell in cells if cell is not None and cell.normalised is not None]
    step = 20 / (len(known) + 1)
    intervals, scores = "", ""
    for number, cell in enumerate(known, 1):
        height = round(number * step, 1)
        if cell.span is not None:
            low, high = (_place(end) for end in sorted(cell.span))
            intervals += f"M{low} {height}H{high}"
        scores += f"M{_place(cell.normalised or 0.0)} {height}h.01"
    return Plot(intervals, scores)


def _place(normalised: float) -> int:
    return round(PLOT * (min(max(normalised, LEFT), LEFT + WIDTH) - LEFT) / WIDTH)


def _undefined(scores: pl.DataFrame) -> list[tuple[str, list[str]]]:
    """Return the reasons for missing scores, with the measures of each."""
    without = scores.filter(pl.col("reason") != "")
    by_reason = without.group_by("reason", maintain_order=True).agg(pl.col("measure").unique().sort())
    return [(without_paths(reason), measures) for reason, measures in by_reason.iter_rows()]


def _notes(board: Leaderboard) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for heading, design in zip(board.columns, board.designs, strict=True):
        for note in design.notes:
            found.setdefault(without_paths(note), []).append(", ".join(heading))
    return list(found.items())


def _words(names: Sequence[Any]) -> list[str]:
    """Return the heading of a table of scores."""
    domain, dataset, origin, pooling = names
    words = [f"{dataset} ({domain})"]
    if origin == PUBLISHED:
        words.append("published results")
    if pooling not in (None, "none"):
        words.append(f"pooling {pooling}")
    return words
