"""Critical-difference diagrams: which measures cannot be distinguished by their mean ranks."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from resi.errors import UsageError
from resi.groundings.posthoc import POSTHOCS, holm, wilcoxon
from resi.groundings.ranks import SIGNIFICANCE, differences
from resi.plot.canvas import FONT, SMALL, panels
from resi.plot.ranking import Ranks, own_words, ranked_scores, ranks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from resi.groundings.posthoc import PostHoc
    from resi.plot.canvas import Where

    Array = np.ndarray[Any, np.dtype[np.float64]]

LEAST_WIDTH = 6.0
"""Height of the text above the diagram, in inches."""
LETTERS_AN_INCH = 14
OVERHANG = 0.06
"""How far bars extend beyond the ranks they join."""
ROW = 0.42
"""Distance of two names below the axis, in units of the drawing."""


class Comparison(NamedTuple):
    """Measures compared by mean ranks, with those that cannot be distinguished.

    Attributes
    ----------
    names : list of str
        Measures with a rank in every column, the best mean rank first.
    means : array of shape (n_measures,)
        Their mean ranks.
    columns : int
        Number of columns in which they were ranked.
    p_value : float
        p-value of the Friedman test: how often random ranks would differ as much.
    critical : float
        Nemenyi's critical difference of mean ranks at 5 %.
    bars : list of (int, int)
        First and last of the measures that cannot be distinguished, as positions in ``names``.
    left_out : list of str
        Measures that lack a rank in some column.
    """

    names: list[str]
    means: Array
    columns: int
    p_value: float
    critical: float
    bars: list[tuple[int, int]]
    left_out: list[str]


def compared(found: Ranks, posthoc: PostHoc = "nemenyi", function: str = "critical_difference") -> Comparison:
    """Compare measures by their ranks in several columns.

    If the Friedman test finds no difference at 5 %, no two measures are distinguished. Otherwise, two measures are
    distinguished if their mean ranks differ by more than Nemenyi's critical difference, or if Wilcoxon's signed-rank
    test of their scores is significant after Holm's correction for all pairs.

    Raises
    ------
    UsageError
        If fewer than three measures have a rank in at least two columns.

    References
    ----------
    .. [1] Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 2006.
    .. [2] Benavoli et al., Should we really use post-hoc tests based on mean-ranks?, JMLR 2016.
    """
    from resi.groundings.correlation import average_ranks

    if posthoc not in POSTHOCS:
        raise UsageError(f"plot.{function}: posthoc={posthoc!r}: expected 'nemenyi' or 'wilcoxon'")
    whole = [not np.isnan(row).any() for row in found.values]
    tested = differences(found.values)
    if tested is None:
        raise UsageError(
            f"plot.{function}: needs at least three measures with a rank in each of at least two columns; {sum(whole)} "
            f"have a rank in all {len(found.columns)}"
        )
    means = average_ranks(found.values[whole].T).mean(axis=0)
    order = np.argsort(means, kind="stable")
    goodness = found.goodness[whole][order]
    means = means[order]
    if tested.p_value > SIGNIFICANCE:
        apart = np.zeros((len(means), len(means)), dtype=bool)
    elif posthoc == "nemenyi":
        apart = np.abs(means[:, None] - means) > tested.critical
    else:
        apart = holm(wilcoxon(goodness)) <= SIGNIFICANCE
    kept = [name for name, is_whole in zip(found.names, whole, strict=True) if is_whole]
    return Comparison(
        names=[kept[place] for place in order],
        means=means,
        columns=tested.columns,
        p_value=tested.p_value,
        critical=tested.critical,
        bars=_bars(apart),
        left_out=[name for name in found.names if name not in kept],
    )


def _bars(apart: np.ndarray[Any, np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """Return the longest runs of neighbours in which no two can be told apart."""
    bars: list[tuple[int, int]] = []
    for first in range(len(apart)):
        last = first
        while last + 1 < len(apart) and not apart[first : last + 1, last + 1].any():
            last += 1
        if last > first and (not bars or last > bars[-1][1]):
            bars.append((first, last))
    return bars


def critical_difference(  # noqa: PLR0913 - all but the first are options
    scores: Any,
    *,
    domain: str | None = None,
    test: str | None = None,
    measures: Sequence[str] | None = None,
    posthoc: PostHoc = "nemenyi",
    protocol: str = "corrected",
    model_source: str | None = None,
    ax: Where = None,
) -> Figure:
    """Draw the mean ranks of measures, with a bar joining those that cannot be distinguished.

    Parameters
    ----------
    scores : DataFrame
        Scores of a run or a merge, with the columns :data:`resi.results.schema.SCORES`. Measures without a rank in some
        column are left out, and named below the diagram.
    domain, test : str, optional
        Only ranks in one domain or one test.
    measures : sequence of str, optional
        Rank only these measures.
    posthoc : str
        ``nemenyi``: mean ranks must differ by the critical difference; or ``wilcoxon``: signed-rank tests of the
        scores of each pair of measures, with Holm's correction, whose result for two measures does not depend on the
        others. It needs many columns: with n columns, no p-value is below 2 / 2**n before the correction.
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
        If fewer than three measures have a rank in at least two columns.

    References
    ----------
    .. [1] Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 2006.
    """
    known = ranked_scores(
        "critical_difference", scores, measures, protocol, domain=domain, test=test, model_source=model_source
    )
    found = compared(ranks_of("critical_difference", known), posthoc)
    rows = (len(found.names) + 1) // 2
    longest = max(map(len, found.names))
    width = max(3.2 + 0.13 * longest, LEAST_WIDTH)
    # The words start where the names on the left end.
    words = _words(found, posthoc, int(LETTERS_AN_INCH * (width - 0.08 * longest)))
    height = 0.95 + 0.17 * (rows + words.count("\n")) + 0.09 * max(_levels(found), default=0)
    figure, (one,) = panels("critical_difference", ax, 1, (width, height))
    _draw(one, found, posthoc)
    one.set_title(words, fontsize=FONT, loc="left", parse_math=False)
    return figure


def _draw(ax: Axes, found: Comparison, posthoc: PostHoc) -> None:
    count = len(found.names)
    low, high = 1.0, float(count)
    levels = _levels(found)
    depth = 0.52 + 0.22 * max(levels, default=-1)
    rows = (count + 1) // 2
    _draw_scale(ax, count)
    for number, ((first, last), level) in enumerate(zip(found.bars, levels, strict=True)):
        y = -0.3 - 0.22 * level
        ends = found.means[first] - OVERHANG, found.means[last] + OVERHANG
        ax.plot(ends, (y, y), color="black", linewidth=3, solid_capstyle="butt", gid=f"bar-{number}")
    margin = (high - low) * 0.05
    for place, (name, mean) in enumerate(zip(found.names, found.means, strict=True)):
        is_left = place < rows
        y = -depth - ROW * ((place if is_left else count - 1 - place) + 1)
        end = low - margin if is_left else high + margin
        ax.plot((mean, mean, end), (0, y, y), color="#555555", linewidth=0.6)
        side: Literal["left", "right"] = "right" if is_left else "left"
        text = f"{name}  {mean:.1f}" if is_left else f"{mean:.1f}  {name}"
        ax.text(
            end + (-margin if is_left else margin) / 3, y, text, ha=side, va="center", fontsize=SMALL, parse_math=False
        )
    is_shown = posthoc == "nemenyi" and found.p_value <= SIGNIFICANCE and found.critical <= high - low
    if is_shown:
        ax.plot(
            (low, low + found.critical),
            (1.25, 1.25),
            color="black",
            linewidth=1.2,
            marker="|",
            markersize=5,
            gid="critical",
        )
        ax.text(low, 1.45, f"critical difference {found.critical:.2f}", fontsize=SMALL)
    ax.set_ylim(-depth - ROW * (rows + 0.8), 2.1 if is_shown else 1.0)
    ax.set_xlim(low - margin, high + margin)
    ax.set_axis_off()


def _levels(found: Comparison) -> list[int]:
    """Return the level of each bar: bars that do not touch each other share one."""
    ends: list[float] = []
    levels = []
    for first, last in found.bars:
        start = found.means[first] - 2 * OVERHANG
        level = next((number for number, end in enumerate(ends) if end < start), len(ends))
        ends[level : level + 1] = [found.means[last] + 2 * OVERHANG]
        levels.append(level)
    return levels


def _draw_scale(ax: Axes, count: int) -> None:
    ax.plot((1, count), (0, 0), color="black", linewidth=1)
    step = max(1, round(count / 10))
    for tick in range(1, count + 1):
        is_named = (tick - 1) % step == 0 or tick == count
        ax.plot((tick, tick), (0, 0.2 if is_named else 0.1), color="black", linewidth=0.8)
        if is_named and (tick == count or count - tick >= step):
            ax.text(tick, 0.3, str(tick), ha="center", va="bottom", fontsize=SMALL)
    ax.text((1 + count) / 2, 0.78, "mean rank (1 = best)", ha="center", va="bottom", fontsize=SMALL)


def _words(found: Comparison, posthoc: PostHoc, letters: int) -> str:
    """Return the text above the diagram, wrapped to lines of ``letters`` letters."""
    chance = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
    lines = [f"{len(found.names)} measures ranked in {found.columns} columns; Friedman test: {chance}"]
    if found.p_value > SIGNIFICANCE:
        lines.append("The measures cannot be distinguished, so they are not ranked.")
    elif posthoc == "nemenyi":
        lines.append(
            f"A bar joins measures that cannot be distinguished: mean ranks within {found.critical:.2f} (Nemenyi, 5 %)"
        )
    else:
        lines.append("A bar joins measures that cannot be distinguished (Wilcoxon signed-rank, Holm, 5 %)")
    if found.left_out:
        lines.append(f"Left out, not ranked in every column: {', '.join(found.left_out)}")
    lines += [words] if (words := own_words([*found.names, *found.left_out])) else []
    return "\n".join(line for text in lines for line in textwrap.wrap(text, letters, break_long_words=False))
