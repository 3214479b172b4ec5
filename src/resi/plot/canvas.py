"""What all figures share: where they are drawn, their colours and sizes, and how they are saved."""

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
"""Okabe and Ito's colours, which colour-blind readers can tell apart; grey for black, which hides what is on it."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MISSING = "#d9d9d9"
AXIS_LETTERS = 40
"""Letters that have room on one line beside an axis."""
FONT = 8.0
SMALL = 7.0
LINE_INCHES, USUAL_LINES = 0.14, 2
"""Height of a line of a legend, and for how many of them the sizes of figures have room."""
DPI = 200
FORMATS = ("png", "svg", "pdf")
_IDS = re.compile(r'(?:id="|#)[a-zA-Z]*?_?([0-9a-f]{10})\b')


class ResiFigure(Figure):
    """A matplotlib figure that notebooks show although pyplot does not know it."""

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
        Whose figure it is, for the message.
    ax : Axes or sequence of Axes, optional
        As the caller of the function gave it.
    size : (float, float)
        Width and height of one panel, in inches.
    columns : int, optional
        Panels beside each other, at most; by default up to three.

    Raises
    ------
    UsageError
        If the given axes are not as many as there are panels.
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
    """Return a text on lines of so many letters, broken between words."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def title(ax: Axes, text: str, pad: float = 6.0, width: int = 60) -> None:
    """Set a title as it is written, without the syntax of formulas, on lines of so many letters."""
    ax.set_title(
        "\n".join(wrapped(line, width) for line in text.split("\n")),
        fontsize=FONT + 1,
        loc="left",
        pad=pad,
        parse_math=False,
    )


def axis_names(ax: Axes, x: str = "", y: str = "") -> None:
    """Name both axes as they are written, and set the size of their tick labels."""
    ax.set_xlabel(wrapped(x, AXIS_LETTERS), fontsize=FONT, parse_math=False)
    ax.set_ylabel(wrapped(y, AXIS_LETTERS), fontsize=FONT, parse_math=False)
    ax.tick_params(labelsize=SMALL)


def plain(ax: Axes) -> None:
    """Leave away the lines at the top and at the right."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)


def legend(where: Axes | Figure, handles: Sequence[Any], **options: Any) -> None:
    """Draw a legend of handles that know their labels, as they are written."""
    drawn = where.legend(
        handles, [str(handle.get_label()) for handle in handles], fontsize=SMALL, frameon=False, **options
    )
    for text in drawn.get_texts():
        text.set_parse_math(False)


def group_dot(number: int) -> dict[str, Any]:
    """Return how the dots of a group are drawn: colour and marker, either of which tells groups apart."""
    return {
        "marker": MARKERS[(number + number // len(MARKERS)) % len(MARKERS)],
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": "none",
        "markeredgecolor": "black",
        "markeredgewidth": 0.4,
    }


def text_handle(words: str) -> list[Line2D]:
    """Return a line of a legend that is words alone; none if there are no words."""
    return [Line2D([], [], linestyle="none", label=words)] if words else []


def missing_words(count: int, noun: str) -> str:
    """Return a line of a title that says how many values are missing; empty if none are."""
    return f"\n{count} {noun}{'s' if count > 1 else ''} without a value" if count else ""


def every(count: int, at_most: int) -> int:
    """Return the step at which so many labels have room."""
    return max(1, math.ceil(count / at_most))


def save(figure: Figure, path: str | Path, dpi: int = 300) -> Path:
    """Write a figure; the same figure gives the same file.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        As a function of :mod:`resi.plot` returned it.
    path : str or Path
        Ends in ``.png``, ``.svg`` or ``.pdf``; folders are made.
    dpi : int
        Dots an inch of a PNG.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If the ending is another.
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
    """Return a figure as SVG, to be written or put into a page; the same figure gives the same text."""
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
    """Draw one legend for all panels: below those of a figure of our own, else into the last of the given axes."""
    if not own:
        legend(axes[-1], handles, loc="best")
        return
    longest = max(len(str(handle.get_label())) for handle in handles) + 5
    across = max(1, min(len(handles), int(figure.get_figwidth() * 16) // longest))
    further = -(-len(handles) // across) - USUAL_LINES
    figure.set_figheight(figure.get_figheight() + LINE_INCHES * max(further, 0))  # the panels keep their room
    legend(figure, handles, loc="outside lower center", ncols=across)
