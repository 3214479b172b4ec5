"""The ranking of measures in a test, over all architectures and datasets with scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from resi.choices import Protocol
from resi.groundings import SCORED
from resi.groundings.ranks import (
    COLUMN,
    DIGITS,
    Differences,
    RankedColumn,
    chances_of_best,
    differences,
    drawn_places,
    interval_of_places,
    ranked_column,
    with_ranks,
)
from resi.groundings.readable import differs_from_chance, with_designs
from resi.registry.labels import measure_label
from resi.report.cells import Cell, cell_of
from resi.report.tables import without_nan
from resi.results.schema import OWN, PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Key = tuple[Any, ...]

BOARD = ["domain", "test", "protocol", "model_source"]
ALWAYS_SHOWN = ("architecture", "dataset")
PLAIN = ("architecture", "dataset", "functional", "setting")
NOTHING = (None, "", "none")
ROW = ["measure", "parameters", "origin"]


@dataclass
class Row:
    """A measure and its cells, in the order of columns; None where it has no score.

    Attributes
    ----------
    measures : int
        The number of measures with a rank in any column of the leaderboard.
    share_interval : tuple of float or None
        95 % interval of ``mean_share`` over other models, see :func:`resi.groundings.ranks.drawn_places`.
    best_share : float or None
        The share of these draws of other models in which it has the best mean place.
    """

    key: Key
    label: str
    imported: bool
    cells: list[Cell | None] = field(default_factory=list)
    measures: int = 0
    share_interval: tuple[float, float] | None = None
    best_share: float | None = None

    @property
    def ranks(self) -> list[float]:
        """Its ranks in the columns where it has one."""
        return [cell.rank for cell in self.cells if cell is not None and cell.rank is not None]

    @property
    def mean_share(self) -> float | None:
        """Mean place over the columns in which it has a rank, from 0 (the best) to 1."""
        shares = [cell.share for cell in self.cells if cell is not None and cell.share is not None]
        return fmean(shares) if shares else None

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


class Design(NamedTuple):
    """The data behind a column.

    Attributes
    ----------
    names : dict
        The column's ``architecture``, ``dataset``, ``functional`` and so on, see ``COLUMN``.
    chance : float or None
        Chance, if it is the same for all its scores.
    notes : list of str
        Notes on its scores, each once: why they carry little information.
    ranked : RankedColumn or None
        The scores that have a rank; ``rows`` counts in ``Leaderboard.order``.
    unsure : list of int
        Which of the ranked scores are not distinguished from chance.
    """

    names: dict[str, Any]
    chance: float | None
    notes: list[str]
    ranked: RankedColumn | None
    unsure: list[int]


class Leaderboard(NamedTuple):
    """The measures of one domain, test, protocol and source of models; the smallest mean rank first.

    Attributes
    ----------
    columns : list of list of str
        The heading of each column, in a few words.
    designs : list of Design
        The data behind each column.
    order : list
        The keys of the rows in the order of the table.
    ambiguous : int
        The number of cells with several scores, which are not ranked.
    differences : Differences or None
        Whether the measures differ, and the critical difference of mean ranks.
    """

    domain: str
    test: str
    protocol: str
    model_source: str | None
    metric: str
    columns: list[list[str]]
    designs: list[Design]
    rows: list[Row]
    order: list[Key]
    ambiguous: int
    differences: Differences | None = None

    @property
    def conditions(self) -> str:
        """What differs from trained models and the corrected protocol; empty if nothing does."""
        return conditions(self.protocol, self.model_source)

    @property
    def kind(self) -> str:
        """Which comparisons the test uses: between ``settings``, ``seeds`` or ``layers``."""
        return SCORED[self.test].kind


def conditions(protocol: str, model_source: str | None) -> str:
    """Return in words what differs from trained models and the corrected protocol; empty if nothing does."""
    named = {PUBLISHED: ["published models"], OWN: ["your own models"], None: ["models of unknown source"]}
    words = named.get(model_source, [])
    return ", ".join([*words, *([] if protocol == Protocol.corrected else [f"{protocol} protocol"])])


def leaderboards(scores: pl.DataFrame) -> Iterator[Leaderboard]:
    """Yield a leaderboard for each domain, test, protocol, and source of models.

    Parameters
    ----------
    scores : DataFrame
        With the columns :data:`resi.results.schema.SCORES`; rows of unknown tests are left out.
    """
    for (domain, test, protocol, source), rows in headline_scores(scores).group_by(BOARD, maintain_order=True):
        model_source = None if source is None else str(source)
        yield _ranked(rows, (str(domain), str(test), str(protocol), model_source, SCORED[str(test)].headline))


def headline_scores(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the scores that rank measures: of known tests, by their ranking metric, without those of single models."""
    by_test = pl.col("test").replace_strict({name: test.headline for name, test in SCORED.items()}, default=None)
    return without_nan(scores).filter(pl.col("seed").is_null() & (pl.col("metric") == by_test))


def _ranked(scores: pl.DataFrame, about: tuple[str, str, str, str | None, str]) -> Leaderboard:
    scores = with_ranks(with_designs(scores, "groups"), COLUMN)
    columns = scores.group_by(COLUMN).agg(pl.col("design").max()).sort(COLUMN, nulls_last=True)
    keys = columns.select(COLUMN)
    places = {key: place for place, key in enumerate(keys.iter_rows())}
    rows: dict[Key, Row] = {}
    for score in scores.iter_rows(named=True):
        label, imported = measure_label(score["measure"], score["parameters"]), score["origin"] == PUBLISHED
        key = tuple(score[name] for name in ROW)
        row = rows.setdefault(key, Row(key, label, imported, [None] * len(places)))
        row.cells[places[tuple(score[name] for name in COLUMN)]] = cell_of(score)
    found = list(rows.values())
    designs = _designs(keys, scores, {key: place for place, key in enumerate(rows)})
    _compare(found, [design.ranked for design in designs if design.ranked])
    ordered = sorted(rows.values(), key=lambda row: (row.mean_rank is None, row.mean_rank, row.label, row.imported))
    ambiguous = scores.filter(pl.col("several") > 1).select(ROW + COLUMN).unique().height
    ranks = [[np.nan if cell is None or cell.rank is None else cell.rank for cell in row.cells] for row in found]
    differing = differences(np.array(ranks, dtype=float))
    return Leaderboard(*about, _headings(columns), designs, ordered, list(rows), ambiguous, differing)


def _designs(keys: pl.DataFrame, scores: pl.DataFrame, number: Mapping[Key, int]) -> list[Design]:
    """Return what each column rests on."""
    parts = scores.partition_by(COLUMN, as_dict=True, maintain_order=True)
    designs = []
    for names in keys.iter_rows():
        part = parts[names]
        ranked = part.filter(pl.col("rank").is_not_null())
        chances = part["chance"].round(DIGITS).unique()
        designs.append(
            Design(
                dict(zip(COLUMN, names, strict=True)),
                chances[0] if len(chances) == 1 else None,
                part.filter(pl.col("note") != "")["note"].unique().sort().to_list(),
                _ranked_column(names, ranked, number),
                [row for row, score in enumerate(ranked.iter_rows(named=True)) if differs_from_chance(score) is False],
            )
        )
    return designs


def _compare(rows: Sequence[Row], columns: Sequence[RankedColumn]) -> None:
    """Set the number of ranked measures, the interval of each measure's place, and how often it is the best."""
    ranked = sum(bool(row.ranks) for row in rows)
    places = drawn_places(columns, len(rows))
    for row, interval, best in zip(rows, interval_of_places(places), chances_of_best(columns, places), strict=True):
        row.measures = ranked
        row.share_interval = interval
        row.best_share = best


def _ranked_column(names: Key, ranked: pl.DataFrame, number: Mapping[Key, int]) -> RankedColumn | None:
    """Return the ranked scores of a column, or None if there are none."""
    if ranked.is_empty():
        return None
    return ranked_column(repr(names), ranked, [number[key] for key in ranked.select(ROW).iter_rows()])


def _headings(keys: pl.DataFrame) -> list[list[str]]:
    """Return a short label for each column: the names always shown, and those that distinguish it."""
    shown = [name for name in COLUMN[:-1] if name in ALWAYS_SHOWN or keys[name].n_unique() > 1]
    # Other hyperparameters, or other seeds.
    alike = [*shown, "design"]
    keys = keys.with_columns(run=pl.int_range(1, pl.len() + 1).over(alike), runs=pl.len().over(alike))
    return [
        [_heading(name, row[name]) for name in shown if row[name] not in NOTHING]
        + [row["design"]] * bool(row["design"])
        + [f"run {row['run']}"] * (row["runs"] > 1)
        for row in keys.to_dicts()
    ]


def _heading(name: str, value: Any) -> str:
    if name in PLAIN:
        return str(value)
    return f"pooling {value}" if name == "pooling" else f"{value} {name}"
