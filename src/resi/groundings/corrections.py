"""p-values corrected for the number of measures: among many, some score better than chance by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from resi.errors import UsageError, unknown_name
from resi.groundings.base import LEVEL
from resi.groundings.notes import sentence, too_few_to_tell
from resi.groundings.readable import ABOUT, TEST

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, np.dtype[np.float64]]

FAMILY = [*TEST, *ABOUT, "metric", "seed"]
"""Columns that define a family of tests: the scores of all measures on the same models."""
CORRECTION = "correction"
"""Column with the method by which p-values were corrected."""
NEEDED = ("test", "measure", "metric", "p_value")
METHODS = ("holm", "bonferroni", "fdr_bh")
NAMES = {"holm": "Holm", "bonferroni": "Bonferroni", "fdr_bh": "Benjamini-Hochberg"}
SHORT = {**NAMES, "fdr_bh": "BH"}


def correct(scores: pl.DataFrame, method: str = "holm") -> pl.DataFrame:
    """Return scores with p-values that are corrected for the number of measures.

    Scores of all measures by one metric of one test, on the same models, are a family of tests; without a correction,
    some of 24 measures that are no better than chance reach p = 0.025 in up to 45 % of all families. Figures and tables
    use the p-values in the scores: pass the result to :func:`resi.plot.scores` or to your own table.

    Parameters
    ----------
    scores : DataFrame
        With the columns :data:`resi.results.schema.SCORES`, for all measures that were tried: select measures only
        afterwards.
    method : str
        ``holm`` or ``bonferroni``: controls the probability of any false positive in a family, for any dependence
        between scores; Holm's p-values are never larger than Bonferroni's.
        ``fdr_bh``: controls the expected share of false positives among the positives, for positively dependent scores.

    Returns
    -------
    DataFrame
        With corrected ``p_value`` and ``smallest_p``, its smallest possible value. ``note`` says if the number of
        measures alone keeps all p-values above the level, and the column ``correction`` holds the method. Those without
        a p-value are not counted.

    Raises
    ------
    UsageError
        If the method is unknown, the table lacks a column, or its p-values are already corrected.

    References
    ----------
    .. [1] Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 1979.
    .. [2] Benjamini & Hochberg, Controlling the false discovery rate, Journal of the Royal Statistical Society B 1995.

    Examples
    --------
    >>> import polars as pl, resi
    >>> scores = {"test": "augmentation", "measure": ["cka", "rsa", "gulp"], "metric": "auprc"}
    >>> resi.correct(pl.DataFrame({**scores, "p_value": [0.01, 0.02, 0.5]}))["p_value"].to_list()
    [0.03, 0.04, 0.5]
    """
    _check(scores, method)
    family = [name for name in FAMILY if name in scores.columns]
    # In the order of rows; families lie apart.
    number = scores.select(pl.struct(family).rank("dense")).to_series().to_numpy()
    raw = scores["p_value"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    p_values = np.full(len(raw), np.nan)
    counts = np.zeros(len(raw), dtype=np.int64)
    for one in np.unique(number):
        members = np.flatnonzero((number == one) & ~np.isnan(raw))
        p_values[members] = adjusted(raw[members], method)
        counts[members] = len(members)
    found = scores.with_columns(
        p_value=pl.Series(p_values).fill_nan(None), **{CORRECTION: pl.lit(method)}, measures_=pl.Series(counts)
    )
    return (_with_smallest(found, method) if "smallest_p" in found.columns else found).drop("measures_")


def correct_on_request(scores: pl.DataFrame, method: str | None) -> pl.DataFrame:
    """Return scores corrected by a method, or unchanged without one."""
    return scores if method is None else correct(scores, method)


def p_title(scores: Any) -> str:
    """Return the heading of a column of p-values: ``p``, with the correction method if any row has one."""
    found = {row[CORRECTION] for row in scores if row.get(CORRECTION)}
    return f"p ({', '.join(SHORT[method] for method in sorted(found))})" if found else "p"


def adjusted(p_values: Array, method: str) -> Array:
    """Return p-values of one family of tests after a correction for their number, one of :data:`METHODS`.

    Parameters
    ----------
    p_values : array of shape (n_tests,)
        None of them NaN.
    """
    return _METHODS[method](p_values).clip(max=1)


def _bonferroni(p_values: Array) -> Array:
    return p_values * len(p_values)


def _holm(p_values: Array) -> Array:
    order = np.argsort(p_values, kind="stable")
    found = np.empty_like(p_values)
    found[order] = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    return found


def _fdr_bh(p_values: Array) -> Array:
    order = np.argsort(-p_values, kind="stable")
    found = np.empty_like(p_values)
    count = len(order)
    found[order] = np.minimum.accumulate(p_values[order] * count / np.arange(count, 0, -1))
    return found


_METHODS: dict[str, Callable[[Array], Array]] = {"holm": _holm, "bonferroni": _bonferroni, "fdr_bh": _fdr_bh}


def _check(scores: pl.DataFrame, method: str) -> None:
    if not isinstance(scores, pl.DataFrame):
        raise UsageError(f"correct: expected a table of polars, not a {type(scores).__name__}")
    if method not in METHODS:
        raise unknown_name("correction", str(method), list(METHODS))
    if missing := [name for name in NEEDED if name not in scores.columns]:
        raise UsageError(f"correct: the table lacks the columns {', '.join(missing)}; expected a table of scores")
    if CORRECTION in scores.columns:
        by = scores[CORRECTION].drop_nulls().unique().sort().to_list()
        raise UsageError(f"correct: the p-values of this table are corrected already (by {', '.join(by)})")


def _with_smallest(scores: pl.DataFrame, method: str) -> pl.DataFrame:
    """Return scores with the smallest possible corrected p-value, and a note where it is above the level.

    With the false discovery rate, measures that all have the smallest p-value keep it.
    """
    times = pl.lit(1) if method == "fdr_bh" else pl.col("measures_")
    smallest = (pl.col("smallest_p") * times).clip(upper_bound=1)
    found = scores.with_columns(smallest_p=smallest)
    if "note" not in scores.columns:
        return found
    notes = [
        sentence(note or "", too_few_to_tell(f"{count} measures to correct for", now))
        if before is not None and before <= LEVEL < now
        else note
        for note, count, before, now in zip(
            scores["note"], scores["measures_"], scores["smallest_p"], found["smallest_p"], strict=True
        )
    ]
    return found.with_columns(note=pl.Series(notes, dtype=pl.String))
