"""Scores of measures with their intervals and chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
from matplotlib.lines import Line2D

from resi.errors import UsageError
from resi.groundings.corrections import CORRECTION, NAMES, NEEDED
from resi.groundings.corrections import correct as correct_scores
from resi.groundings.readable import BEST, best_marks
from resi.plot.canvas import COLOURS, FONT, SMALL, axis_names, figure_legend, panels, plain, text_handle, title
from resi.plot.ranking import NAMED, SHOWN, block_names, own_words, ranked_scores
from resi.plot.reading import as_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from resi.plot.canvas import Where

MOST_PANELS = 24
LEGEND_WIDTH = 5.0
"""Height of the legend below the panels, in inches."""
OTHERS = "worse than the best, or not better than chance"
TITLES = {
    "auprc": "AUPRC",
    "spearman": "Spearman correlation",
    "pearson": "Pearson correlation",
    "kendall": "Kendall correlation",
}


class Panel(NamedTuple):
    """The scores of one test on one architecture and dataset.

    Attributes
    ----------
    name : str
        Its title.
    rows : dict from measure to dict
        The row of each measure's score.
    best : set of str or None
        Measures that are better than chance and not distinguishable from the best; None if that is unknown.
    """

    name: str
    rows: Mapping[str, Mapping[str, Any]]
    best: set[str] | None


def scores(  # noqa: PLR0913 - all but the first are options
    table: Any,
    *,
    test: str | None = None,
    domain: str | None = None,
    architecture: str | None = None,
    dataset: str | None = None,
    measures: Sequence[str] | None = None,
    protocol: str = "corrected",
    model_source: str | None = None,
    correct: str | None = None,
    ax: Where = None,
) -> Figure:
    """Draw each measure's score with its 95 % interval and chance; the best measure is at the top.

    One panel for each test, architecture and dataset, all with the measures in the same order, by mean place. Filled
    dots mark measures that are better than chance and not distinguishable from the best of a panel, as in
    :func:`resi.groundings.readable.read_scores`; no dot is filled if there are too few models to tell, if no score can
    be distinguished from chance, or if the uncertainty of a score is unknown.

    Parameters
    ----------
    table : DataFrame
        Scores of a run or a merge, with the columns :data:`resi.results.schema.SCORES`.
    test, domain, architecture, dataset : str, optional
        Use only scores of that test, domain, architecture or dataset.
    measures : sequence of str, optional
        Draw only these measures.
    protocol : str
        Use scores of this protocol.
    model_source : str, optional
        ``trained`` or ``published`` models; needed if the table holds both.
    correct : str, optional
        Method by which p-values are corrected for the number of measures in the table, including those not drawn,
        before measures are marked: ``holm``, ``bonferroni`` or ``fdr_bh``, see :func:`resi.correct`.
    ax : Axes or sequence of Axes, optional
        Where to draw, one for each panel.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    UsageError
        If the table holds no such scores, or more than 24 panels.
    """
    limits = {"test": test, "domain": domain, "architecture": architecture, "dataset": dataset}
    if correct is not None:
        table = correct_scores(as_frame("scores", table, NEEDED), correct)
    rows = ranked_scores("scores", table, measures, protocol, model_source=model_source, **limits)
    found = _panels(rows)
    if len(found) > MOST_PANELS:
        raise UsageError(
            f"plot.scores: the table holds scores of {len(found)} tests, architectures and datasets, more than "
            f"{MOST_PANELS} panels; choose with test=, domain=, architecture= or dataset="
        )
    order = _order(rows)
    columns = min(len(found), 3)
    width = max(2.9, LEGEND_WIDTH / columns)
    figure, axes = panels("scores", ax, len(found), (width, 1.15 + 0.165 * len(order)), columns)
    for place, (one, panel) in enumerate(zip(axes, found, strict=True)):
        _draw(one, panel, order, is_named=ax is not None or place % columns == 0)
    figure_legend(figure, axes, ax is None, _handles(found))
    return figure


def _order(rows: pl.DataFrame) -> list[str]:
    """Return the measures by their mean place; those without one, the only measure of a table among them, come last."""
    place = ((pl.col("rank") - 0.5) / pl.col("size")).mean().alias("place")
    value = pl.col("value").mean().alias("mean")
    means = (
        rows.group_by(SHOWN)
        .agg(place, value)
        .sort("place", "mean", SHOWN, descending=[False, True, False], nulls_last=True)
    )
    return means[SHOWN].to_list()


def _panels(rows: pl.DataFrame) -> list[Panel]:
    keys = rows.select(NAMED).unique().sort(NAMED, nulls_last=True)
    parts = {key: part for key, part in rows.group_by(NAMED)}
    names = block_names(keys.iter_rows())
    return [_panel(name, parts[key]) for name, key in zip(names, keys.iter_rows(), strict=True)]


def _panel(name: str, rows: pl.DataFrame) -> Panel:
    several = rows.filter(pl.col("several") > 1)
    if several.height:
        raise UsageError(
            f"plot.scores: {several[SHOWN][0]} has {several['several'][0]} scores for {name} that cannot be "
            "distinguished; keep only one in the table"
        )
    known = rows.filter(pl.col("value").is_not_null())
    by_measure = {row[SHOWN]: row for row in rows.iter_rows(named=True)}
    marks, _ = best_marks(known.to_dicts())
    if marks is None:
        return Panel(name, by_measure, None)
    return Panel(name, by_measure, {label for label, is_best in zip(known[SHOWN], marks, strict=True) if is_best})


def _draw(ax: Axes, panel: Panel, order: Sequence[str], is_named: bool) -> None:
    for place, label in enumerate(order):
        row = panel.rows.get(label)
        if row is None:
            continue
        if row["value"] is None:
            at: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center", "fontsize": SMALL - 1}
            ax.text(0.02, place, "no score", color="#777777", fontstyle="italic", **at)
            continue
        _draw_score(ax, row, place, _look(label, panel))
    chances = {label: row["chance"] for label, row in panel.rows.items() if row["chance"] is not None}
    if len(set(chances.values())) == 1:
        ax.axvline(next(iter(chances.values())), **_CHANCE)
    else:  # failed comparisons change chance
        for place, label in enumerate(order):
            if label in chances:
                ax.plot([chances[label]] * 2, [place - 0.5, place + 0.5], **_CHANCE)
    first = next(iter(panel.rows.values()))
    axis_names(ax, f"{TITLES.get(first['metric'], first['metric'])} (larger = better)")
    ax.set_ylim(len(order) - 0.4, -0.6)
    labels = list(order) if is_named else [""] * len(order)
    ax.set_yticks(range(len(order)), labels, fontsize=FONT if len(order) <= 12 else SMALL, parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", linewidth=0.4, alpha=0.5)
    plain(ax)
    title(ax, panel.name, width=30)


_CHANCE: dict[str, Any] = {"color": "#555555", "linestyle": (0, (3, 2)), "linewidth": 1.0}


def _look(label: str, panel: Panel) -> dict[str, Any]:
    """Return the style of a measure's dot, with its meaning."""
    dot = {"color": COLOURS[0], "marker": "o", "markersize": 4.2, "linestyle": "none"}
    if panel.best is None:
        return {**dot, "color": COLOURS[1], "marker": "D", "markersize": 3.6,
                "label": "score; the best is unknown"}  # fmt: skip
    if label in panel.best:
        return {**dot, "label": BEST}
    return {**dot, "markerfacecolor": "white", "label": OTHERS}


def _draw_score(ax: Axes, row: Mapping[str, Any], place: int, look: Mapping[str, Any]) -> None:
    if row["low"] is not None and row["high"] is not None:
        ax.plot((row["low"], row["high"]), (place, place), color=look["color"], linewidth=1.1, solid_capstyle="butt")
    ax.plot([row["value"]], [place], **look)


def _handles(found: Sequence[Panel]) -> list[Line2D]:
    looks = {}
    for panel in found:
        for label, row in panel.rows.items():
            if row["value"] is not None:
                look = _look(label, panel)
                looks[look["label"]] = look
    handles = [Line2D([], [], **look) for look in looks.values()]
    rows = [row for panel in found for row in panel.rows.values()]
    handles += text_handle(_correction_words(rows))
    handles += text_handle(own_words(label for panel in found for label in panel.rows))
    if any(row["low"] is not None for row in rows):
        handles.append(Line2D([], [], label="95 % interval", color=COLOURS[0], linewidth=1.1))
    if any(row["chance"] is not None for row in rows):
        handles.append(Line2D([], [], label="chance", **_CHANCE))
    return handles


def _correction_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the method by which p-values were corrected; empty if they were not."""
    methods = sorted({NAMES[row[CORRECTION]] for row in rows if row.get(CORRECTION)})
    return f"p corrected for the number of measures ({', '.join(methods)})" if methods else ""
