"""Similarities within and across groups of models, from which the AUPRC is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

from resi.errors import UsageError
from resi.groundings.separation import average_precision, expected_average_precision, pair_index
from resi.measures.functional import FUNCTIONAL
from resi.plot.canvas import COLOURS, FONT, SMALL, axis_names, figure_legend, missing_words, panels, plain, title
from resi.plot.models import Pairs, between_models, of_settings, pairs, signed
from resi.plot.reading import LABEL, chosen_labels, direction, points_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from resi.plot.canvas import Where

WITHIN: dict[str, Any] = {"marker": "o", "color": COLOURS[0]}
ACROSS: dict[str, Any] = {"marker": "x", "color": COLOURS[1]}


def groups(  # noqa: PLR0913 - all but the first are options
    comparisons: Any,
    measure: str | Sequence[str] | None = None,
    *,
    test: str | None = None,
    settings: Sequence[str] | None = None,
    domain: str | None = None,
    dataset: str | None = None,
    architecture: str | None = None,
    layer: str | None = None,
    ax: Where = None,
) -> Figure:
    """Draw the similarity of each pair of models, within a group or across groups, one panel per measure.

    Each group has two rows of marks: pairs of two of its models, and pairs of one of its models with a model of another
    group. The further the first are to the right of the second, the larger the average precision (AP) beside them; its
    mean over groups is the AUPRC. More similar is always to the right, also for distances.

    Parameters
    ----------
    comparisons : DataFrame
        With the columns :data:`resi.results.schema.COMPARISONS`.
    measure : str or sequence of str, optional
        Which measures of the table; by default, all.
    test : str, optional
        Only the settings of one test (``standard`` and those named after the test), and of these only the models that
        are compared with another group.
    settings : sequence of str, optional
        The groups, instead of ``test``.
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
        If the table holds fewer than two groups, groups that were not compared, or no value.
    """
    chosen = {"domain": domain, "dataset": dataset, "architecture": architecture}
    rows = of_settings("groups", between_models("groups", comparisons, chosen, layer), test, settings)
    rows = rows.filter(~rows["measure"].is_in(list(FUNCTIONAL)))
    if rows.is_empty():
        raise UsageError("plot.groups: the table holds no comparison of models of these groups")
    labels = chosen_labels("groups", rows, measure)
    found = [pairs("groups", rows, label) for label in labels]
    for between in found:
        _check(between)
    figure, axes = panels("groups", ax, len(labels), (3.4, 1.0 + 0.42 * len(set(found[0].groups))))
    for one, label, between in zip(axes, labels, found, strict=True):
        of_measure = rows.filter(rows[LABEL] == label)
        _draw(one, label, between, points_up("groups", of_measure["measure"][0], of_measure))
    dot: dict[str, Any] = {"linestyle": "none", "markersize": 4}
    handles = [
        Line2D([], [], label="two models of the group", **WITHIN, **dot),
        Line2D([], [], label="a model of the group and one of another", **ACROSS, **dot),
        Line2D([], [], label="median", color="black", marker="|", markersize=9, linestyle="none"),
    ]
    figure_legend(figure, axes, ax is None, handles)
    return figure


def _check(found: Pairs) -> None:
    names = list(dict.fromkeys(found.groups))
    if len(names) < 2:
        raise UsageError(f"plot.groups: there is only the group {names[0]}; at least two groups are needed")
    belongs = np.array(found.groups)
    for name in names:
        inside = belongs == name
        if np.isnan(found.values[np.ix_(inside, ~inside)]).all():
            raise UsageError(
                f"plot.groups: the models of {name} were not compared with any other group; choose the groups with "
                "test= or settings="
            )


def separation(found: Pairs, up: bool) -> dict[str, tuple[float, float]]:
    """Return each group's average precision for its pairs, and its value under chance."""
    values = signed(found.values, up)
    belongs = np.array(found.groups)
    scores = {}
    for name in dict.fromkeys(found.groups):
        split = pair_index(belongs == name).split(values)
        scores[name] = float(average_precision(split)), float(expected_average_precision(split))
    return scores


def _draw(ax: Axes, label: str, found: Pairs, up: bool) -> None:
    belongs = np.array(found.groups)
    scores = separation(found, up)
    for place, name in enumerate(scores):
        split = pair_index(belongs == name).split(found.values)
        for values, look, offset in ((split.within, WITHIN, -0.18), (split.across, ACROSS, 0.18)):
            known = values[~np.isnan(values)]
            # Spread in a fixed pattern, as many lie close together.
            spread = (np.arange(len(known)) * 0.618 % 1 - 0.5) * 0.2
            size = 3.4 if len(known) < 100 else 2.0
            ax.plot(
                known,
                place + offset + spread,
                linestyle="none",
                markersize=size,
                alpha=0.65,
                markeredgewidth=0.7,
                **look,
            )
            if len(known):
                ax.plot([np.median(known)], [place + offset], "|", color="black", markersize=11, markeredgewidth=1.3)
        text = "no pair" if np.isnan(scores[name][0]) else f"AP {scores[name][0]:.2f}"
        ax.text(1.02, place, text, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL)
    ax.set_ylim(len(scores) - 0.45, -0.55)
    axis_names(ax, f"{label} ({direction(up)})")
    if not up and not ax.xaxis_inverted():
        ax.invert_xaxis()
    ax.set_yticks(range(len(scores)), list(scores), fontsize=FONT, parse_math=False)
    ax.grid(axis="x", linewidth=0.4, alpha=0.5)
    plain(ax)
    auprc, chance = np.mean(list(scores.values()), axis=0)
    missing = int(np.isnan(found.values[np.triu_indices(len(belongs), 1)]).sum())
    words = "AUPRC not defined" if np.isnan(auprc) else f"AUPRC {auprc:.2f} (chance {chance:.2f})"
    title(ax, f"{label}\n{words}" + missing_words(missing, "pair"), width=34)
