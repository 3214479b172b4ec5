"""Similarities of all pairs as an array: rows and columns in the order of the table, or of a clustering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from resi import registry
from resi.errors import UsageError
from resi.plot.reading import LABEL, model_labels, model_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, np.dtype[np.float64]]


class Square(NamedTuple):
    """Values of one measure for all pairs.

    Attributes
    ----------
    values : array of shape (n_rows, n_columns)
        NaN where there is none.
    rows, columns : list of str
        The same list for a square.
    compared : array of shape (n_rows, n_columns), bool
        Whether a value is to be expected: not of an item with itself, unless the table holds it.
    """

    values: Array
    rows: list[str]
    columns: list[str]
    compared: np.ndarray[Any, np.dtype[np.bool_]]

    @property
    def is_square(self) -> bool:
        """Whether rows and columns are the same items."""
        return self.rows == self.columns


def with_sides(table: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return comparisons with the columns ``source`` and ``target``, and the setting of each model if it varies."""
    if "source" in table.columns or "setting_a" not in table.columns:
        return table, {}
    varying, (a, b) = model_names(table)
    names = [model_labels(frame, varying) for frame in (a, b)]
    by = next((name for name in ("setting", "architecture") if name in varying and len(varying) > 1), None)
    groups = {} if by is None else dict(zip(names[0] + names[1], [*a[by], *b[by]], strict=True))
    return table.with_columns(source=pl.Series(names[0]), target=pl.Series(names[1])), groups


def square(function: str, table: pl.DataFrame, label: str) -> Square:
    """Return the array of one measure in a table with the columns ``source``, ``target`` and ``value``.

    The value of a pair that stands in the table in one order alone holds for both orders. On the diagonal stands the
    value that the measure is known to give an item with itself, if the table does not say.

    Raises
    ------
    UsageError
        If a pair has two different values, or none has any.
    """
    rows = table.filter(pl.col(LABEL) == label)
    sources = rows["source"].cast(pl.String).to_list()
    targets = rows["target"].cast(pl.String).to_list()
    left, right = list(dict.fromkeys(sources)), list(dict.fromkeys(targets))
    if set(left) & set(right) and set(left) != set(right) and len(set(zip(sources, targets))) < len(left) * len(right):
        left = right = _in_order(sources, targets)
    elif set(left) == set(right):
        right = left
    values = np.full((len(left), len(right)), np.nan)
    compared = np.ones(values.shape, dtype=bool)
    row_of, column_of = _places(left), _places(right)
    for source, target, value in zip(sources, targets, rows["value"], strict=True):
        place = row_of[source], column_of[target]
        number = np.nan if value is None else float(value)
        if not np.isnan(values[place]) and not np.isclose(values[place], number, equal_nan=True):
            raise UsageError(
                f"plot.{function}: {label} has the values {values[place]:g} and {number:g} for {source!r} and "
                f"{target!r}; leave one experiment in the table"
            )
        values[place] = number
    if left is right or left == right:
        _complete(values, compared, set(zip(sources, targets, strict=True)), left, rows["measure"][0])
    if np.isnan(values[compared]).all():
        raise UsageError(f"plot.{function}: {label} has no value in the table{_reason(rows)}")
    return Square(values, left, right, compared)


def _in_order(sources: Sequence[str], targets: Sequence[str]) -> list[str]:
    """Return all items: the sources in their order, then those that are targets alone."""
    return list(dict.fromkeys([*sources, *targets]))


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _complete(values: Array, compared: Any, pairs: set[tuple[str, str]], names: Sequence[str], measure: str) -> None:
    """Fill in the other order of each pair that has one value, and the diagonal."""
    known = registry.measures()
    itself = known.get(measure).self_value if measure in known else None
    for i, first in enumerate(names):
        if (first, first) not in pairs:
            values[i, i] = np.nan if itself is None else itself
            compared[i, i] = itself is not None
        for j, second in enumerate(names):
            if i != j and (first, second) not in pairs and (second, first) in pairs:
                values[i, j] = values[j, i]


def _reason(rows: pl.DataFrame) -> str:
    errors = rows["error"].drop_nulls().to_list() if "error" in rows.columns else []
    return f": {errors[0]}" if errors and errors[0] else ""


def clustered(function: str, found: Square, up: bool) -> tuple[list[int], list[int]]:
    """Return rows and columns in the order of average linkage, neighbours as similar as the tree allows.

    References
    ----------
    .. [1] Bar-Joseph et al., Fast optimal leaf ordering for hierarchical clustering, Bioinformatics 2001.

    Raises
    ------
    UsageError
        If a value is missing.
    """
    from scipy.spatial.distance import pdist, squareform

    missing = int(np.isnan(found.values[found.compared]).sum())
    if missing:
        raise UsageError(
            f"plot.{function}: order='clustered' needs every value, and {missing} are missing; use order='given'"
        )
    if not found.is_square:
        return _leaves(pdist(found.values)), _leaves(pdist(found.values.T))
    distances = as_distances(found.values, up)
    order = _leaves(squareform(distances, checks=False))
    return order, order


def as_distances(values: Array, up: bool) -> Array:
    """Return symmetric distances, 0 on the diagonal: similarities are subtracted from the largest."""
    away = np.nanmax(values) - values if up else values - min(0.0, float(np.nanmin(values)))
    distances = (away + away.T) / 2
    np.fill_diagonal(distances, 0.0)
    return distances


def _leaves(condensed: Array) -> list[int]:
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(condensed) == 0:
        return [0]
    return [int(leaf) for leaf in leaves_list(linkage(condensed, method="average", optimal_ordering=True))]
