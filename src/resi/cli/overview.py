"""The overview of all tests in the terminal: the tests beside each other, the domains below each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.console import show, shown, width
from resi.console.columns import Column
from resi.console.tables import Section, paragraph, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from resi.report.grids import Grid, GridRow

NARROW = 80
"""The width in a file, where ``COLUMNS`` asks for none."""
SHORT = {"random labels": "labels", "augmentation": "augm."}
"""Headings, so that all tests have room in 80 columns."""


def print_overview(grid: Grid, folder: Path) -> None:
    """Print the overview, with stars, and what is missing.

    Parameters
    ----------
    folder : Path
        Where its files lie.
    """
    tests = list(dict.fromkeys(head[1] for head in grid.heads))
    columns = [Column("measure", rank=0), *(Column(SHORT.get(test, test), is_number=True) for test in tests)]
    place = {(head[1], head[-1]): number for number, head in enumerate(grid.heads)}
    sections = [
        Section(_lines(grid.rows, [place.get((test, where)) for test in tests]), where)
        for where in dict.fromkeys(head[-1] for head in grid.heads)
    ]
    within = width() or NARROW
    print_table(columns, sections, title=grid.caption, within=within, more=f"they are in {folder / grid.name}.md")
    for note in grid.notes:
        for line in [] if note.startswith("Bold") else paragraph(shown(note), within=within):
            show(line, "dim")


def _lines(rows: Sequence[GridRow], places: Sequence[int | None]) -> list[list[str]]:
    """Return the cells of some columns, numbers below each other whatever stands behind them."""
    marks = max((len(row.cells[place].marks) for row in rows for place in places if place is not None), default=0)
    return [
        [
            row.label,
            *(
                "" if place is None else f"{row.cells[place].number}{row.cells[place].marks:{marks}}"
                for place in places
            ),
        ]
        for row in rows
    ]
