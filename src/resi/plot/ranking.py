"""Ranks of measures in a table of scores, for the figures of ranks and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from resi import registry
from resi.console import say
from resi.domains.custom.table import OWN as UNNAMED
from resi.errors import UsageError
from resi.groundings import SCORED
from resi.groundings.ranks import with_ranks
from resi.groundings.readable import with_designs
from resi.measures.guard import is_built_in
from resi.plot.reading import LABEL, as_frame, caller, chosen_labels, one_value
from resi.results.schema import LATER_COLUMNS, PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Array = np.ndarray[Any, np.dtype[np.float64]]

BLOCK = [
    "domain",
    "test",
    "architecture",
    "dataset",
    "functional",
    "setting",
    "pooling",
    "groups",
    "models",
    "compared",
]
"""Scores with equal values in these columns are ranked together: one column of ranks."""
NAMED = [*BLOCK, "design"]
"""The columns used by :func:`block_names`; scores of one block have one design."""
NEEDED = ["test", "domain", "dataset", "architecture", "measure", "metric", "value"]
LATER = ("seed", "normalised", "origin", "influences", "pooling", "setting", "compared", "low", "high", "model_source",
         "p_value", "note", "settings")  # fmt: skip
SHOWN = "shown"
"""Column: a measure's label, marked if its scores are imported beside others, or resi does not provide it."""
OWN = " *"
"""The mark behind the names of measures that resi does not provide."""


def ranked_scores(
    function: str,
    table: Any,
    measures: Sequence[str] | str | None = None,
    protocol: str | None = "corrected",
    **values: Any,
) -> pl.DataFrame:
    """Return the scores of a table that rank measures, with their ranks: the headline metric of each test.

    Parameters
    ----------
    measures : sequence of str, optional
        Rank only these measures; by default, all.
    protocol : str
        Use scores of this protocol.
    **values
        Filters by column; those with the value None are ignored.

    Raises
    ------
    UsageError
        If nothing is left, or scores of trained and of published models are mixed.
    """
    rows = headline_rows(function, table, measures, protocol, **values)
    return with_ranks(rows.filter(pl.col("seed").is_null()), BLOCK)


def headline_rows(
    function: str,
    table: Any,
    measures: Sequence[str] | str | None = None,
    protocol: str | None = "corrected",
    **values: Any,
) -> pl.DataFrame:
    """Return the scores that :func:`ranked_scores` ranks, together with those of single models."""
    frame = as_frame(function, table, NEEDED).with_columns(pl.col(pl.Float64).fill_nan(None))
    later = {name: LATER_COLUMNS[name] for name in LATER if name not in frame.columns}
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in later.items())
    frame = frame.with_columns(
        pl.lit(None).alias(name) for name in (*BLOCK, "chance", "parameters") if name not in frame.columns
    )
    for column, value in {**values, "protocol": protocol}.items():
        if value is not None:
            frame = one_value(function, frame, column, value)
    frame = one_value(function, frame, "model_source", values.get("model_source"))
    labels = chosen_labels(function, frame, measures)
    headline = pl.any_horizontal(
        (pl.col("test") == name) & (pl.col("metric") == test.headline) for name, test in SCORED.items()
    )
    rows = frame.filter(headline & pl.col(LABEL).is_in(labels))
    of_all = rows.filter(pl.col("seed").is_null())
    if of_all["value"].count() == 0:
        raise UsageError(f"{caller(function)}: no measure has a score in the table{_first_reason(of_all)}")
    mixed = of_all["origin"].n_unique() > 1
    own = pl.when(pl.col("measure").is_in(_built_in())).then(pl.lit("")).otherwise(pl.lit(OWN))
    imported = (
        pl.when(pl.lit(mixed) & (pl.col("origin") == PUBLISHED)).then(pl.lit(" (published)")).otherwise(pl.lit(""))
    )
    rows = rows if "protocol" in rows.columns else rows.with_columns(protocol=pl.lit(protocol))
    rows = with_designs(rows).with_columns(pl.col("design").max().over(BLOCK))
    return rows.with_columns((pl.col(LABEL) + imported + own).alias(SHOWN))


def _built_in() -> list[str]:
    return [measure.name for measure in registry.measures().in_order() if is_built_in(measure)]


def own_words(names: Iterable[str]) -> str:
    """Return the meaning of the mark behind the reader's own measures; empty if there are none."""
    return f"{OWN.strip()} from a plugin, or the reader's own" if any(name.endswith(OWN) for name in names) else ""


def _first_reason(rows: pl.DataFrame) -> str:
    reasons = [reason for reason in rows["reason"].drop_nulls() if reason] if "reason" in rows.columns else []
    return f": {reasons[0]}" if reasons else ""


class Ranks(NamedTuple):
    """Ranks of measures in several columns.

    Attributes
    ----------
    names : list of str
        The measures, the best mean place first.
    families : list of str
        The family of each; empty if unknown.
    values : array of shape (n_measures, n_columns)
        NaN if a measure has no rank. A rank among fewer measures is scaled to its place among all of them (unless ranks
        are used unscaled).
    goodness : array of shape (n_measures, n_columns)
        The values that were ranked; larger is better.
    columns : list of str
        The name of each column.
    """

    names: list[str]
    families: list[str]
    values: Array
    goodness: Array
    columns: list[str]

    @property
    def means(self) -> Array:
        """The mean rank of each measure over its columns."""
        counts = (~np.isnan(self.values)).sum(axis=1)
        return np.nansum(self.values, axis=1) / counts

    @property
    def medians(self) -> Array:
        """The median rank of each measure over its columns."""
        found: Array = np.nanmedian(self.values, axis=1)
        return found

    def in_order(self, order: Sequence[int]) -> Ranks:
        """Return the same ranks with the measures in another order."""
        return self._replace(
            names=[self.names[row] for row in order],
            families=[self.families[row] for row in order],
            values=self.values[order],
            goodness=self.goodness[order],
        )


def ranks_of(function: str, scores: pl.DataFrame, *, by_place: bool = True) -> Ranks:
    """Return the ranks of the measures in scores; those without any rank are left out.

    Measures left out because of several scores on the same models are named on stderr.

    Parameters
    ----------
    by_place : bool
        Whether a rank among fewer measures is scaled to its place among all; otherwise ranks are used unscaled.

    Raises
    ------
    UsageError
        If no measure has a rank.
    """
    ranked = scores.filter(pl.col("rank").is_not_null())
    if ranked.is_empty():
        raise UsageError(
            f"{caller(function)}: no measure has a rank; ranking needs at least two measures, each scored once on the "
            "same models"
        )
    _name_ambiguous(function, scores, ranked)
    measures = ranked.select(SHOWN, "measure").unique(SHOWN, maintain_order=True)
    keys = {key: place for place, key in enumerate(ranked.select(NAMED).unique(maintain_order=True).iter_rows())}
    place_of = {name: place for place, name in enumerate(measures[SHOWN])}
    values = np.full((len(place_of), len(keys)), np.nan)
    goodness = values.copy()
    for row in ranked.iter_rows(named=True):
        at = place_of[row[SHOWN]], keys[tuple(row[name] for name in NAMED)]
        values[at] = (row["rank"] - 0.5) / row["size"] * len(place_of) + 0.5 if by_place else row["rank"]
        goodness[at] = row["goodness"]
    found = Ranks(
        measures[SHOWN].to_list(), [family(name) for name in measures["measure"]], values, goodness, block_names(keys)
    )
    order = sorted(range(len(values)), key=lambda place: (found.means[place], found.names[place]))
    return found.in_order(order)


def _name_ambiguous(function: str, scores: pl.DataFrame, ranked: pl.DataFrame) -> None:
    """Name the measures with several scores, for example because their code has changed in between."""
    ambiguous = scores.filter((pl.col("several") > 1) & ~pl.col(SHOWN).is_in(ranked[SHOWN].implode()))
    if names := ", ".join(ambiguous[SHOWN].unique(maintain_order=True)):
        say(
            f"{caller(function)}: left out: {names}, with several scores on the same models; if the code has changed, "
            "delete the shards that resi list shards --outdated names, and merge again"
        )


def block_names(keys: Any) -> list[str]:
    """Return a short name for each column of scores, from the values of :data:`NAMED` that distinguish it."""
    rows = [dict(zip(NAMED, key, strict=True)) for key in keys]
    plain = ("domain", "test", "architecture", "dataset", "functional", "setting")
    varying = [name for name in plain if len({row[name] for row in rows}) > 1]
    # If nothing varies: the models, or the test if they are the reader's own and have no names.
    varying = varying or [name for name in ("architecture", "dataset") if rows[0][name] != UNNAMED] or ["test"]
    names = [", ".join(str(row[name]) for name in varying if row[name] not in (None, "", "none")) for row in rows]
    names = [f"{name} ({row['design']})" if row["design"] else name for name, row in zip(names, rows, strict=True)]
    for more in ("pooling", "groups", "models"):
        if len(set(names)) < len(names) and len({row[more] for row in rows}) > 1:
            names = [f"{name}, {row[more]} {more}" for name, row in zip(names, rows, strict=True)]
    several = {name for name in names if names.count(name) > 1}
    return [f"{name}, run {names[: at + 1].count(name)}" if name in several else name for at, name in enumerate(names)]


def family(measure: str) -> str:
    """Return the family of a measure; empty if resi does not know the measure."""
    known = registry.measures()
    return known.get(measure).family if measure in known else ""


def all_families() -> list[str]:
    """Return the families of all measures, built-in ones first, so that each has the same colour in every figure."""
    own = {measure.family for measure in registry.measures().in_order() if measure.benchmark}
    return [*sorted(own), *sorted({measure.family for measure in registry.measures().in_order()} - own)]
