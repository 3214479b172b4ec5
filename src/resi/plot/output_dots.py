"""Similarity of representations against the difference of outputs, one dot per pair of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resi.errors import UsageError, unknown_name
from resi.groundings.correlation import correlate
from resi.groundings.ties import merge_ties
from resi.measures.functional import FUNCTIONAL
from resi.plot.canvas import axis_names, figure_legend, group_dot, panels, plain, title
from resi.plot.models import Pairs, between_models, of_settings, pairs, signed
from resi.plot.reading import LABEL, chosen_labels, direction, points_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from resi.plot.canvas import Where

WORDS = {
    "jsd": "Jensen-Shannon divergence of outputs (bits)",
    "disagreement": "disagreement of predicted classes (share of samples)",
    "accuracy_difference": "difference of accuracy",
}


def outputs(  # noqa: PLR0913 - all but the first are options
    comparisons: Any,
    measure: str | Sequence[str] | None = None,
    functional: str | None = None,
    *,
    setting: str | None = None,
    domain: str | None = None,
    dataset: str | None = None,
    architecture: str | None = None,
    layer: str | None = None,
    ax: Where = None,
) -> Figure:
    """Draw the similarity of models against the difference of their predictions, one dot per pair from one setting.

    More similar is always at the top, also for distances. The title states Spearman's correlation of dissimilarity with
    the difference of outputs, which is 1 if the ranking by similarity equals that by agreement of predictions.

    Parameters
    ----------
    comparisons : DataFrame
        With the columns :data:`resi.results.schema.COMPARISONS`, including rows that compare outputs.
    measure : str or sequence of str, optional
        Which measures of the table; by default, all. One panel each.
    functional : str, optional
        ``jsd``, ``disagreement`` or ``accuracy_difference``; needed if the table holds several.
    setting : str, optional
        The setting of the models; needed if outputs were compared in several.
    domain, dataset, architecture, layer : str, optional
        Which models and layer to draw; needed if the table holds several.
    ax : Axes or sequence of Axes, optional
        Where to draw, one for each measure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    UsageError
        If the table holds no difference of outputs, or no value of a measure for the same pairs.
    """
    chosen = {"domain": domain, "dataset": dataset, "architecture": architecture}
    rows = between_models("outputs", comparisons, chosen, layer)
    if setting is not None:
        rows = of_settings("outputs", rows, None, [setting])
    rows = rows.filter(rows["setting_a"] == rows["setting_b"])
    known = [name for name in FUNCTIONAL if name in rows["measure"].to_list()]
    if not known:
        raise UsageError(
            "plot.outputs: the table holds no difference of outputs of two models of one setting: "
            f"no {', '.join(FUNCTIONAL)}"
        )
    if functional is not None and functional not in known:
        raise unknown_name("difference of outputs in the table given to plot.outputs", functional, known)
    if functional is None and len(known) > 1:
        raise UsageError(f"plot.outputs: the table holds several; choose with functional= one of {', '.join(known)}")
    against = functional or known[0]
    differences = pairs("outputs", rows, against)
    similarities = rows.filter(~rows["measure"].is_in(list(FUNCTIONAL)))
    labels = chosen_labels("outputs", similarities, measure)
    figure, axes = panels("outputs", ax, len(labels), (2.9, 2.7))
    settings: list[str] = list(dict.fromkeys(differences.groups))
    for one, label in zip(axes, labels, strict=True):
        of_measure = similarities.filter(similarities[LABEL] == label)
        up = points_up("outputs", of_measure["measure"][0], of_measure)
        _draw(one, label, up, against, pairs("outputs", similarities, label), differences)
    if len(settings) > 1:
        handles = [axes[0].plot([], [], label=name, **_look(place))[0] for place, name in enumerate(settings)]
        figure_legend(figure, axes, ax is None, handles)
    return figure


def _look(place: int) -> dict[str, Any]:
    return {**group_dot(place), "markersize": 4, "alpha": 0.8}


def _draw(ax: Axes, label: str, up: bool, against: str, found: Pairs, differences: Pairs) -> None:
    place = {name: number for number, name in enumerate(differences.names)}
    x, y, belongs = [], [], []
    for i, j in zip(*np.triu_indices(len(found.names), 1), strict=True):
        first, second = place.get(found.names[i]), place.get(found.names[j])
        if first is not None and second is not None:
            x.append(differences.values[first, second])
            y.append(found.values[i, j])
            belongs.append(found.groups[i])
    known = ~np.isnan(x) & ~np.isnan(y) if x else np.zeros(0, dtype=bool)
    if not known.any():
        raise UsageError(f"plot.outputs: no pair of models has both {label} and {against}")
    across, upward, groups = np.array(x)[known], np.array(y)[known], np.array(belongs)[known]
    for number, name in enumerate(dict.fromkeys(differences.groups)):
        inside = groups == name
        ax.plot(across[inside], upward[inside], **_look(number))
    axis_names(ax, WORDS.get(against, against), f"{label} ({direction(up)})")
    if not up and not ax.yaxis_inverted():
        ax.invert_yaxis()
    ax.locator_params(axis="x", nbins=4)  # numbers of four digits side by side
    ax.grid(linewidth=0.4, alpha=0.5)
    plain(ax)
    title(ax, f"{label}\n{_correlation(-signed(upward, up), across)}, {len(across)} pairs", width=28)


def _correlation(dissimilar: np.ndarray[Any, Any], differences: np.ndarray[Any, Any]) -> str:
    """Return Spearman's correlation in words; undefined if one side is constant."""
    differences = merge_ties(differences, scale=1.0)
    value = correlate(dissimilar[None], differences[None], "spearman")[0, 0] if len(differences) > 1 else np.nan
    return "correlation not defined" if np.isnan(value) else f"Spearman {value:.2f}"
