"""Similarities of all pairs as an array, with rows and columns in the order of the table or of a clustering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from resi import registry
from resi.errors import UsageError
from resi.extraction.files.contents import natural
from resi.plot.reading import LABEL, has_calibrated, model_labels, model_names
from resi.results.pairs import groups_of, is_mirrored, sides_of

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
        Whether the table holds the pair, or its value is known otherwise.
    is_square : bool
        Whether rows and columns are the same items: the layers of two networks may have the same names.
    """

    values: Array
    rows: list[str]
    columns: list[str]
    compared: np.ndarray[Any, np.dtype[np.bool_]]
    is_square: bool


class Sides(NamedTuple):
    """Comparisons with the columns ``source`` and ``target``.

    Attributes
    ----------
    order : list of str
        All items in the order of settings, seeds and layers; empty to keep the order of the table.
    groups : dict from str to str
        The setting of each item, or its architecture, if that varies; of layers of several networks, the network.
    """

    table: pl.DataFrame
    order: list[str]
    groups: dict[str, str]


def with_sides(table: pl.DataFrame) -> Sides:
    """Return a table of pairs with named sides; those of a run's comparisons are named by what distinguishes them."""
    if "source" in table.columns and "target" in table.columns:
        names = pl.concat([table["source"].cast(pl.String), table["target"].cast(pl.String)]).unique(
            maintain_order=True
        )
        return Sides(table, [], groups_of(names.drop_nulls().to_list()))
    if "setting_a" not in table.columns:
        return Sides(table, [], {})
    varying, (a, b) = model_names(table)
    labels = [model_labels(frame, varying) for frame in (a, b)]
    by = next((name for name in ("setting", "architecture") if name in varying and len(varying) > 1), None)
    groups = {} if by is None else dict(zip(labels[0] + labels[1], [*a[by], *b[by]], strict=True))
    both = pl.concat([a, b]).select(varying)
    seen = {name: _places(both[name].unique(maintain_order=True).to_list()) for name in ("setting", "architecture")
            if name in varying}  # fmt: skip
    items = dict(zip(labels[0] + labels[1], both.iter_rows(named=True), strict=True))

    def key(name: str) -> list[Any]:
        return [seen[part][value] if part in seen else natural(str(value)) for part, value in items[name].items()]

    return Sides(
        table.with_columns(source=pl.Series(labels[0]), target=pl.Series(labels[1])), sorted(items, key=key), groups
    )


def square(
    function: str, table: pl.DataFrame, label: str, order: Sequence[str] = (), is_two_sets: bool = False
) -> Square:
    """Return the array of one measure in a table with the columns ``source``, ``target`` and ``value``.

    For a symmetric measure, a pair in one order fills both triangles. The diagonal holds the measure's known value of
    an item with itself, if it is not in the table. Rows and columns are in ``order``, otherwise in the order of the
    table. They are those of two sets if that is known, and otherwise if the pairs show it.

    Raises
    ------
    UsageError
        If a pair has two different values, or no pair has a value.
    """
    rows = table.filter(pl.col(LABEL) == label)
    sources = rows["source"].cast(pl.String).to_list()
    targets = rows["target"].cast(pl.String).to_list()
    pairs = list(zip(sources, targets, strict=True))
    is_one_set, left, right = sides_of(list(dict.fromkeys(pairs)))
    if is_two_sets and is_one_set:
        is_one_set, left, right = False, list(dict.fromkeys(sources)), list(dict.fromkeys(targets))
    left, right = _ordered(left, order), _ordered(right, order)
    values = np.full((len(left), len(right)), np.nan)
    compared = np.zeros(values.shape, dtype=bool)
    row_of, column_of = _places(left), _places(right)
    for (source, target), value in zip(pairs, rows["value"], strict=True):
        place = row_of[source], column_of[target]
        number = np.nan if value is None else float(value)
        if not np.isnan(values[place]) and not np.isclose(values[place], number, equal_nan=True):
            raise UsageError(
                f"plot.{function}: {label} has the values {values[place]:g} and {number:g} for {source!r} and "
                f"{target!r}; keep only one experiment in the table"
            )
        values[place], compared[place] = number, True
    if np.isnan(values).all():
        raise UsageError(f"plot.{function}: {label} has no value in the table{_reason(rows)}")
    if is_one_set:
        _complete(values, compared, _with_itself(rows), is_mirrored(rows["measure"][0], set(pairs)))
    return Square(values, left, right, compared, is_one_set)


def _ordered(names: list[str], order: Sequence[str]) -> list[str]:
    return [name for name in order if name in set(names)] if order else names


def _places(names: Sequence[Any]) -> dict[Any, int]:
    return {name: place for place, name in enumerate(names)}


def _with_itself(rows: pl.DataFrame) -> float | None:
    """Return the value of an item with itself, None if unknown."""
    if has_calibrated(rows):
        return 1.0
    known, measure = registry.measures(), rows["measure"][0]
    return known.get(measure).self_value if measure in known else None


def _complete(
    values: Array, compared: np.ndarray[Any, np.dtype[np.bool_]], itself: float | None, is_symmetric: bool
) -> None:
    """Fill the diagonal, and for a symmetric measure the other order of each pair."""
    if is_symmetric:
        one_way = compared.T & ~compared
        values[one_way] = values.T[one_way]
        compared |= one_way
    alone = np.eye(len(values), dtype=bool) & ~compared
    if itself is not None:
        values[alone] = itself
        compared |= alone


def _reason(rows: pl.DataFrame) -> str:
    errors = rows["error"].drop_nulls().to_list() if "error" in rows.columns else []
    return f": {errors[0]}" if errors and errors[0] else ""


def clustered(function: str, found: Square, up: bool) -> tuple[list[int], list[int]]:
    """Return rows and columns in the leaf order of average linkage, with neighbours as similar as the tree allows.

    References
    ----------
    .. [1] Bar-Joseph et al., Fast optimal leaf ordering for hierarchical clustering, Bioinformatics 2001.

    Raises
    ------
    UsageError
        If a value is missing.
    """
    from scipy.spatial.distance import pdist, squareform

    needed = ~np.eye(len(found.values), dtype=bool) if found.is_square else np.ones(found.values.shape, dtype=bool)
    missing = int(np.isnan(found.values[needed]).sum())
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
