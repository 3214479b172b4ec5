"""Uncertainty of ranks: whether measures differ at all, by how much they must, and ranks with other models."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

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


class Differences(NamedTuple):
    """Whether the measures with a rank in every column differ.

    Attributes
    ----------
    measures, columns : int
        How many there are.
    p_value : float
        Of the Friedman test: how often ranks drawn at random would differ as much.
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
        Which measure each score is of.
    scores : array of shape (n_scores,)
        Larger is better, 1 the best.
    influences : array of shape (n_scores, n_models) or None
        What each model adds to a score's uncertainty; None if that of a score is unknown.
    """

    key: str
    rows: list[int]
    scores: Array
    influences: Array | None


def share_intervals(columns: Sequence[RankedColumn], measures: int) -> list[tuple[float, float] | None]:
    """Return for each measure a 95 % interval of its mean place, from 0 (the best) to 1, over draws of other models.

    None for measures without a place, or with one in a column of which an influence is unknown.
    """
    tail = (1 - COVERAGE) / 2
    ends = np.quantile(drawn_places(columns, measures), [tail, 1 - tail], axis=1).T
    return [None if np.isnan(low) else (float(low), float(high)) for low, high in ends]


def best_measures(columns: Sequence[RankedColumn], measures: int) -> list[int] | None:
    """Return the measures that cannot be told from the best one by their mean places: a 95 % confidence set of it.

    A measure is left out if another one has a better mean place in so many draws of other models that this happens to
    the best measure in at most one study of twenty, by the inequality of Bonferroni. Draws are joint, so what moves all
    measures alike tells none from another.

    Returns
    -------
    list of int or None
        Of the measures with a place in every column; None with fewer than two of them, or if an influence is unknown.
    """
    counts = np.bincount([row for column in columns for row in column.rows], minlength=measures)
    everywhere = np.flatnonzero(counts == len(columns)) if columns else np.array([], dtype=np.int64)
    places = drawn_places(columns, measures)[everywhere]
    if len(everywhere) < 2 or np.isnan(places).any():
        return None
    beaten = np.array([(places < own).mean(axis=1).max() for own in places])
    threshold = 1 - SIGNIFICANCE / (len(everywhere) - 1)
    return [int(row) for row in everywhere[beaten < threshold]]


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
