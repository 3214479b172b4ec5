"""Tables of text in columns that fit a width: no name and no number is ever cut; what has no room is left out whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GAP = "  "
WORD = re.compile(r"(\s*)(\S+)")
PIECE = re.compile(r"(\s*)([^\s,]+,*|,+)")
"""A word with the space before it, or the part of one up to a comma."""
LEAST_TEXT = 24
"""A column of sentences is wrapped to no less than this, unless it holds a longer word."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title : str
    is_number : bool
        Aligned to the right.
    is_text : bool
        Sentences or lists, that may be broken between words.
    rank : int
        Columns of the highest rank are left out first, of equal ones the last; one of rank 0 stays in any case.
    name : str
        What it is called where it is left out; by default its title.
    """

    title: str
    is_number: bool = False
    is_text: bool = False
    rank: int = 1
    name: str = ""


class Layout(NamedTuple):
    """A table as lines.

    Attributes
    ----------
    header : str
    lines : list of list of str
        Of each row, one line or several.
    left_out : list of str
        What the columns are called that had no room.
    """

    header: str
    lines: list[list[str]]
    left_out: list[str]


def lay_out(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> Layout:
    """Return a table that is no wider than a width, unless a column of rank 0 alone is.

    Parameters
    ----------
    rows : sequence of sequence of str
        A cell for each column.
    width : int or None
        In cells of a terminal; None for as wide as it needs.
    """
    texts = [[column.title, *(row[place] for row in rows)] for place, column in enumerate(columns)]
    natural = [max(map(size, cells)) for cells in texts]
    least = [
        max(min(LEAST_TEXT, wide), _longest_word(cells)) if column.is_text else wide
        for column, wide, cells in zip(columns, natural, texts, strict=True)
    ]
    kept = list(range(len(columns)))
    if width is not None:
        kept = _fitting(columns, least, width)
    widths = _widths([natural[place] for place in kept], [least[place] for place in kept], width)
    shown = [columns[place] for place in kept]
    header = _line([column.title for column in shown], shown, widths)
    lines = [_lines([row[place] for place in kept], shown, widths) for row in rows]
    return Layout(
        header, lines, [column.name or column.title for place, column in enumerate(columns) if place not in kept]
    )


def size(text: str) -> int:
    """Return how many cells of a terminal a text takes: two for each wide character."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _longest_word(texts: Sequence[str]) -> int:
    return max((size(word) for text in texts for _, word in PIECE.findall(text)), default=0)


def _fitting(columns: Sequence[Column], least: Sequence[int], width: int) -> list[int]:
    """Return which columns fit when texts are wrapped."""
    kept = list(range(len(columns)))
    while sum(least[place] for place in kept) + len(GAP) * (len(kept) - 1) > width:
        worst = max(kept, key=lambda place: (columns[place].rank, place), default=None)
        if worst is None or columns[worst].rank == 0:
            break
        kept.remove(worst)
    return kept


def _widths(natural: Sequence[int], least: Sequence[int], width: int | None) -> list[int]:
    """Return how wide columns are: texts share what is left, the shortest first."""
    if width is None:
        return list(natural)
    widths = list(least)
    left = width - sum(widths) - len(GAP) * (len(widths) - 1)
    wrapped = sorted((place for place in range(len(widths)) if natural[place] > least[place]), key=natural.__getitem__)
    for number, place in enumerate(wrapped):
        more = max(min(natural[place] - least[place], left // (len(wrapped) - number)), 0)
        widths[place] += more
        left -= more
    return widths


def _lines(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    wrapped = [
        wrap(cell, width) if column.is_text else [cell]
        for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    height = max(map(len, wrapped), default=1)
    return [_line([part[at] if at < len(part) else "" for part in wrapped], columns, widths) for at in range(height)]


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """Return a text as lines, the later ones indented: broken between words, in a word that is too long at commas."""
    if size(text) <= width:
        return [text]
    lines: list[str] = []
    line = ""
    for space, piece in _pieces(text, width - size(indent)):
        longer = line + space + piece
        if line.strip() and size(longer) > width:
            lines.append(line)
            line = indent + piece
        else:
            line = longer
    return [*lines, line]


def _pieces(text: str, width: int) -> Iterator[tuple[str, str]]:
    """Yield words with the space before each; of a word that is wider than a line, its parts."""
    for space, word in WORD.findall(text):
        if size(word) <= width:
            yield space, word
        else:
            yield from PIECE.findall(space + word)


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        space = " " * (width - size(cell))
        padded.append(space + cell if column.is_number else cell + space)
    return GAP.join(padded).rstrip()
