"""Distributions of the ranks of each measure over all models and tests of a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch

from resi.choices import Protocol
from resi.groundings.ranks import DIGITS
from resi.plot.canvas import FONT, SMALL, axis_names, figure_legend, panels, plain, text_handle, title
from resi.plot.families import look
from resi.plot.published_ranks import ranked_as_published
from resi.plot.ranking import Ranks, own_words, ranked_scores, ranks_of
from resi.plot.reading import one_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from resi.plot.canvas import Where

OPACITY = 0.75
MOST_DOTS = 60
VARIANT, SHORT_VARIANT = " (variant=published)", " †"
"""The suffix of measures of imported results, and the shorter mark that replaces it."""


def ranks(  # noqa: PLR0913 - all but the first are options
    scores: Any,
    *,
    domain: str | Sequence[str] | None = None,
    test: str | None = None,
    measures: Sequence[str] | None = None,
    protocol: str = "corrected",
    model_source: str | None = None,
    ax: Where = None,
) -> Figure:
    """Draw the distribution of each measure's ranks as box plots, one panel per domain.

    A rank is a measure's place among all measures in one test, on one architecture and dataset; 1 is the best. Boxes
    extend from the lower to the upper quartile, with a line at the median, and whiskers to the farthest rank within 1.5
    times that range. Every rank is a dot; if a measure has more than 60 ranks, only those beyond the whiskers are. The
    best median is at the top; ties are ordered by the mean.

    Parameters
    ----------
    scores : DataFrame
        Scores of a run or a merge, with the columns :data:`resi.results.schema.SCORES`.
    domain : str or sequence of str, optional
        Which domains, in this order; by default, all.
    test : str, optional
        Only ranks in one test.
    measures : sequence of str, optional
        Rank only these measures.
    protocol : str
        Use scores of this protocol; with ``published``, also ranks as in the published figure, see
        :func:`resi.plot.published_ranks.ranked_as_published`.
    model_source : str, optional
        ``trained`` or ``published`` models; needed if the table holds both.
    ax : Axes or sequence of Axes, optional
        Where to draw, one for each domain.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    UsageError
        If the table holds no such scores, or no measure has a rank.
    """
    by_domain = ranks_by_domain(
        scores, domain=domain, test=test, measures=measures, protocol=protocol, model_source=model_source
    )
    most = max(len(found.names) for _, found in by_domain)
    longest = max(len(_short(name)) for _, found in by_domain for name in found.names)
    figure, axes = panels("ranks", ax, len(by_domain), (2.1 + 0.06 * longest, max(0.85 + 0.145 * most, 2.0)))
    for one, (name, found) in zip(axes, by_domain, strict=True):
        _draw(one, found)
        title(one, f"{name}: {len(found.columns)} {'rankings' if len(found.columns) > 1 else 'ranking'}")
    families = sorted({family for _, found in by_domain for family in found.families})
    handles: list[Any] = [Patch(label=family or "unknown family", alpha=OPACITY, **look(family)) for family in families]
    names = [name for _, found in by_domain for name in found.names]
    handles += text_handle(own_words(names))
    if any(VARIANT in name for name in names):
        handles += text_handle(f"{SHORT_VARIANT.strip()} variant=published")
    figure_legend(figure, axes, ax is None, handles)
    return figure


def ranks_by_domain(
    scores: Any,
    *,
    domain: str | Sequence[str] | None = None,
    test: str | None = None,
    measures: Sequence[str] | None = None,
    protocol: str = "corrected",
    model_source: str | None = None,
) -> list[tuple[str, Ranks]]:
    """Return each domain with the ranks drawn by :func:`ranks`, the best median first."""
    chosen = [domain] if isinstance(domain, str) else domain
    is_published = protocol == Protocol.published
    ranked = ranked_as_published if is_published else ranked_scores
    known = ranked("ranks", scores, measures, protocol, test=test, model_source=model_source)
    return [
        (name, by_median(ranks_of("ranks", one_value("ranks", known, "domain", name), by_place=not is_published)))
        for name in chosen or known["domain"].unique().sort()
    ]


def by_median(found: Ranks) -> Ranks:
    """Return ranks with the measures ordered by median, ties by mean."""
    medians, means = found.medians.round(DIGITS), found.means
    return found.in_order(sorted(range(len(means)), key=lambda row: (medians[row], means[row], found.names[row])))


def _short(name: str) -> str:
    return name.replace(VARIANT, SHORT_VARIANT)


def _draw(ax: Axes, found: Ranks) -> None:
    count = len(found.names)
    for place, (family, values) in enumerate(zip(found.families, found.values, strict=True)):
        drawn = values[~np.isnan(values)]
        style = look(family)
        boxes = ax.boxplot(
            [drawn], positions=[place], orientation="horizontal", showfliers=len(drawn) > MOST_DOTS, **_BOX
        )
        boxes["boxes"][0].set(facecolor=style["facecolor"], alpha=OPACITY, hatch=style["hatch"])
        if len(drawn) > MOST_DOTS:
            continue
        # Spread in a fixed pattern, as ranks of many columns are equal.
        spread = (np.arange(len(drawn)) * 0.618 % 1 - 0.5) * 0.4
        ax.plot(drawn, place + spread, ".", color="black", markersize=2.2, alpha=0.6, markeredgewidth=0, zorder=3)
    ax.set_ylim(count - 0.4, -0.6)
    axis_names(ax, "rank (1 = best)")
    ax.set_xlim(0.5, count + 0.5)
    ax.set_yticks(
        range(count), list(map(_short, found.names)), fontsize=SMALL if count > 12 else FONT, parse_math=False
    )
    ax.grid(axis="x", linewidth=0.4, alpha=0.5)
    ax.tick_params(axis="y", length=0)
    plain(ax)


_BOX: dict[str, Any] = {
    "widths": 0.66,
    "patch_artist": True,
    "manage_ticks": False,
    "medianprops": {"color": "black", "linewidth": 1.2},
    "whiskerprops": {"linewidth": 0.7},
    "capprops": {"linewidth": 0.7},
    "boxprops": {"linewidth": 0.6},
    "flierprops": {"marker": ".", "markersize": 2.2, "markeredgewidth": 0, "markerfacecolor": "black"},
}
