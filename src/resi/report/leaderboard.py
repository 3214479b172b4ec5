"""Which measure does best in a test: ranks over all architectures and datasets on which it was scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from resi.choices import Protocol
from resi.groundings import GROUNDINGS
from resi.groundings.base import LEVEL
from resi.report.ranks import DIGITS, Differences, RankedColumn, differences, read_influences, share_intervals
from resi.report.tables import interval_text, measure_label, without_nan
from resi.results.schema import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Key = tuple[Any, ...]

BOARD = ["test", "protocol", "model_source"]
# What a column of a leaderboard is about: scores with the same of these can be ranked among each other.
COLUMN = ["architecture", "dataset", "domain", "functional", "setting", "pooling", "groups", "models", "compared"]
ALWAYS_SHOWN = ("architecture", "dataset")
PLAIN = ("architecture", "dataset", "domain", "functional", "setting")
NOTHING = (None, "", "none")
ROW = ["measure", "parameters", "origin"]
RANGES = {"auprc": (0.0, 1.0), "violation_rate": (0.0, 1.0)}
CORRELATION_RANGE = (-1.0, 1.0)


class Strip(NamedTuple):
    """Where a score, its interval and chance lie on the metric's range, in hundredths; None where there is none."""

    value: float
    low: float | None
    high: float | None
    chance: float | None


class Cell(NamedTuple):
    """A measure's score in one column.

    Attributes
    ----------
    text : str
        The score, or why there is none in a word.
    interval : str
        95 % interval, ``-`` where there is none.
    shade : int or None
        How far it is from chance (0) to the best value (10).
    differs : bool or None
        Whether it differs from chance; None if unknown.
    rank : float or None
        Among the measures of the column, 1 the best, equal scores sharing their mean rank.
    share : float or None
        Its place among them, from 0 to 1: the middle of the rank's step, so that ranks of columns of different size
        can be compared.
    strip : Strip or None
        For the plot.
    failed : str
        How many of its comparisons have no value; empty if all have one.
    reason : str
        Why the score is missing.
    """

    text: str
    interval: str = "-"
    shade: int | None = None
    differs: bool | None = None
    rank: float | None = None
    share: float | None = None
    strip: Strip | None = None
    failed: str = ""
    reason: str = ""


@dataclass
class Row:
    """A measure and its cells, in the order of columns; None where it was not scored.

    Attributes
    ----------
    measures : int
        How many measures of the leaderboard have a rank in any column.
    share_interval : tuple of float or None
        95 % interval of ``mean_share`` had the models been others, see :func:`resi.report.ranks.share_intervals`.
    """

    key: Key
    label: str
    imported: bool
    cells: list[Cell | None] = field(default_factory=list)
    measures: int = 0
    share_interval: tuple[float, float] | None = None

    @property
    def ranks(self) -> list[float]:
        """The ranks it has."""
        return [cell.rank for cell in self.cells if cell is not None and cell.rank is not None]

    @property
    def mean_share(self) -> float | None:
        """Mean place over the columns in which it has a rank, from 0 (the best) to 1."""
        shares = [cell.share for cell in self.cells if cell is not None and cell.share is not None]
        return sum(shares) / len(shares) if shares else None

    @property
    def mean_rank(self) -> float | None:
        """The mean place as a rank among the measures of the leaderboard: the mean rank if every column ranks all."""
        return None if self.mean_share is None else self.mean_share * self.measures + 0.5

    @property
    def rank_interval(self) -> tuple[float, float] | None:
        """The interval of the mean place, as ranks."""
        if self.share_interval is None:
            return None
        low, high = self.share_interval
        return low * self.measures + 0.5, high * self.measures + 0.5


class Leaderboard(NamedTuple):
    """The measures of one test and protocol, on trained or on published models; the smallest mean rank comes first.

    Attributes
    ----------
    columns : list of list of str
        What each column is about, a few words each.
    ambiguous : int
        Cells with several scores, which are not ranked.
    differences : Differences or None
        Whether the measures differ, and how far mean ranks must lie apart.
    """

    test: str
    protocol: str
    model_source: str | None
    metric: str
    columns: list[list[str]]
    rows: list[Row]
    ambiguous: int
    differences: Differences | None = None

    @property
    def conditions(self) -> str:
        """What differs from trained models and the corrected protocol; empty if nothing does."""
        words = {PUBLISHED: ["published models"], None: ["models of unknown source"]}.get(self.model_source, [])
        return ", ".join([*words, *([] if self.protocol == Protocol.corrected else [f"{self.protocol} protocol"])])


def leaderboards(scores: pl.DataFrame) -> Iterator[Leaderboard]:
    """Yield a leaderboard for each test, protocol, and source of models.

    Parameters
    ----------
    scores : DataFrame
        With the columns :data:`resi.results.schema.SCORES`; rows of unknown tests are left out.
    """
    known = without_nan(scores).filter(pl.col("seed").is_null() & pl.col("test").is_in(list(GROUNDINGS)))
    for (test, protocol, model_source), rows in known.group_by(BOARD, maintain_order=True):
        metric = GROUNDINGS[str(test)].headline
        ranking = rows.filter(metric=metric)
        if ranking.height:
            source = None if model_source is None else str(model_source)
            yield Leaderboard(str(test), str(protocol), source, metric, *_ranked(ranking, metric))


def _ranked(scores: pl.DataFrame, metric: str) -> tuple[list[list[str]], list[Row], int, Differences | None]:
    """Return the columns of a leaderboard, its rows, its number of ambiguous cells, and how its measures differ."""
    cell_of = ROW + COLUMN
    # Where comparisons have failed, chance is another one: measures are ranked by how far they come from it.
    by_chance = pl.col("normalised").count().over(COLUMN) == pl.col("value").count().over(COLUMN)
    scores = scores.with_columns(
        goodness=pl.when(by_chance).then("normalised").otherwise("value"),
        # What moves a score moves its share of the way from chance to the best value by so much more.
        step=pl.when(by_chance).then(1 / (1 - pl.col("chance"))).otherwise(1.0),
        several=pl.len().over(cell_of),
    )
    rankable = pl.when((pl.col("several") == 1) & pl.col("value").is_not_null()).then(pl.col("goodness").round(DIGITS))
    # The only measure of a column is neither first nor last.
    rank = pl.when(rankable.count() > 1).then(rankable.rank("average", descending=True))
    scores = scores.with_columns(rank=rank.over(COLUMN), size=rankable.count().over(COLUMN))
    keys = scores.select(COLUMN).unique().sort(COLUMN, nulls_last=True)
    places = {key: place for place, key in enumerate(keys.iter_rows())}
    rows: dict[Key, Row] = {}
    for score in scores.iter_rows(named=True):
        label, imported = measure_label(score["measure"], score["parameters"]), score["origin"] == PUBLISHED
        key = tuple(score[name] for name in ROW)
        row = rows.setdefault(key, Row(key, label, imported, [None] * len(places)))
        row.cells[places[tuple(score[name] for name in COLUMN)]] = _cell(score, metric)
    found = list(rows.values())
    _compare(found, scores)
    ordered = sorted(rows.values(), key=lambda row: (row.mean_rank is None, row.mean_rank, row.label, row.imported))
    ambiguous = scores.filter(pl.col("several") > 1).select(cell_of).unique().height
    ranks = [[np.nan if cell is None or cell.rank is None else cell.rank for cell in row.cells] for row in found]
    return _headings(keys), ordered, ambiguous, differences(np.array(ranks, dtype=float))


def _compare(rows: Sequence[Row], scores: pl.DataFrame) -> None:
    """Set how many measures have a rank, and the interval of each one's place."""
    number = {row.key: place for place, row in enumerate(rows)}
    ranked = scores.filter(pl.col("rank").is_not_null())
    columns = [_ranked_column(names, part, number) for names, part in ranked.group_by(COLUMN, maintain_order=True)]
    for row, interval in zip(rows, share_intervals(columns, len(rows)), strict=True):
        row.measures = sum(bool(other.ranks) for other in rows)
        row.share_interval = interval


def _ranked_column(names: Key, scores: pl.DataFrame, number: Mapping[Key, int]) -> RankedColumn:
    places = [number[key] for key in scores.select(ROW).iter_rows()]
    found = [read_influences(text) for text in scores["influences"]]
    influences = None
    if all(share is not None and len(share) == len(found[0] or ()) for share in found):
        influences = np.array(found) * scores.select("step").to_numpy()
    return RankedColumn(repr(names), places, scores["goodness"].to_numpy(), influences)


def _cell(score: Mapping[str, Any], metric: str) -> Cell:
    if score["several"] > 1:
        return Cell(f"{score['several']} scores")
    value = score["value"]
    if value is None:
        return Cell("undefined", reason=score["reason"])
    share = score["normalised"]
    return Cell(
        f"{value:.3f}",
        interval_text(score["low"], score["high"]),
        None if share is None else round(10 * min(max(share, 0.0), 1.0)),
        _differs(score),
        score["rank"],
        None if score["rank"] is None else (score["rank"] - 0.5) / score["size"],
        _strip(score, metric),
        f"{score['failed_pairs']} of {score['pairs'] + score['failed_pairs']} failed" if score["failed_pairs"] else "",
    )


def _differs(score: Mapping[str, Any]) -> bool | None:
    """Return whether a score differs from chance, by its p-value or else by its interval; None if it has neither."""
    if score["p_value"] is not None:
        return bool(score["p_value"] <= LEVEL)
    if score["low"] is None or score["chance"] is None:
        return None
    return bool(score["low"] > score["chance"])


def _strip(score: Mapping[str, Any], metric: str) -> Strip:
    start, end = RANGES.get(metric, CORRELATION_RANGE)

    def place(name: str) -> float | None:
        number = score[name]
        return None if number is None else round(100 * min(max((number - start) / (end - start), 0.0), 1.0), 1)

    value, low, high, chance = (place(name) for name in ("value", "low", "high", "chance"))
    return Strip(value or 0.0, low, high, chance)


def _headings(keys: pl.DataFrame) -> list[list[str]]:
    """Return a short label for each column: what is always shown, and what distinguishes it."""
    shown = [name for name in COLUMN[:-1] if name in ALWAYS_SHOWN or keys[name].n_unique() > 1]
    # Other hyperparameters, or other seeds.
    keys = keys.with_columns(run=pl.int_range(1, pl.len() + 1).over(shown), runs=pl.len().over(shown))
    return [
        [_heading(name, row[name]) for name in shown if row[name] not in NOTHING]
        + [f"run {row['run']}"] * (row["runs"] > 1)
        for row in keys.to_dicts()
    ]


def _heading(name: str, value: Any) -> str:
    if name in PLAIN:
        return str(value)
    return f"pooling {value}" if name == "pooling" else f"{value} {name}"
