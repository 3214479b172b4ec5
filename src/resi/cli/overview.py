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
SHORT = {"accuracy": "acc.", "random labels": "labels", "augmentation": "augm."}
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
    texts = [_texts(grid.rows, [at for (name, _), at in place.items() if name == test]) for test in tests]
    sections = []
    for where in dict.fromkeys(head[-1] for head in grid.heads):
        cells = [[text.get((row, place.get((test, where))), "") for test, text in zip(tests, texts, strict=True)]
                 for row in range(len(grid.rows))]  # fmt: skip
        lines = [[row.label, *found] for row, found in zip(grid.rows, cells, strict=True)]
        sections.append(Section(lines, where))
    within = width() or NARROW
    print_table(columns, sections, title=grid.caption, within=within, more=f"they are in {folder / grid.name}.md")
    for note in grid.notes:
        for line in [] if note.startswith("Bold") else paragraph(shown(note), within=within):
            show(line, "dim")


def _texts(rows: Sequence[GridRow], places: Sequence[int]) -> dict[tuple[int, int | None], str]:
    """Return the cells below one heading by row and column, numbers below each other whatever stands behind them."""
    cells = {(number, place): row.cells[place] for number, row in enumerate(rows) for place in places}
    marks = max((len(cell.marks) for cell in cells.values()), default=0)
    return {at: cell.number + cell.marks.ljust(marks) for at, cell in cells.items()}
