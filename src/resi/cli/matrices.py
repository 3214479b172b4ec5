"""Similarities as text: a matrix a measure where it has room in 80 columns, else what is nearest to each layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from resi.choices import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

WIDTH = 80
MOST_LINES = 40
MOST_BLOCKS = 3
"""Parts into which the columns of a matrix may be divided."""
FEW_PAIRS = 3
LONGEST = 32
"""Letters of a name that are shown."""
SELF = "-"
"""A cell that nothing was computed for, such as a layer with itself."""


class Sides(NamedTuple):
    """What rows and columns are called; the same name for pairs among one set."""

    rows: str
    columns: str

    @property
    def is_one(self) -> bool:
        """Whether rows and columns are the same layers."""
        return self.rows == self.columns


class Matrix(NamedTuple):
    """The values of one measure.

    Attributes
    ----------
    rows, columns : list of str
        Names of layers.
    cells : dict from (row, column) to (value, status)
        Those that were compared; a value of a symmetric measure stands on both sides.
    """

    rows: list[str]
    columns: list[str]
    cells: dict[tuple[str, str], tuple[float | None, str]]


def show(table: pl.DataFrame, sides: Sides, larger: dict[str, bool]) -> Iterator[str]:
    """Yield the lines of a table of pairs.

    Parameters
    ----------
    table : DataFrame
        As ``resi.pairwise`` returns it.
    sides : Sides
        What the sets are called.
    larger : dict from measure to bool
        Whether larger is more similar.
    """
    measures = list(dict.fromkeys(table["measure"].to_list()))
    matrices = {measure: _matrix(table, measure, sides.is_one) for measure in measures}
    if all(len(matrix.rows) * len(matrix.columns) <= FEW_PAIRS + 1 for matrix in matrices.values()):
        yield from _list_of_pairs(table, larger)
        return
    for number, (measure, matrix) in enumerate(matrices.items()):
        if number:
            yield ""
        yield f"{measure} ({direction(larger[measure])})"
        yield from _shown(matrix, sides, larger[measure])


def direction(larger: bool) -> str:
    """Return which way a measure points, in words."""
    return f"{'larger' if larger else 'smaller'} is more similar"


def _matrix(table: pl.DataFrame, measure: str, is_one: bool) -> Matrix:
    rows = table.filter(measure=measure)
    cells = {}
    for source, target, value, status in rows.select("source", "target", "value", "status").iter_rows():
        cells[source, target] = value, status
        if is_one:
            cells.setdefault((target, source), (value, status))
    names = list(dict.fromkeys([*rows["source"], *rows["target"]]))
    if is_one:
        return Matrix(names, names, cells)
    return Matrix(list(dict.fromkeys(rows["source"])), list(dict.fromkeys(rows["target"])), cells)


def _list_of_pairs(table: pl.DataFrame, larger: dict[str, bool]) -> Iterator[str]:
    """Yield a line a pair and measure: few pairs are read more easily so."""
    pairs = list(dict.fromkeys(table.select("source", "target").iter_rows()))
    width = max(map(len, larger))
    for number, (source, target) in enumerate(pairs):
        if number:
            yield ""
        yield f"{source} and {target}"
        for measure, value, status in (
            table.filter(source=source, target=target).select("measure", "value", "status").iter_rows()
        ):
            text = number_text(value, 4) if status == Status.ok else status
            yield f"  {measure:<{width}}  {text:>10}  {direction(larger[measure])}"


def _shown(matrix: Matrix, sides: Sides, larger: bool) -> Iterator[str]:
    digits = _digits(matrix)
    texts = {place: _cell(cell, digits) for place, cell in matrix.cells.items()}
    labels, legend = _headings(matrix, sides)
    cell = max(map(len, [*texts.values(), *labels[0].values()])) + 2
    first = max(len(labels[1][row]) for row in matrix.rows)
    across = max(1, (WIDTH - 2 - first) // cell)
    if len(matrix.rows) > MOST_LINES or math.ceil(len(matrix.columns) / across) > MOST_BLOCKS:
        yield from _nearest(matrix, sides, digits, larger)
        return
    yield from legend
    for start in range(0, len(matrix.columns), across):
        part = matrix.columns[start : start + across]
        yield "  " + " " * first + "".join(labels[0][column].rjust(cell) for column in part)
        for row in matrix.rows:
            values = "".join(texts.get((row, column), SELF).rjust(cell) for column in part)
            yield f"  {labels[1][row]:<{first}}{values}"


def _headings(matrix: Matrix, sides: Sides) -> tuple[tuple[dict[str, str], dict[str, str]], list[str]]:
    """Return what columns and rows are called, and lines that say what numbers of columns mean."""
    columns, rows = _short(matrix.columns), _short(matrix.rows)
    if max(map(len, columns.values())) <= 7:
        legend = [] if sides.is_one else [f"  rows: {sides.rows}; columns: {sides.columns}"]
        return (columns, rows), legend
    numbers = {name: f"[{number}]" for number, name in enumerate(matrix.columns, 1)}
    if sides.is_one:
        width = max(map(len, numbers.values()))
        return (numbers, {row: f"{numbers[row]:<{width}} {rows[row]}" for row in matrix.rows}), []
    legend = [f"  rows: {sides.rows}; columns: {sides.columns},"]
    for name, number in numbers.items():
        entry = f"{number} {columns[name]}"
        if len(legend[-1]) + len(entry) + 2 <= WIDTH and len(legend) > 1:
            legend[-1] += f"  {entry}"
        else:
            legend.append(f"    {entry}")
    return (numbers, rows), legend


def _short(names: Sequence[str]) -> dict[str, str]:
    """Return names without their beginnings where they are long, if that still tells them apart."""
    short = {name: name if len(name) <= LONGEST else f"...{name[3 - LONGEST :]}" for name in names}
    return short if len(set(short.values())) == len(names) else {name: name for name in names}


def _nearest(matrix: Matrix, sides: Sides, digits: int, larger: bool) -> Iterator[str]:
    """Yield, for each row, the most similar column."""
    size = f"{len(matrix.rows)} x {len(matrix.columns)}"
    other = "other layer" if sides.is_one else f"layer of {sides.columns}"
    yield f"  {size} values; the most similar {other} to each of {sides.rows}:"
    rows = _short(matrix.rows)
    width = max(map(len, rows.values()))
    for row in matrix.rows[:MOST_LINES]:
        others = [column for column in matrix.columns if column != row or not sides.is_one]
        values = {column: matrix.cells[row, column][0] for column in others if (row, column) in matrix.cells}
        known = {column: value for column, value in values.items() if value is not None}
        if not known:
            yield f"  {rows[row]:<{width}}  no value"
            continue
        best = max(known, key=lambda column: known[column] if larger else -known[column])
        yield f"  {rows[row]:<{width}}  {number_text(known[best], digits)}  {best}"
    if len(matrix.rows) > MOST_LINES:
        yield f"  and {len(matrix.rows) - MOST_LINES} more"


def _digits(matrix: Matrix) -> int:
    values = [abs(value) for value, _ in matrix.cells.values() if value is not None]
    largest = max(values, default=0.0)
    return 3 if largest < 10 else 2 if largest < 100 else 1 if largest < 100_000 else -1


def _cell(cell: tuple[float | None, str], digits: int) -> str:
    value, status = cell
    return number_text(value, digits) if status == Status.ok else {"undefined": "undef."}.get(status, status)


def number_text(value: float | None, digits: int) -> str:
    """Return a value with so many digits after the point; as a power of ten where these would be too many or few."""
    if value is None:
        return SELF
    if digits < 0 or abs(value) >= 1e5 or 0 < abs(value) < 0.1**digits:
        return f"{value:.2e}"
    return f"{value:.{digits}f}"
