"""Tables printed to standard output: as wide as the terminal, or in a file as wide as they need."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from resi.console import show, shown, width
from resi.console.columns import lay_out, size, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.console.columns import Column

MORE = "a wider terminal or --wide shows them"
UNLIMITED = 1_000_000
"""A width that any table has."""


@dataclass(frozen=True)
class Section:
    """Rows that belong together, under a heading of their own, with remarks below.

    Attributes
    ----------
    rows : list of list of str
        A cell for each column.
    """

    rows: Sequence[Sequence[str]]
    heading: str = ""
    remarks: Sequence[str] = field(default=())


def print_table(
    columns: Sequence[Column],
    sections: Sequence[Section],
    *,
    title: str = "",
    within: int | None = None,
    more: str = MORE,
) -> None:
    """Print a table; columns that have no room are left out and named below it.

    Parameters
    ----------
    within : int, optional
        The width; by default that of the terminal, or of ``COLUMNS``. In a file, a table is as wide as it needs.
    more : str
        How to see what is left out.
    """
    written = [[[shown(cell) for cell in row] for row in section.rows] for section in sections]
    columns = [replace(column, title=shown(column.title), name=shown(column.name)) for column in columns]
    limit = within or width()
    table = lay_out(columns, [row for rows in written for row in rows], limit)
    _show(shown(title), "italic", limit)
    show(table.header, "bold")
    widest = max([size(table.header), *(size(line) for lines in table.lines for line in lines)])
    rest = iter(table.lines)
    for number, section in enumerate(sections):
        if section.heading or not number:
            show("─" * widest, "dim")
        _show(shown(section.heading), "bold", limit)
        for _ in section.rows:
            for line in next(rest):
                show(line)
        for remark in section.remarks:
            _show(shown(remark), "dim", limit)
    if table.left_out:
        _show_left_out(f"left out: {', '.join(table.left_out)}; ", shown(more), limit)


def _show_left_out(what: str, more: str, limit: int | None) -> None:
    """Show what is left out, and how to see it on a line of its own where both do not fit: commands can be copied."""
    if limit is None or size(what + more) <= limit:
        show(what + more, "dim")
        return
    _show(what.rstrip(), "dim", limit)
    first, comma, rest = more.partition(", ")
    for line in [more] if size(more) <= limit else [first + comma.rstrip(), rest]:
        show(line, "dim")


def _show(text: str, style: str, limit: int | None) -> None:
    for line in paragraph(text, within=limit) if text else ():
        show(line, style)


def paragraph(text: str, indent: str = "", within: int | None = None) -> list[str]:
    """Return a text as lines that fit a width, by default that of the terminal; the later ones indented."""
    limit = within or width()
    return [text] if limit is None else wrap(text, limit, indent)
