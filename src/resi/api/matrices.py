"""``resi.matrix``: the values of one measure from a table of comparisons, as an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np

from resi.errors import UsageError, unknown_name
from resi.results.pairs import is_mirrored, sides_of

if TYPE_CHECKING:
    import polars as pl

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Pair = tuple[str, str]


class LabelledMatrix(NamedTuple):
    """A matrix with the names of what was compared.

    Attributes
    ----------
    values : array of shape (n_rows, n_columns)
    rows, columns : list of str
        The same names if the matrix is a square of all pairs.
    """

    values: Array
    rows: list[str]
    columns: list[str]


SIDES = ("setting", "seed", "layer")
SCOPE = ("domain", "dataset", "architecture", "origin", "model_source", "pooling", "probe", "parameters")


@overload
def matrix(
    table: pl.DataFrame, measure: str | None = None, *, value: str = "value", labels: Literal[False] = False
) -> Array: ...
@overload
def matrix(
    table: pl.DataFrame, measure: str | None = None, *, value: str = "value", labels: Literal[True]
) -> LabelledMatrix: ...
def matrix(
    table: pl.DataFrame, measure: str | None = None, *, value: str = "value", labels: bool = False
) -> Array | LabelledMatrix:
    """Return the values of one measure as an array: a square of all pairs, or a rectangle of two sets.

    Rows and columns are in the order in which they first appear in the table. A pair that the table holds in one order
    only, as for a symmetric measure, fills both triangles of a square. The diagonal of a square is filled if it was
    computed (``pairwise(..., diagonal=True)``) and NaN otherwise; pairs without a value are NaN.

    The result is a rectangle if no name is on both sides of a pair, or if each name on the left is compared with each
    on the right, such as the layers of two networks with the same layer names. A single pair is a 2 x 2 square.

    Parameters
    ----------
    table : polars.DataFrame
        As returned by :func:`resi.pairwise`, or the comparisons of a run.
    measure : str, optional
        Name of the measure; needed if the table holds several.
    value : str
        The column to take.
    labels : bool
        Also return the names of rows and columns.

    Returns
    -------
    array of float64, shape (n_rows, n_columns); or LabelledMatrix
        With ``labels``, a tuple ``(values, rows, columns)``.

    Raises
    ------
    UsageError
        If a column or the measure is missing, or a pair has several values, for example for several parameters.

    Examples
    --------
    >>> import resi, numpy as np
    >>> rotated = {"R": np.eye(4)[:, :2], "S": np.eye(4)[:, [1, 0]], "T": np.eye(4)[:, 1:3]}
    >>> matrix(resi.pairwise(rotated, "cka", diagonal=True)).round(2).tolist()
    [[1.0, 1.0, 0.6], [1.0, 1.0, 0.6], [0.6, 0.6, 1.0]]
    >>> matrix(resi.pairwise(rotated, "cka"), "cka", labels=True).rows
    ['R', 'S', 'T']
    """
    import polars as pl

    found = _with_sides(table, value)
    name = _measure(found, measure)
    rows = found.filter(pl.col("measure") == name)
    _check_one_scope(rows, name)
    cells: dict[Pair, float] = {}
    for source, target, given in rows.select("source", "target", pl.col(value).cast(pl.Float64)).iter_rows():
        number = float("nan") if given is None else given
        known = cells.setdefault((source, target), number)
        if known != number and not (np.isnan(known) and np.isnan(number)):
            raise UsageError(
                f"matrix: {name} has the values {known:.6g} and {number:.6g} for {source!r} and {target!r}; keep the "
                "rows of one set of comparisons"
            )
    is_one_set, left, right = sides_of(list(cells))
    filled = dict(cells)
    if is_one_set and is_mirrored(name, cells):
        filled = {**{(target, source): number for (source, target), number in cells.items()}, **cells}
    values = np.array([[filled.get((source, target), np.nan) for target in right] for source in left], dtype=float)
    return LabelledMatrix(values, left, right) if labels else values


def _with_sides(table: Any, value: str) -> pl.DataFrame:
    """Return a table with the columns ``source`` and ``target``: for a run, what distinguishes its models."""
    import polars as pl

    if isinstance(table, pl.LazyFrame):
        table = table.collect()
    if not isinstance(table, pl.DataFrame):
        raise UsageError(
            f"matrix: expected the table returned by resi.pairwise, or the comparisons of a run, not a "
            f"{type(table).__name__}"
        )
    columns = table.columns
    if "source" not in columns and "setting_a" in columns:
        varying = [name for name in SIDES if pl.concat([table[f"{name}_a"], table[f"{name}_b"]]).n_unique() > 1]
        names = varying or ["setting"]
        table = table.with_columns(
            pl.concat_str([pl.col(f"{name}_{side}").cast(pl.String) for name in names], separator=" ").alias(end)
            for side, end in (("a", "source"), ("b", "target"))
        )
    if missing := [name for name in ("source", "target", "measure", value) if name not in table.columns]:
        raise UsageError(f"matrix: the table lacks the columns {', '.join(missing)}; it has {', '.join(columns)}")
    return table


def _measure(table: pl.DataFrame, measure: str | None) -> str:
    held = table["measure"].unique(maintain_order=True).to_list()
    if measure is None:
        if len(held) != 1:
            raise UsageError(
                f"matrix: the table holds {', '.join(held) or 'no measures'}; name one: measure={held[:1]}"
            )
        return str(held[0])
    if measure not in held:
        raise unknown_name("measure in the table", str(measure), held)
    return measure


def _check_one_scope(rows: pl.DataFrame, measure: str) -> None:
    """Raise ``UsageError`` if a table holds values of several experiments or for several parameters."""
    for name in SCOPE:
        if name in rows.columns and rows[name].n_unique() > 1:
            held = ", ".join(map(str, rows[name].unique(maintain_order=True)))
            raise UsageError(
                f"matrix: {measure} is in the table with several {name}: {held}; keep the rows of one, "
                f"table.filter({name}=...)"
            )
