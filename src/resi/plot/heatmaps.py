"""Heat maps: the similarity of all pairs of layers or models, read the same way for every measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import PatchCollection
from matplotlib.patches import Patch, Rectangle

from resi.errors import UsageError
from resi.plot.canvas import COLOURS, FONT, MISSING, SMALL, axis_names, every, legend, panels, title, wrapped
from resi.plot.pair_maps import Groups, Panel, chosen_maps, group_of, reordered
from resi.plot.reading import direction
from resi.plot.squares import Square, clustered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from resi.plot.canvas import Where


MOST_WRITTEN = 12
"""Rows and columns up to which values are written in the cells."""
MOST_LABELS = 48
LETTER = 0.055
"""Width of a letter of a label, in inches."""
AXIS_INCHES = 0.18
"""Height of the name of an axis."""
BAR_INCHES = 0.055
"""Width of the bars that mark groups."""
LINE_POINTS = 11
LEGEND_LETTERS = 17
"""Letters per inch above a map."""


def heatmap(  # noqa: PLR0913 - all but the first are options
    table: pl.DataFrame | Any,
    measure: str | Sequence[str] | None = None,
    *,
    labels: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    groups: Groups = None,
    order: Literal["given", "clustered"] = "given",
    larger_is_more_similar: bool | None = None,
    limits: tuple[float, float] | None = None,
    write: bool | None = None,
    ax: Where = None,
) -> Figure:
    """Draw the similarity of all pairs of layers or models as a heat map, one panel per measure.

    Bright is more similar in every panel, also for distances.

    Parameters
    ----------
    table : DataFrame or array of shape (n_rows, n_columns)
        A table returned by :func:`resi.pairwise`, the comparisons of a run, or an array of values with ``labels``.
    measure : str or sequence of str, optional
        Which measures of the table, by default all; for an array, the measure of its values.
    labels, columns : sequence of str, optional
        Names of an array's rows and columns; without ``columns``, both have the names of the rows. With a table: which
        rows and columns to draw, and in which order.
    groups : mapping from str to str, or sequence of str, optional
        The group of each item, by name or in the order of rows; shown as bars, with lines between groups. By default,
        the settings of a table of comparisons, and of layers ``NETWORK:LAYER`` the networks.
    order : str
        ``given``, or ``clustered``: average linkage by the first measure, with similar items next to each other.
    larger_is_more_similar : bool, optional
        The direction of the measure, if neither the table nor resi knows it.
    limits : (float, float), optional
        Values at the ends of the colour scale; by default the smallest and largest value of two different items. Values
        outside have the colour of the end, and the colour bar gets a tip.
    write : bool, optional
        Whether to write values into the cells; by default, if there are few.
    ax : Axes or sequence of Axes, optional
        Where to draw, one for each measure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, which can be shown or saved.

    Raises
    ------
    UsageError
        If the table is empty, a measure is missing or has no value, or names and values do not match.

    Examples
    --------
    >>> import resi, numpy as np
    >>> layers = {f"layer {i}": np.random.default_rng(i).normal(size=(50, 8)) for i in range(4)}
    >>> figure = resi.plot.heatmap(resi.pairwise(layers, ["cka", "procrustes"]))  # doctest: +SKIP
    """
    if order not in ("given", "clustered"):
        raise UsageError(f"plot.heatmap: order={order!r}: expected 'given' or 'clustered'")
    maps, known = chosen_maps("heatmap", table, measure, labels, columns, larger_is_more_similar)
    members = [group_of("heatmap", groups, panel.found, known) for panel in maps]
    if order == "clustered":
        first = maps[0]
        rows, across = clustered("heatmap", first.found, first.up)
        maps = [panel._replace(found=reordered(panel, first, rows, across)) for panel in maps]
    size = _size(maps[0])
    figure, axes = panels("heatmap", ax, len(maps), size)
    for one, panel, member in zip(axes, maps, members, strict=True):
        _draw(one, panel, member, limits, write)
    return figure


def _size(panel: Panel) -> tuple[float, float]:
    """Return the size of one panel in inches: a column of a paper, or wider if there is more to show."""
    found = panel.found
    down, across = found.values.shape
    below, beside = (
        min(max(map(len, names)), 40) * LETTER + AXIS_INCHES * bool(name)
        for names, name in zip((found.columns, found.rows), panel.sets[::-1], strict=True)
    )
    cell = (2.4 + 0.12 * max(0, min(max(down, across), MOST_LABELS) - 12)) / max(down, across)
    return max(cell * across, 1.2) + 0.95 + beside, max(cell * down, 1.2) + 0.45 + below


def _draw(ax: Axes, panel: Panel, member: Mapping[str, str], limits: Any, write: bool | None) -> None:
    found = panel.found
    shown = np.ma.masked_invalid(found.values)
    low, high = limits if limits is not None else _limits(found)
    colours = colormaps["viridis" if panel.up else "viridis_r"].with_extremes(bad=_NOT_COMPARED["facecolor"])
    image = ax.imshow(shown, cmap=colours, vmin=low, vmax=high, aspect="equal", interpolation="nearest")
    _name_cells(ax, panel)
    if write if write is not None else max(found.values.shape) <= MOST_WRITTEN:
        _write_values(ax, found.values, image)
    thick = BAR_INCHES * ax.figure.dpi / ax.bbox.height
    handles = _mark_missing(ax, found)
    handles += _mark_groups(ax, found, member, thick) if member else []
    across = max(
        1,
        int(LEGEND_LETTERS * ax.bbox.width / ax.figure.dpi)
        // max([len(str(handle.get_label())) + 5 for handle in handles], default=1),
    )
    above = 2 * thick if member else 0.0
    if handles:
        legend(ax, handles, loc="lower left", bbox_to_anchor=(0, 1 + above), borderaxespad=0.2, handlelength=1.2,
               ncols=across, columnspacing=1.0, borderpad=0.1)  # fmt: skip
    lines = -(-len(handles) // across)
    title(ax, panel.name, pad=6 + LINE_POINTS * lines + (2 * 72 * BAR_INCHES if member else 0))
    tips = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    tip = tips[bool(shown.min() < low), bool(shown.max() > high)]
    pad = 0.02 + above
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=pad, shrink=0.9, extend=tip, extendfrac=0.03)
    bar.set_label(wrapped(f"{panel.name} ({direction(panel.up)})", 44), fontsize=SMALL, parse_math=False)
    bar.ax.tick_params(labelsize=SMALL)
    if not panel.up:
        bar.ax.invert_yaxis()  # more similar is at the top of every bar


def _limits(found: Square) -> tuple[float, float]:
    """Return the smallest and largest value of two different items; the diagonal would hide the differences."""
    apart = ~np.eye(len(found.values), dtype=bool) if found.is_square else np.ones(found.values.shape, dtype=bool)
    for values in (found.values[apart], found.values):
        known = values[np.isfinite(values)]
        if len(known) and known.min() < known.max():
            return float(known.min()), float(known.max())
    return float(known.min()), float(known.max())


def _name_cells(ax: Axes, panel: Panel) -> None:
    found = panel.found
    axis_names(ax, *panel.sets[::-1])
    for names, set_ticks in ((found.columns, ax.set_xticks), (found.rows, ax.set_yticks)):
        places = range(0, len(names), every(len(names), MOST_LABELS))
        set_ticks(places, [names[place] for place in places], fontsize=_label_size(len(names)), parse_math=False)
    if max(map(len, found.columns)) > 3 or len(found.columns) > 15:
        ax.tick_params(axis="x", rotation=90)
    ax.tick_params(length=2)


def _label_size(count: int) -> float:
    return FONT if count <= 12 else SMALL if count <= 24 else 5.5


def _write_values(ax: Axes, values: Any, image: Any) -> None:
    size = 6.5 if max(values.shape) <= 8 else 5.0
    largest = float(np.nanmax(np.abs(values)))
    digits = 2 if largest < 10 else 1 if largest < 100 else 0
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            red, green, blue, _ = image.cmap(image.norm(value))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
            text = f"{value:.{digits}f}" if largest < 1e4 else f"{value:.1e}"
            ax.text(column, row, text, ha="center", va="center", fontsize=size, color="white" if dark else "black")


def _mark_missing(ax: Axes, found: Square) -> list[Patch]:
    handles = []
    missing = np.isnan(found.values) & found.compared
    if missing.any():
        cells = [Rectangle((column - 0.5, row - 0.5), 1, 1) for row, column in np.argwhere(missing)]
        ax.add_collection(PatchCollection(cells, **_NO_VALUE))
        handles.append(Patch(label=f"no value ({int(missing.sum())} of {int(found.compared.sum())})", **_NO_VALUE))
    blank = ~found.compared
    # An item with itself is not a pair, so no value is expected there.
    if blank.any() and not (found.is_square and (blank <= np.eye(len(blank), dtype=bool)).all()):
        handles.append(Patch(label=f"not compared ({int(blank.sum())} of {blank.size})", **_NOT_COMPARED))
    return handles


_NO_VALUE: dict[str, Any] = {"facecolor": MISSING, "edgecolor": "#777777", "hatch": "////", "linewidth": 0}
_NOT_COMPARED: dict[str, Any] = {"facecolor": "#f2f2f2", "edgecolor": "#f2f2f2", "linewidth": 0}


def _mark_groups(ax: Axes, found: Square, group_of: Mapping[str, str], thick: float) -> list[Patch]:
    """Draw bars above and right of the map, and lines between groups; return the legend handles."""
    known = list(dict.fromkeys(group_of[name] for name in [*found.rows, *found.columns] if name in group_of))
    looks = {group: _look(place) for place, group in enumerate(known)}
    for names, vertical in ((found.rows, True), (found.columns, False)):
        count = len(names)
        members = [group_of.get(name) for name in names]
        changes = [place for place in range(1, count) if members[place] != members[place - 1]]
        if len(changes) < len(set(members)):  # each group is contiguous
            for place in changes:
                (ax.axhline if vertical else ax.axvline)(place - 0.5, color="white", linewidth=1.2)
        for place, name in enumerate(names):
            if name not in group_of:
                continue
            at = (1 + thick / 2, 1 - (place + 1) / count) if vertical else (place / count, 1 + thick / 2)
            size = (thick, 1 / count) if vertical else (1 / count, thick)
            ax.add_patch(
                Rectangle(at, *size, transform=ax.transAxes, clip_on=False, linewidth=0, **looks[group_of[name]])
            )
    return [Patch(label=group, linewidth=0, **looks[group]) for group in known]


def _look(place: int) -> dict[str, Any]:
    """Return a colour, and from the ninth group on also a hatch."""
    colour = COLOURS[place % len(COLOURS)]
    hatch = ("", "////", "....", "xxxx", "----")[place // len(COLOURS) % 5]
    return {"facecolor": colour, "edgecolor": "white" if hatch else colour, "hatch": hatch or None}
