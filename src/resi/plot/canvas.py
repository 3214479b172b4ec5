"""Shared by all figures: axes, colours, sizes, legends and saving."""

from __future__ import annotations

import hashlib
import io
import math
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from resi.errors import UsageError
from resi.store.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import SubFigure

    Where = Axes | Sequence[Axes] | None

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")
"""Okabe and Ito's colours, which colour-blind readers can tell apart; grey replaces black, which hides other marks."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MISSING = "#d9d9d9"
AXIS_LETTERS = 40
"""Letters that fit on one line beside an axis."""
FONT = 8.0
SMALL = 7.0
LINE_INCHES, USUAL_LINES = 0.14, 2
"""Height of a legend line, and the number of lines for which figures have room."""
DPI = 200
FORMATS = ("png", "svg", "pdf")
_IDS = re.compile(r'(?:id="|#)[a-zA-Z]*?_?([0-9a-f]{10})\b')


class ResiFigure(Figure):
    """A matplotlib figure that notebooks display, although it is not registered with pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=120)
        return buffer.getvalue()


def new_figure(width: float, height: float) -> ResiFigure:
    """Return an empty figure of a size in inches, drawn without pyplot or a window."""
    figure = ResiFigure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def panels(
    function: str, ax: Where, count: int, size: tuple[float, float], columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """Return a figure and the axes of its panels: those given, or new ones.

    Parameters
    ----------
    function : str
        Name of the plotting function, for error messages.
    ax : Axes or sequence of Axes, optional
        The ``ax`` argument of the caller.
    size : (float, float)
        Width and height of one panel, in inches.
    columns : int, optional
        The most panels side by side; by default up to three.

    Raises
    ------
    UsageError
        If the number of given axes differs from the number of panels.
    """
    if ax is None:
        across = min(count, columns or 3)
        down = math.ceil(count / across)
        figure = new_figure(size[0] * across, size[1] * down)
        return figure, [figure.add_subplot(down, across, place + 1) for place in range(count)]
    given = [ax] if isinstance(ax, Axes) else list(cast("Sequence[Axes]", getattr(ax, "flat", ax)))
    if len(given) != count or not all(isinstance(one, Axes) for one in given):
        raise UsageError(f"plot.{function}: ax= holds {len(given)} axes, but there are {count} panels to draw")
    return _figure_of(given[0]), given


def _figure_of(ax: Axes) -> Figure:
    figure: Figure | SubFigure = ax.figure
    while not isinstance(figure, Figure):
        figure = figure.figure
    return figure


def wrapped(text: str, width: int) -> str:
    """Return a text wrapped to lines of ``width`` letters."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def title(ax: Axes, text: str, pad: float = 6.0, width: int = 60) -> None:
    """Set a title without formula syntax, wrapped to ``width`` letters."""
    ax.set_title(
        "\n".join(wrapped(line, width) for line in text.split("\n")),
        fontsize=FONT + 1,
        loc="left",
        pad=pad,
        parse_math=False,
    )


def axis_names(ax: Axes, x: str = "", y: str = "") -> None:
    """Label both axes without formula syntax, and set the size of their tick labels."""
    ax.set_xlabel(wrapped(x, AXIS_LETTERS), fontsize=FONT, parse_math=False)
    ax.set_ylabel(wrapped(y, AXIS_LETTERS), fontsize=FONT, parse_math=False)
    ax.tick_params(labelsize=SMALL)


def plain(ax: Axes) -> None:
    """Remove the top and right spines."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)


def legend(where: Axes | Figure, handles: Sequence[Any], **options: Any) -> None:
    """Draw a legend of labelled handles, without formula syntax."""
    drawn = where.legend(
        handles, [str(handle.get_label()) for handle in handles], fontsize=SMALL, frameon=False, **options
    )
    for text in drawn.get_texts():
        text.set_parse_math(False)


def group_dot(number: int) -> dict[str, Any]:
    """Return the style of a group's dots: a colour and a marker, each of which distinguishes groups."""
    return {
        "marker": MARKERS[(number + number // len(MARKERS)) % len(MARKERS)],
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": "none",
        "markeredgecolor": "black",
        "markeredgewidth": 0.4,
    }


def text_handle(words: str) -> list[Line2D]:
    """Return a legend entry that is only text; nothing if the text is empty."""
    return [Line2D([], [], linestyle="none", label=words)] if words else []


def missing_words(count: int, noun: str) -> str:
    """Return a title line with the number of missing values; empty if none is missing."""
    return f"\n{count} {noun}{'s' if count > 1 else ''} without a value" if count else ""


def every(count: int, at_most: int) -> int:
    """Return the step between labels so that at most ``at_most`` are drawn."""
    return max(1, math.ceil(count / at_most))


def save(figure: Figure, path: str | Path, dpi: int = 300) -> Path:
    """Write a figure; the same figure gives the same file.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        A figure returned by a function of :mod:`resi.plot`.
    path : str or Path
        Ends in ``.png``, ``.svg`` or ``.pdf``; missing folders are created.
    dpi : int
        Resolution of a PNG, in dots per inch.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If the path ends in something else.
    """
    target = Path(path)
    kind = target.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise UsageError(f"plot.save: {str(path)!r} must end in {', '.join(f'.{name}' for name in FORMATS)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    content = svg_text(figure).encode() if kind == "svg" else _drawn(figure, kind, dpi)
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
    return target


def svg_text(figure: Figure) -> str:
    """Return a figure as SVG text, for a file or a page; the same figure gives the same text."""
    drawn = _drawn(figure, "svg", DPI).decode()
    # matplotlib names what it refers to by random text, unless a global setting says otherwise. The new names depend on
    # the content, as figures of one page must not use the same.
    names = list(dict.fromkeys(_IDS.findall(drawn)))
    places = {name: f"{place:010x}" for place, name in enumerate(names)}
    if not names:
        return drawn
    found = re.compile("|".join(names))
    content = found.sub(lambda match: places[match[0]], drawn)
    final = {name: hashlib.sha256(f"{places[name]} {content}".encode()).hexdigest()[:10] for name in names}
    return found.sub(lambda match: final[match[0]], drawn)


def _drawn(figure: Figure, kind: str, dpi: int) -> bytes:
    buffer = io.BytesIO()
    dates: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    figure.savefig(buffer, format=kind, dpi=dpi, metadata=dates.get(kind), bbox_inches="tight", pad_inches=0.03)
    return buffer.getvalue()


def figure_legend(figure: Figure, axes: Sequence[Axes], own: bool, handles: Sequence[Any]) -> None:
    """Draw one legend for all panels: below the panels of a new figure, or into the last of the given axes."""
    if not own:
        legend(axes[-1], handles, loc="best")
        return
    longest = max(len(str(handle.get_label())) for handle in handles) + 5
    across = max(1, min(len(handles), int(figure.get_figwidth() * 16) // longest))
    further = -(-len(handles) // across) - USUAL_LINES
    figure.set_figheight(figure.get_figheight() + LINE_INCHES * max(further, 0))  # the panels keep their room
    legend(figure, handles, loc="outside lower center", ncols=across)
