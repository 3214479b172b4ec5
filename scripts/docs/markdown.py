"""Pieces of Markdown: tables, code, and what docstrings say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

UNDOCUMENTED = "NOT DOCUMENTED:"
"""Where a text is missing, with what it should be about: while there is one, the site is not built and a test fails."""
GAP = re.compile(rf"{UNDOCUMENTED} ([^|\n]*[^|\n ])")
CODE = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
ROLE = re.compile(r":\w+:`~?\.?([^`]+)`")
SHORTENED = re.compile(r":\w+:`~[^`]*\.")
"""What is left out of a name that is marked as to be shortened."""
LITERAL = re.compile(r"::\n\n((?: {4,}.*\n?|\n)+)")
LIST = re.compile(r"^(?![ ]*[-*] |\n)(.*\S.*)\n(?=- )", re.MULTILINE)


def given(text: str | None, what: str, where: str) -> str:
    """Return a text; where there is none, a mark that :func:`gaps` finds: what lacks it, and where it has to stand."""
    found = (text or "").strip()
    return found or f"{UNDOCUMENTED} {what}, in {where}"


def gaps(page: str) -> list[str]:
    """Return what a page should say and does not."""
    return GAP.findall(page)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown on one line."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def code(text: str, language: str = "") -> str:
    """Return a block of code."""
    return f"```{language}\n{text.strip(chr(10))}\n```\n"


def ticked(*names: object) -> str:
    """Return names as code."""
    return ", ".join(f"`{name}`" for name in names)


def definition(term: str, text: str) -> str:
    """Return an entry of a list of terms, which needs less width than a table."""
    return f"{term}\n:   {indented(text).lstrip()}\n"


def indented(text: str) -> str:
    """Return text as part of an entry of a list."""
    return "\n".join(f"    {line}" if line else "" for line in text.strip().splitlines())


def from_docstring(text: str, link: Callable[[str], str] | None = None) -> str:
    """Return the text of a docstring as Markdown.

    Parameters
    ----------
    link : callable, optional
        Returns where a name that a docstring refers to is described; an empty text if nowhere.
    """

    def named(found: re.Match[str]) -> str:
        name = found[1]
        shown = name.rpartition(".")[2] if SHORTENED.match(found[0]) else name
        target = link(name) if link else ""
        return f"[`{shown}`]({target})" if target else f"`{shown}`"

    def prose(part: str) -> str:
        pieces = CODE.split(ROLE.sub(named, part))
        plain = [piece.replace("``", "`") if place % 2 else _escaped(piece) for place, piece in enumerate(pieces)]
        return LIST.sub(r"\1\n\n", "".join(plain))

    parts = LITERAL.split(text)
    blocks = [f":\n\n{code(_dedented(part))}\n" if place % 2 else prose(part) for place, part in enumerate(parts)]
    return "".join(blocks).strip()


def _escaped(text: str) -> str:
    """Return text in which nothing is HTML, and no line that happens to begin so is a list or a quotation."""
    text = re.sub(r"<(?=[\w/!])", "&lt;", text)
    return re.sub(r"^( *)([+>])(?= )", r"\1\\\2", text, flags=re.MULTILINE)


def _dedented(text: str) -> str:
    lines = text.strip("\n").splitlines()
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[margin:] for line in lines)
