"""Similarities as text: a matrix a measure where it has room in 80 columns, else what is nearest to each layer."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.choices import Status
from resi.console.columns import Column, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

WIDTH = 80
MOST_LINES = 40
MOST_BLOCKS = 3
"""Parts into which the columns of a matrix may be divided."""
FEW_PAIRS = 3
MOST_LETTERS = 8
"""Letters of a name that have room above a column."""
LEVEL = 0.05
"""p-values above this are counted as those of chance."""
LONGEST = 32
"""Letters of a name that are shown."""
LARGER_IS = {True: "more similar", False: "more different", None: "not stated"}
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


def show(table: pl.DataFrame, sides: Sides, larger: dict[str, bool | None]) -> Iterator[str]:
    """Yield the lines of a table of pairs.

    Parameters
    ----------
    table : DataFrame
        As ``resi.pairwise`` returns it.
    sides : Sides
        What the sets are called.
    larger : dict from measure to bool or None
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
        if "low" in table.columns:
            yield from _widths(table.filter(measure=measure))
        if "calibrated" in table.columns:
            yield from _calibrated(table, measure, sides)


def _widths(rows: pl.DataFrame) -> Iterator[str]:
    """Yield how far the limits of intervals are apart."""
    known = rows.drop_nulls("low")
    if known.height:
        widths = (known["high"] - known["low"]).to_list()
        span = " to ".join(dict.fromkeys(number_text(width, 2) for width in (min(widths), max(widths))))
        yield f"  95 % intervals over samples are {span} wide; --out FILE keeps their limits"


def _calibrated(table: pl.DataFrame, measure: str, sides: Sides) -> Iterator[str]:
    """Yield the calibrated values of a measure, and how many are no more than chance."""
    rows = table.filter(measure=measure)
    p_values: list[float] = rows["p_value"].drop_nulls().to_list()
    if not p_values:
        return
    yield f"{measure}, calibrated (0: no more than chance, 1: the best value)"
    yield from _shown(_matrix(table, measure, sides.is_one, "calibrated"), sides, True)
    above = sum(p_value > LEVEL for p_value in p_values)
    yield f"  p above {LEVEL:g}: {above} of {len(p_values)} pairs; smallest p {number_text(min(p_values), 4)}"


def direction(larger: bool | None) -> str:
    """Return which way a measure points, in words; plain functions do not say."""
    if larger is None:
        return "whether larger is more similar is not known"
    return f"{'larger' if larger else 'smaller'} is more similar"


def _matrix(table: pl.DataFrame, measure: str, is_one: bool, column: str = "value") -> Matrix:
    rows = table.filter(measure=measure)
    cells = {}
    for source, target, value, status in rows.select("source", "target", column, "status").iter_rows():
        cells[source, target] = value, status
        if is_one:
            cells.setdefault((target, source), (value, status))
    names = list(dict.fromkeys([*rows["source"], *rows["target"]]))
    if is_one:
        return Matrix(names, names, cells)
    return Matrix(list(dict.fromkeys(rows["source"])), list(dict.fromkeys(rows["target"])), cells)


def _list_of_pairs(table: pl.DataFrame, larger: dict[str, bool | None]) -> Iterator[str]:
    """Yield a line a pair and measure: few pairs are read more easily so."""
    pairs = list(dict.fromkeys(table.select("source", "target").iter_rows()))
    lines = _lines_with_headings if {"low", "p_value"}.intersection(table.columns) else _plain_lines
    for number, (source, target) in enumerate(pairs):
        if number:
            yield ""
        yield f"{source} and {target}"
        rows = table.filter(source=source, target=target).iter_rows(named=True)
        yield from (f"  {line}" for line in lines(list(rows), larger))


def _plain_lines(rows: Sequence[dict[str, Any]], larger: dict[str, bool | None]) -> Iterator[str]:
    width = max(map(len, larger))
    for row in rows:
        yield f"{row['measure']:<{width}}  {_value_text(row):>10}  {direction(larger[row['measure']])}"


def _lines_with_headings(rows: Sequence[dict[str, Any]], larger: dict[str, bool | None]) -> Iterator[str]:
    """Yield a table of values with their intervals and what chance gives."""
    columns = [Column("measure", rank=0), Column("value", is_number=True, rank=0)]
    cells = [[row["measure"], _value_text(row)] for row in rows]

    def add(column: Column, texts: Sequence[str]) -> None:
        columns.append(column)
        for line, text in zip(cells, texts, strict=True):
            line.append(text)

    if "low" in rows[0]:
        add(Column("95 % interval", rank=0), [_interval_text(row) for row in rows])
    for name, title in (("p_value", "p"), ("calibrated", "calibrated")):
        if name in rows[0]:
            add(Column(title, is_number=True, rank=0), [number_text(row[name], 4) for row in rows])
    add(Column("larger is"), [LARGER_IS[larger[row["measure"]]] for row in rows])
    found = lay_out(columns, cells, WIDTH - 2)
    yield found.header
    yield from (line for lines in found.lines for line in lines)
    if found.left_out:
        yield from (f"{row['measure']}: {direction(larger[row['measure']])}" for row in rows)


def _value_text(row: dict[str, Any]) -> str:
    return number_text(row["value"], 4) if row["status"] == Status.ok else str(row["status"])


def _interval_text(row: dict[str, Any]) -> str:
    return SELF if row["low"] is None else f"{number_text(row['low'], 4)}..{number_text(row['high'], 4)}"


def _shown(matrix: Matrix, sides: Sides, larger: bool | None) -> Iterator[str]:
    digits = _digits(matrix)
    texts = {place: _cell(cell, digits) for place, cell in matrix.cells.items()}
    heads, names, legend = _headings(matrix, sides)
    cell = max(map(len, [*texts.values(), *heads.values()])) + 2
    first = max(map(len, names.values()))
    across = max(1, (WIDTH - 2 - first) // cell)
    if len(matrix.rows) > MOST_LINES or math.ceil(len(matrix.columns) / across) > MOST_BLOCKS:
        yield from _nearest(matrix, sides, digits, larger)
        return
    yield from legend
    for start in range(0, len(matrix.columns), across):
        if start:
            yield ""
        part = matrix.columns[start : start + across]
        yield "  " + " " * first + "".join(heads[column].rjust(cell) for column in part)
        for row in matrix.rows:
            values = "".join(texts.get((row, column), SELF).rjust(cell) for column in part)
            yield f"  {names[row]:<{first}}{values}"


def _headings(matrix: Matrix, sides: Sides) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Return what columns and rows are called, and lines that say what that stands for."""
    columns, of_columns = _short(matrix.columns)
    rows, of_rows = _short(matrix.rows)
    if sides.is_one:
        legend = [f"  layers: {of_rows}"] if of_rows else []
    else:
        legend = [f"  {side}: {name}" for side, name in (("rows", sides.rows), ("columns", sides.columns))]
        legend = [f"{line}, {of}" if of else line for line, of in zip(legend, (of_rows, of_columns), strict=True)]
    if max(map(len, columns.values())) <= MOST_LETTERS:
        return columns, rows, legend
    numbers = {name: f"[{number}]" for number, name in enumerate(matrix.columns, 1)}
    if sides.is_one:
        width = max(map(len, numbers.values()))
        return numbers, {row: f"{numbers[row]:<{width}} {rows[row]}" for row in matrix.rows}, legend
    entries = "  ".join(f"{number} {columns[name]}".replace(" ", "\0") for name, number in numbers.items())
    wrapped = textwrap.wrap(entries, WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return numbers, rows, [*legend, *(f"    {line}".replace("\0", " ") for line in wrapped)]


def _short(names: Sequence[str]) -> tuple[dict[str, str], str]:
    """Return names without the parts that all have in common where they are long, and a pattern of what is left out."""
    if max(map(len, names)) > MOST_LETTERS and len(names) > 1:
        parts = [name.split(".") for name in names]
        before = _common(parts)
        after = _common([part[len(before) :][::-1] for part in parts])[::-1]
        kept = [".".join(part[len(before) : len(part) - len(after)]) for part in parts]
        if (before or after) and all(kept):
            return dict(zip(names, kept, strict=True)), ".".join([*before, "*", *after])
    short = {name: name if len(name) <= LONGEST else f"...{name[3 - LONGEST :]}" for name in names}
    return (short if len(set(short.values())) == len(names) else {name: name for name in names}), ""


def _common(parts: Sequence[Sequence[str]]) -> list[str]:
    """Return the parts at the beginning that all have in common, less one that is the whole of any."""
    found: list[str] = []
    for several in zip(*(part[:-1] for part in parts), strict=False):
        if len(set(several)) > 1:
            break
        found.append(several[0])
    return found


def _nearest(matrix: Matrix, sides: Sides, digits: int, larger: bool | None) -> Iterator[str]:
    """Yield, for each row, the most similar column."""
    rows, pattern = _short(matrix.rows)
    size = f"{len(matrix.rows)} x {len(matrix.columns)} values"
    if sides.is_one:
        yield f"  {size}; for each layer, the most similar other layer:"
    else:
        yield from (f"  rows: {sides.rows}", f"  columns: {sides.columns}")
        yield f"  {size}; for each row, the most similar column:"
    if pattern:
        yield f"  layers: {pattern}"
    width = max(map(len, rows.values()))
    for row in matrix.rows[:MOST_LINES]:
        others = [column for column in matrix.columns if column != row or not sides.is_one]
        values = {column: matrix.cells[row, column][0] for column in others if (row, column) in matrix.cells}
        known = {column: value for column, value in values.items() if value is not None}
        if not known:
            yield f"  {rows[row]:<{width}}  no value"
            continue
        best = max(known, key=lambda column: -known[column] if larger is False else known[column])
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
