"""The pairs drawn by heat maps and maps, from a table or an array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resi.errors import UsageError, unknown_name
from resi.plot.reading import LABEL, as_frame, chosen_labels, points_up
from resi.plot.squares import Square, square, with_sides
from resi.results.pairs import names_of_sets

Groups = Mapping[str, str] | Sequence[str] | None


class Panel(NamedTuple):
    """The values of one measure, whether larger ones mean more similar, and the names of two sets."""

    name: str
    up: bool
    found: Square
    sets: tuple[str, str] = ("", "")


def chosen_maps(
    function: str, table: Any, measure: Any, labels: Any, columns: Any, given: bool | None
) -> tuple[list[Panel], dict[str, str]]:
    """Return the values of measures in a table, or an array, and the setting of each item, if known.

    Parameters are those of :func:`heatmap`; ``given`` is ``larger_is_more_similar``.
    """
    if not isinstance(table, str | Path) and not hasattr(table, "columns") and not hasattr(table, "collect"):
        return [_of_array(function, table, measure, labels, columns, given)], {}
    sets = names_of_sets(table)
    given_table = as_frame(function, table, ["measure", "value"])
    sides = with_sides(given_table)
    named = sets or (("source", "target") if "source" in given_table.columns else ("", ""))
    frame = as_frame(function, sides.table, ["source", "target"])
    maps = []
    for label in chosen_labels(function, frame, measure):
        rows = frame.filter(frame[LABEL] == label)
        found = square(function, frame, label, sides.order, is_two_sets=sets is not None)
        if labels is not None or columns is not None:
            found = _chosen(function, found, labels, columns)
        up = points_up(function, rows["measure"][0], rows, given)
        maps.append(Panel(label, up, found, ("", "") if found.is_square else named))
    return maps, sides.groups


def _chosen(function: str, found: Square, labels: Sequence[str] | None, columns: Sequence[str] | None) -> Square:
    """Return the requested rows and columns, in that order."""
    rows = found.rows if labels is None else [str(name) for name in labels]
    across = [str(name) for name in columns] if columns is not None else rows if found.is_square else found.columns
    places = []
    for wanted, existing in ((rows, found.rows), (across, found.columns)):
        for name in wanted:
            if name not in existing:
                raise unknown_name(f"item in the table given to plot.{function}", name, existing)
        places.append([existing.index(name) for name in wanted])
    index = np.ix_(*places)
    return Square(found.values[index], rows, across, found.compared[index], found.is_square and rows == across)


def _of_array(function: str, values: Any, measure: Any, labels: Any, columns: Any, given: bool | None) -> Panel:
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise UsageError(f"plot.{function}: expected a table or an array, not a {type(values).__name__}") from None
    if array.ndim != 2 or array.size == 0:
        raise UsageError(f"plot.{function}: expected an array of two dimensions, not of shape {array.shape}")
    if not np.isfinite(array).any():
        raise UsageError(f"plot.{function}: the array holds no numbers")
    rows = [str(name) for name in (range(array.shape[0]) if labels is None else labels)]
    same = columns is None and array.shape[0] == array.shape[1]
    across = rows if same else [str(name) for name in (range(array.shape[1]) if columns is None else columns)]
    if (len(rows), len(across)) != array.shape:
        raise UsageError(
            f"plot.{function}: {len(rows)} labels and {len(across)} columns do not fit shape {array.shape}"
        )
    name = "similarity" if measure is None else str(measure)
    found = Square(
        np.where(np.isfinite(array), array, np.nan), rows, across, np.ones(array.shape, bool), rows == across
    )
    return Panel(name, points_up(function, name, None, given), found)


def group_of(function: str, groups: Groups, found: Square, known: Mapping[str, str]) -> dict[str, str]:
    """Return the group of each item by its name; empty if there are none."""
    if groups is None:
        return dict(known)
    if isinstance(groups, Mapping):
        absent = [name for name in found.rows if name not in groups]
        if absent and found.is_square:
            raise UsageError(f"plot.{function}: groups= has no group for {absent[0]!r}")
        return {str(name): str(group) for name, group in groups.items()}
    listed = [str(group) for group in groups]
    if len(listed) != len(found.rows):
        raise UsageError(f"plot.{function}: groups= holds {len(listed)} groups for {len(found.rows)} rows")
    return dict(zip(found.rows, listed, strict=True))


def reordered(panel: Panel, first: Panel, rows: list[int], across: list[int]) -> Square:
    """Return the values of one measure in the order of rows and columns found for the first one."""
    found = panel.found
    if (found.rows, found.columns) != (first.found.rows, first.found.columns):
        raise UsageError(
            f"plot.heatmap: {panel.name} was computed for other items than {first.name}, which determines the "
            "clustering; draw it separately"
        )
    names = [found.rows[place] for place in rows], [found.columns[place] for place in across]
    index = np.ix_(rows, across)
    return Square(found.values[index], *names, found.compared[index], found.is_square)
