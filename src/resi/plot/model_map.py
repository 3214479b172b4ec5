"""Maps of models or layers: the closer two dots, the more similar, as far as a plane can show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resi.errors import UsageError
from resi.plot.canvas import SMALL, axis_names, figure_legend, group_dot, panels, title
from resi.plot.names import name_dots
from resi.plot.pair_maps import chosen_maps, group_of
from resi.plot.squares import as_distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from resi.plot.canvas import Where
    from resi.plot.pair_maps import Groups, Panel

    Array = np.ndarray[Any, np.dtype[np.float64]]

MOST_NAMES = 40
WIDTH, HEAD = 3.4, 0.5
"""Width of a panel, and height of its title, in inches."""
FLATTEST = 0.55
"""The smallest share of the width that a panel is high."""


def map(  # noqa: PLR0913 - named after what it draws; all but the first are options
    table: Any,
    measure: str | Sequence[str] | None = None,
    *,
    labels: Sequence[str] | None = None,
    groups: Groups = None,
    larger_is_more_similar: bool | None = None,
    names: bool | None = None,
    ax: Where = None,
) -> Figure:
    """Draw models or layers as dots, with similar ones close together, one panel per measure.

    Metric multidimensional scaling: classical scaling, refined by SMACOF, so the same table always gives the same map.
    A similarity is converted to its distance below the largest similarity. The title states the stress, the deviation
    of distances in the plane from those of the table: below 0.1 a map is commonly called good, above 0.2 poor.

    Parameters
    ----------
    table : DataFrame or array of shape (n, n)
        As for :func:`resi.plot.heatmap`.
    measure : str or sequence of str, optional
        Which measures of the table, by default all; for an array, the measure of its values.
    labels : sequence of str, optional
        Names of an array's rows; with a table, which items to draw.
    groups : mapping from str to str, or sequence of str, optional
        The group of each item, shown by colour and marker. By default, the settings of a table of comparisons,
        and of layers ``NETWORK:LAYER`` the networks.
    larger_is_more_similar : bool, optional
        The direction of the measure, if neither the table nor resi knows it.
    names : bool, optional
        Whether to write names beside the dots; by default, if there are at most 40.
    ax : Axes or sequence of Axes, optional
        Where to draw, one for each measure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    UsageError
        If a value is missing, the table is not square, or it holds fewer than three items.

    References
    ----------
    .. [1] Borg & Groenen, Modern Multidimensional Scaling, 2005.
    """
    maps, known = chosen_maps("map", table, measure, labels, None, larger_is_more_similar)
    places = [scaled(_distances(panel)) for panel in maps]
    figure, axes = panels("map", ax, len(maps), (WIDTH, _height([dots for dots, _ in places])))
    looks: dict[str, int] = {}
    for one, panel, (dots, stress) in zip(axes, maps, places, strict=True):
        member = group_of("map", groups, panel.found, known)
        for name in panel.found.rows:
            looks.setdefault(member.get(name, ""), len(looks))
        _draw(one, panel, dots, stress, [looks[member.get(name, "")] for name in panel.found.rows])
    if len(looks) > 1:
        handles = [axes[0].plot([], [], label=name, **_look(number))[0] for name, number in looks.items()]
        figure_legend(figure, axes, ax is None, handles)
    for one, panel, (dots, _) in zip(axes, maps, places, strict=True):
        if names if names is not None else len(dots) <= MOST_NAMES:
            name_dots(one, dots[:, 0], dots[:, 1], panel.found.rows, SMALL - 1)
    return figure


def _height(maps: Sequence[Array]) -> float:
    """Return the height of panels in inches: flat maps, which would leave a square half empty, have flat panels."""
    spans = [np.ptp(dots, axis=0) for dots in maps]
    return HEAD + (WIDTH - HEAD) * min(1.0, max(FLATTEST, *(tall / max(wide, 1e-300) + 0.15 for wide, tall in spans)))


def _distances(panel: Panel) -> Array:
    found = panel.found
    if not found.is_square:
        alone = " without diagonal=True" if set(found.rows) == set(found.columns) else ""
        raise UsageError(
            f"plot.map: {panel.name} compares {len(found.rows)} items with {len(found.columns)} others; a map needs "
            f"all pairs among the same items, as from resi.pairwise with one set{alone}"
        )
    count = len(found.rows)
    missing = int(np.isnan(found.values[~np.eye(count, dtype=bool)]).sum())
    if missing:
        raise UsageError(
            f"plot.map: {panel.name} lacks {missing} of {count * (count - 1)} values; choose items with labels="
        )
    if count < 3:
        raise UsageError(f"plot.map: a map needs at least three items, not {count}")
    return as_distances(found.values, panel.up)


def scaled(distances: Array) -> tuple[Array, float]:
    """Return points in the plane whose distances approximate the given ones, and Kruskal's stress.

    Parameters
    ----------
    distances : array of shape (n, n)
        Symmetric, 0 on the diagonal.

    Returns
    -------
    places : array of shape (n, 2)
    stress : float
        Square root of the squared errors as a share of the squared distances.
    """
    from scipy.spatial.distance import pdist, squareform
    from sklearn.manifold import smacof

    count = len(distances)
    centre = np.eye(count) - 1 / count
    values, vectors = np.linalg.eigh(-centre @ distances**2 @ centre / 2)
    start = vectors[:, [-1, -2]] * np.sqrt(values[[-1, -2]].clip(min=0))
    places = start
    if not np.allclose(squareform(pdist(start)), distances):
        # The random state has no effect, as the start is given; without it the global generator would be used.
        places = smacof(distances, n_components=2, init=start, n_init=1, random_state=0, normalized_stress=False)[0]
    # Rotated so that the longest extent is horizontal, with the farthest dot on the positive side.
    places = places - places.mean(axis=0)
    places = places @ np.linalg.svd(places, full_matrices=False)[2].T
    places = places * np.sign(places[np.abs(places).argmax(axis=0), [0, 1]] + 1e-300)
    wanted = squareform(distances, checks=False)
    total = float((wanted**2).sum())
    stress = float(np.sqrt(((pdist(places) - wanted) ** 2).sum() / total)) if total else 0.0
    return places, stress


def _look(number: int) -> dict[str, Any]:
    return {**group_dot(number), "markersize": 5}


def _draw(ax: Axes, panel: Panel, dots: Array, stress: float, looks: Sequence[int]) -> None:
    for number in dict.fromkeys(looks):
        inside = np.array(looks) == number
        ax.plot(dots[inside, 0], dots[inside, 1], **_look(number))
    axis_names(ax)
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.15)
    ax.set_xticks([])
    ax.set_yticks([])
    title(ax, f"{panel.name}\nclose = similar, stress {stress:.2f}", width=44)
