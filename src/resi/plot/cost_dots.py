"""The cost of measures against their rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from matplotlib.lines import Line2D

from resi.errors import UsageError
from resi.measures.functional import FUNCTIONAL
from resi.plot.canvas import MARKERS, SMALL, axis_names, figure_legend, panels, plain, text_handle, title
from resi.plot.families import look
from resi.plot.names import name_dots
from resi.plot.ranking import SHOWN, all_families, own_words, ranked_scores, ranks_of
from resi.plot.reading import LABEL, as_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from resi.plot.canvas import Where


def cost(  # noqa: PLR0913 - all but the first two are options
    scores: Any,
    comparisons: Any,
    *,
    domain: str | None = None,
    test: str | None = None,
    measures: Sequence[str] | None = None,
    protocol: str = "corrected",
    model_source: str | None = None,
    ax: Where = None,
) -> Figure:
    """Draw the mean rank of each measure against the median time of one comparison; the best are at the top left.

    The time of a comparison includes its share of preparing both representations.

    Parameters
    ----------
    scores : DataFrame
        Scores of a run or a merge, with the columns :data:`resi.results.schema.SCORES`.
    comparisons : DataFrame
        The comparisons, with the columns ``measure``, ``parameters``, ``seconds`` and ``prepare_seconds``.
    domain, test : str, optional
        Only ranks and times in one domain, or ranks in one test.
    measures : sequence of str, optional
        Rank only these measures.
    protocol : str
        Use scores of this protocol.
    model_source : str, optional
        ``trained`` or ``published`` models; needed if the table holds both.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    UsageError
        If no measure has both a rank and a time.
    """
    rows = ranked_scores("cost", scores, measures, protocol, domain=domain, test=test, model_source=model_source)
    found = ranks_of("cost", rows)
    label_of = dict(rows.select(SHOWN, LABEL).unique().iter_rows())
    seconds = median_seconds(comparisons, domain)
    timed = [place for place, name in enumerate(found.names) if label_of[name] in seconds]
    if not timed:
        raise UsageError("plot.cost: no measure with a rank has a time among the comparisons")
    names = [found.names[place] for place in timed]
    families = [found.families[place] for place in timed]
    x = np.array([seconds[label_of[name]] for name in names])
    y = found.means[timed]
    figure, (one,) = panels("cost", ax, 1, (5.2, 4.2))
    for place, name in enumerate(families):
        one.plot([x[place]], [y[place]], **_dot(name))
    one.set_xscale("log")
    one.set_xlim(x.min() / 3, x.max() * 3)
    one.set_ylim(max(y.max() + 1, 3), min(y.min() - 1, 0.5))
    axis_names(one, "median seconds per comparison (log scale)", "mean rank (1 = best)")
    one.grid(linewidth=0.4, alpha=0.5)
    plain(one)
    columns = f"{len(found.columns)} {'rankings' if len(found.columns) > 1 else 'ranking'}"
    untimed = [name for name in found.names if name not in names]
    title(one, f"{columns}" + (f"; without a time: {', '.join(untimed)}" if untimed else ""), width=70)
    handles = [Line2D([], [], label=name or "unknown family", **_dot(name)) for name in sorted(set(families))]
    figure_legend(figure, [one], ax is None, handles + text_handle(own_words(names)))
    name_dots(one, x, y, names, SMALL - 0.5)
    return figure


def _dot(name: str) -> dict[str, Any]:
    known = all_families()
    marker = MARKERS[known.index(name) % len(MARKERS)] if name in known else "o"
    return {"marker": marker, "color": look(name)["facecolor"], "linestyle": "none", "markersize": 5.5,
            "markeredgecolor": "black", "markeredgewidth": 0.5}  # fmt: skip


def median_seconds(comparisons: Any, domain: str | None) -> dict[str, float]:
    """Return the median time of comparisons with a value, including their share of preparing, by measure label."""
    frame = as_frame("cost", comparisons, ["measure", "value", "seconds"])
    if domain is not None and "domain" in frame.columns:
        frame = frame.filter(domain=domain)
    preparing = pl.col("prepare_seconds").fill_null(0) if "prepare_seconds" in frame.columns else pl.lit(0.0)
    rows = frame.filter(pl.col("value").is_not_null() & ~pl.col("measure").is_in(list(FUNCTIONAL)))
    medians = rows.group_by(LABEL).agg((pl.col("seconds") + preparing).median().alias("seconds"))
    return {label: value for label, value in medians.iter_rows() if value is not None and value > 0}
