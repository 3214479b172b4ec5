"""Text for CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LATEX = {character: f"\\{character}" for character in "&%$#_{}"}
LATEX |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}"}
LATEX |= {">": r"\textgreater{}", "[": "{[}", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "\n": " "}
LATEX |= {"†": r"\dag{}", "…": r"\ldots{}"}


def latex_text(text: str) -> str:
    """Return a text with all special characters of LaTeX escaped."""
    return "".join(LATEX.get(character, character) for character in text)


def latex_line(cells: Iterable[str]) -> str:
    """Return a line of a table, whose cells are LaTeX."""
    return f"{' & '.join(cells)} \\\\"


def markdown_text(text: str) -> str:
    """Return a text on one line, with all special characters of Markdown escaped."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(text.split()))


def markdown_line(cells: Iterable[str]) -> str:
    """Return a line of a table, whose cells are Markdown."""
    return f"| {' | '.join(cells)} |"


def markdown_rule(left: int, count: int) -> str:
    """Return the line below the headings of a table; ``left`` columns hold words, the others numbers."""
    return f"|{'|'.join('---' if place < left else '---:' for place in range(count))}|"


def csv_text(lines: Iterable[Sequence[str]]) -> str:
    """Return lines as CSV."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(lines)
    return file.getvalue()


def no_formula(text: str) -> str:
    """Return a text that no spreadsheet reads as a formula."""
    is_number = re.fullmatch(r"[-+]?[\d.,e\[\] +-]+|-", text) is not None
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") and not is_number else text
