"""Ranks of measures and their uncertainty: tests for differences, critical differences, and ranks for other models."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from resi.groundings.correlation import average_ranks
from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, np.dtype[np.float64]]

DRAWS = 2000
COVERAGE = 0.95
SIGNIFICANCE = 0.05
# Scores that differ by less are equal but for rounding.
DIGITS = 12
TOLERANCE = 1e-9

MEASURE = ["measure", "parameters", "origin"]
"""Columns that identify a measure within a column of scores."""
COLUMN = ["architecture", "dataset", "functional", "setting", "pooling", "groups", "models", "compared"]
"""Columns that define a ranking, within one test of one domain: scores that agree in these are ranked together."""


def with_ranks(scores: pl.DataFrame, column: Sequence[str], *, as_published: bool = False) -> pl.DataFrame:
    """Rank the measures of each column of scores, by how much each is better than chance.

    Parameters
    ----------
    scores : DataFrame
        With the columns :data:`resi.results.schema.SCORES`, by one metric of each test.
    column : sequence of str
        Columns in which scores must agree to be ranked together.
    as_published : bool
        Rank as in the published figure: by the scores themselves, ignoring chance; ties share the best of their ranks,
        and a single measure has rank 1.

    Returns
    -------
    DataFrame
        With further columns: ``goodness``, by which measures are ranked, ``step``, the goodness that one more of the
        score is, ``several``, how many scores a measure has in the column (more than one are ambiguous and have no
        rank), ``rank``, 1 the best, equal scores sharing their mean rank, and ``size``, how many have one.
    """
    # Where comparisons have failed, chance is another one: measures are ranked by how far they come from it.
    by_chance = pl.col("normalised").count().over(column) == pl.col("value").count().over(column)
    by_chance &= not as_published
    scores = scores.with_columns(
        goodness=pl.when(by_chance).then("normalised").otherwise("value"),
        # What moves a score moves its share of the way from chance to the best value by so much more.
        step=pl.when(by_chance).then(1 / (1 - pl.col("chance"))).otherwise(1.0),
        several=pl.len().over([*MEASURE, *column]),
    )
    goodness = pl.col("goodness") if as_published else pl.col("goodness").round(DIGITS)
    rankable = pl.when((pl.col("several") == 1) & pl.col("value").is_not_null()).then(goodness)
    # The only measure of a column is neither first nor last.
    fewest = 1 if as_published else 2
    rank = pl.when(rankable.count() >= fewest).then(
        rankable.rank("min" if as_published else "average", descending=True).cast(pl.Float64)
    )
    return scores.with_columns(rank=rank.over(column), size=rankable.count().over(column))


class Differences(NamedTuple):
    """Whether the measures with a rank in every column differ.

    Attributes
    ----------
    measures, columns : int
        Their numbers.
    p_value : float
        Of the Friedman test: the probability that random ranks differ as much.
    critical : float
        Mean ranks that differ by less are not distinguishable (Nemenyi, 5 %).
    """

    measures: int
    columns: int
    p_value: float
    critical: float


def differences(ranks: Array) -> Differences | None:
    """Compare measures by their ranks in several columns; None with fewer than three measures or two columns.

    Parameters
    ----------
    ranks : array of shape (n_measures, n_columns)
        NaN where a measure has none; such measures are left out, and the others ranked among themselves.

    References
    ----------
    .. [1] Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 2006.
    """
    from scipy.special import chdtrc
    from scipy.stats import studentized_range

    complete = ranks[~np.isnan(ranks).any(axis=1)]
    measures, columns = complete.shape
    if measures < 3 or columns < 2:
        return None
    placed = average_ranks(complete.T)
    spread = ((placed - (measures + 1) / 2) ** 2).sum() / (columns * (measures - 1))
    between = ((placed.mean(axis=0) - (measures + 1) / 2) ** 2).sum()
    p_value = float(chdtrc(measures - 1, columns * between / spread)) if spread > 0 else 1.0
    quantile = studentized_range.ppf(1 - SIGNIFICANCE, measures, np.inf) / math.sqrt(2)
    critical = float(quantile) * math.sqrt(measures * (measures + 1) / (6 * columns))
    return Differences(measures, columns, p_value, critical)


class RankedColumn(NamedTuple):
    """The scores of one column that are ranked.

    Attributes
    ----------
    key : str
        What distinguishes the column: its draws depend on it.
    rows : list of int
        The measure of each score.
    scores : array of shape (n_scores,)
        Larger is better, 1 the best.
    influences : array of shape (n_scores, n_models) or None
        The contribution of each model to a score's uncertainty; None if it is unknown for a score.
    """

    key: str
    rows: list[int]
    scores: Array
    influences: Array | None


def ranked_column(key: str, scores: pl.DataFrame, rows: list[int]) -> RankedColumn:
    """Return the scores of one column, of :func:`with_ranks`, that have a rank; ``rows`` says of which measures."""
    found = [read_influences(text) for text in scores["influences"]]
    influences = None
    if all(share is not None and len(share) == len(found[0] or ()) for share in found):
        influences = np.array(found) * scores.select("step").to_numpy()
    return RankedColumn(key, rows, scores["goodness"].to_numpy(), influences)


def interval_of_places(places: Array) -> list[tuple[float, float] | None]:
    """Return the 95 % interval of each measure's mean place over draws, None where there are none.

    There are none for measures without a place, or with one in a column of which an influence is unknown.

    Parameters
    ----------
    places : array of shape (n_measures, n_draws)
        Of :func:`drawn_places`.
    """
    tail = (1 - COVERAGE) / 2
    ends = np.quantile(places, [tail, 1 - tail], axis=1).T
    return [None if np.isnan(low) else (float(low), float(high)) for low, high in ends]


def chances_of_best(columns: Sequence[RankedColumn], places: Array) -> list[float | None]:
    """Return the share of draws in which each measure has the best mean place; ties share a draw.

    None for measures that lack a place in a column, and for all if an influence of the others is unknown.
    """
    found: list[float | None] = [None] * len(places)
    everywhere = _in_all(columns, len(places))
    compared = places[everywhere]
    if len(everywhere) < 2 or np.isnan(compared).any():
        return found
    first = compared <= compared.min(axis=0) + TOLERANCE
    for row, share in zip(everywhere, (first / first.sum(axis=0)).mean(axis=1), strict=True):
        found[row] = float(share)
    return found


def chances_of_better(places: Array) -> Array:
    """Return the share of draws in which each measure (first axis) has a better mean place than another; ties: half.

    Returns
    -------
    array of shape (n_measures, n_measures)
        One half on the diagonal, NaN where a place is.
    """
    count = len(places)
    found = np.full((count, count), np.nan)
    for row, own in enumerate(places):
        found[row] = (np.sign(places - own) + 1).mean(axis=1) / 2
    return found


def best_measures(columns: Sequence[RankedColumn], measures: int) -> list[int] | None:
    """Return the measures not distinguishable from the best one by mean place: a 95 % confidence set of the best.

    A measure is left out if another one has a better mean place in so many draws of other models that this happens to
    the best measure in at most one study of twenty, by the inequality of Bonferroni. Draws are joint, so what moves all
    measures alike distinguishes none from another.

    Returns
    -------
    list of int or None
        Of the measures with a place in every column; None with fewer than two of them, or if an influence is unknown.
    """
    everywhere = _in_all(columns, measures)
    places = drawn_places(columns, measures)[everywhere]
    if len(everywhere) < 2 or np.isnan(places).any():
        return None
    beaten = np.array([(places < own).mean(axis=1).max() for own in places])
    threshold = 1 - SIGNIFICANCE / (len(everywhere) - 1)
    return [int(row) for row in everywhere[beaten < threshold]]


def _in_all(columns: Sequence[RankedColumn], measures: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the measures with a place in every column."""
    counts = np.bincount([row for column in columns for row in column.rows], minlength=measures)
    return np.flatnonzero(counts == len(columns)) if columns else np.array([], dtype=np.int64)


def drawn_places(columns: Sequence[RankedColumn], measures: int) -> Array:
    """Return mean places of measures, from 0 (the best) to 1, under draws of other models.

    Scores are drawn around those found, all measures of a column with the same draw for a model, as they are scored
    on the same models: what moves all alike changes no rank.

    Returns
    -------
    array of shape (n_measures, n_draws)
        NaN for measures without a place, or with one in a column of which an influence is unknown.
    """
    total, count = np.zeros((measures, DRAWS)), np.zeros((measures, 1))
    for column in columns:
        total[column.rows] += np.nan if column.influences is None else _drawn_shares(column, column.influences)
        count[column.rows] += 1
    with np.errstate(invalid="ignore"):
        return total / count


def _drawn_shares(column: RankedColumn, influences: Array) -> Array:
    drawn = generator(0, "other models", column.key).standard_normal((DRAWS, influences.shape[1]))
    return shares(np.minimum(column.scores + drawn @ influences.T, 1)).T


def shares(scores: Array) -> Array:
    """Return the places of scores along the last axis, from 0 (the best) to 1: the middle of each rank's step."""
    found: Array = (average_ranks(-scores.round(DIGITS)) - 0.5) / scores.shape[-1]
    return found


def read_influences(text: str | None) -> list[float] | None:
    """Return the numbers of a table's column ``influences``, None where there are none."""
    try:
        found = json.loads(text or "")
        numbers = [float(number) for number in found] if isinstance(found, list) else []
    except (ValueError, TypeError, OverflowError, RecursionError):  # a table from elsewhere
        return None
    return numbers if numbers and all(map(math.isfinite, numbers)) else None


def indistinct_from_best(goodness: Array, influences: Array | None) -> list[bool]:
    """Return which scores of one column are not distinguishable from the best, over other models.

    All are scored on the same models, so that what counts is the uncertainty of the difference: the length of the
    difference of ``influences``. Normal at 5 %, for each score alone.

    Parameters
    ----------
    goodness : array of shape (n_scores,)
        Larger is better; NaN where there is none, which cannot be compared and is False.
    influences : array of shape (n_scores, n_models) or None
        What each model adds to a score's uncertainty; None if it is not known, and only equal scores are as good.
    """
    known = ~np.isnan(goodness)
    if not known.any():
        return [False] * len(goodness)
    rounded = goodness.round(DIGITS)
    best = int(np.nanargmax(rounded))
    width = np.zeros(len(goodness))
    if influences is not None:
        width = 1.959964 * np.linalg.norm(influences - influences[best], axis=1)
    return [bool(one) for one in known & (rounded[best] - rounded <= width)]
