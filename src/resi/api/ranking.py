"""``resi.ranks``: which measures rank best over several tests, architectures and datasets, with uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from resi.errors import unknown_name
from resi.groundings.posthoc import POSTHOCS, holm, nemenyi, wilcoxon
from resi.groundings.ranks import (
    COLUMN,
    Differences,
    best_measures,
    chances_of_best,
    chances_of_better,
    differences,
    drawn_places,
    interval_of_places,
    ranked_column,
)
from resi.plot.ranking import BLOCK, SHOWN, ranked_scores, ranks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.groundings.posthoc import PostHoc
    from resi.plot.ranking import Ranks

    Array = np.ndarray[Any, np.dtype[np.float64]]

TABLE = {
    "measure": pl.String,
    "mean_rank": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p_best": pl.Float64,
    "best": pl.Boolean,
    "columns": pl.Int64,
}
PAIRS = {"measure_a": pl.String, "measure_b": pl.String, "a_better": pl.Float64, "p_value": pl.Float64}


class Ranking(NamedTuple):
    """Ranks of measures with their uncertainty.

    Attributes
    ----------
    table : polars.DataFrame
        One row for each measure, the best mean rank first: ``measure``, ``mean_rank``, its 95 % interval from ``low``
        to ``high``, ``p_best``, the share of draws of other models in which it is the best, ``best``, whether it is in
        the 95 % confidence set of the best measure, and ``columns``, the number of columns in which it has a rank.
        Null if a measure lacks a column, or the uncertainty of its scores is unknown.
    pairs : polars.DataFrame
        One row for each pair of measures, the better mean rank first: ``measure_a``, ``measure_b``, ``a_better``, the
        share of draws in which a is better (equal ranks count one half), and ``p_value`` of the post-hoc test of
        whether they differ over columns; null without :attr:`friedman`.
    friedman : Differences or None
        The Friedman test of the measures with a rank in every column: ``measures``, ``columns``, ``p_value``, and
        ``critical``, Nemenyi's critical difference of mean ranks at 5 %. None with fewer than three measures or two
        columns. If its p-value is above 5 %, ``pairs`` does not distinguish any two measures.
    """

    table: pl.DataFrame
    pairs: pl.DataFrame
    friedman: Differences | None


def ranks(  # noqa: PLR0913 - all but the first are options
    scores: Any,
    *,
    domain: str | None = None,
    test: str | None = None,
    architecture: str | None = None,
    dataset: str | None = None,
    measures: Sequence[str] | None = None,
    posthoc: PostHoc = "nemenyi",
    protocol: str = "corrected",
    model_source: str | None = None,
) -> Ranking:
    """Rank measures over tests, architectures and datasets, with two kinds of uncertainty.

    How ranks would vary with other models of the same design is simulated with 2000 draws: the scores of a column vary
    by what each model contributes to them (``influences``), with the same draw for all measures, as they are scored on
    the same models. The Friedman test tests whether ranks differ over columns, such as other architectures.

    Parameters
    ----------
    scores : DataFrame
        Scores of a run or a merge, with the columns :data:`resi.results.schema.SCORES`; a Parquet file of them; or the
        name of results shipped with resi, ``"baseline"``.
    domain, test, architecture, dataset : str, optional
        Use only scores of that domain, test, architecture or dataset.
    measures : sequence of str, optional
        Rank only these measures.
    posthoc : str
        ``nemenyi``, or ``wilcoxon``: signed-rank tests of the scores of each pair of measures with Holm's correction.
    protocol : str
        Use scores of this protocol.
    model_source : str, optional
        ``trained`` or ``published`` models; needed if the table holds both.

    Raises
    ------
    UsageError
        If the table holds no such scores, or no measure has a rank.

    References
    ----------
    .. [1] Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 2006.

    Examples
    --------
    >>> import resi
    >>> found = resi.ranks("experiments/results/scores.parquet", domain="graph")  # doctest: +SKIP
    >>> found.table.filter("best")["measure"].to_list()  # doctest: +SKIP
    ['cka', 'gulp', 'rsa']
    """
    if posthoc not in POSTHOCS:
        raise unknown_name("post-hoc test", str(posthoc), list(POSTHOCS))
    about = {"domain": domain, "test": test, "architecture": architecture, "dataset": dataset}
    known = ranked_scores("resi.ranks", scores, measures, protocol, model_source=model_source, **about)
    found = ranks_of("resi.ranks", known)
    number = {name: row for row, name in enumerate(found.names)}
    parts = known.filter(pl.col("rank").is_not_null()).partition_by(BLOCK, maintain_order=True)
    columns = [
        ranked_column(repr(part.select(COLUMN).row(0)), part, [number[name] for name in part[SHOWN]]) for part in parts
    ]
    count = len(found.names)
    places = drawn_places(columns, count)
    best = best_measures(columns, count)
    rows = [
        (name, mean, *_as_ranks(interval, count), share, None if share is None else row in (best or ()), int(known_in))
        for row, (name, mean, interval, share, known_in) in enumerate(
            zip(
                found.names,
                found.means,
                interval_of_places(places),
                chances_of_best(columns, places),
                (~np.isnan(found.values)).sum(axis=1),
                strict=True,
            )
        )
    ]
    table = pl.DataFrame(rows, schema=TABLE, orient="row")
    return Ranking(table, _pairs(found, places, posthoc), differences(found.values))


def _as_ranks(interval: tuple[float, float] | None, count: int) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval[0] * count + 0.5, interval[1] * count + 0.5)


def _pairs(found: Ranks, places: Array, posthoc: PostHoc) -> pl.DataFrame:
    """Return each pair of measures with how often the first is better, and the p-value of their difference."""
    better = chances_of_better(places)
    p_values = _p_values(found, posthoc)
    rows = [
        (a, b, better[row, other], p_values[row, other])
        for row, a in enumerate(found.names)
        for other, b in enumerate(found.names)
        if row < other
    ]
    numbers = pl.col("a_better", "p_value").fill_nan(None)
    return pl.DataFrame(rows, schema=PAIRS, orient="row").with_columns(numbers)


def _p_values(found: Ranks, posthoc: PostHoc) -> Array:
    """Return the p-values of all pairs of measures, NaN for measures that lack a column."""
    from resi.groundings.correlation import average_ranks

    p_values = np.full((len(found.names), len(found.names)), np.nan)
    tested = differences(found.values)
    if tested is None:
        return p_values
    whole = np.flatnonzero(~np.isnan(found.values).any(axis=1))
    if posthoc == "nemenyi":
        of_whole = nemenyi(average_ranks(found.values[whole].T).mean(axis=0), tested.columns)
    else:
        of_whole = holm(wilcoxon(found.goodness[whole]))
    p_values[np.ix_(whole, whole)] = of_whole
    return p_values
