"""Whether the pairs of a table are within one set or between two sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi import registry

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import polars as pl

    Pair = tuple[str, str]

SETS = "_resi_sets"
"""The attribute of a table that holds the names of both sets; a table made from it, as by a filter, lacks it."""
GROUP_MARK = ":"
"""Between the name of a network and that of its layer."""


class Sides(NamedTuple):
    """The rows and columns of the matrix of some pairs.

    Attributes
    ----------
    is_one_set : bool
        Whether rows and columns are the same items; items of two sets may have the same names.
    rows, columns : list of str
        In the order in which they first appear.
    """

    is_one_set: bool
    rows: list[str]
    columns: list[str]


def sides_of(pairs: Sequence[Pair]) -> Sides:
    """Return the sides of distinct pairs.

    They are between two sets if no name is on both sides, or if each on the left is paired with each on the right, such
    as the layers of two networks with the same layer names. A single pair is within one set.
    """
    left = list(dict.fromkeys(source for source, _ in pairs))
    right = list(dict.fromkeys(target for _, target in pairs))
    meet = set(left) & set(right)
    if len(pairs) > 1 and (not meet or len(pairs) == len(left) * len(right)):
        return Sides(False, left, right)
    every = list(dict.fromkeys(name for pair in pairs for name in pair))
    return Sides(True, every, every)


def name_sets(table: pl.DataFrame, first: str, second: str) -> None:
    """Keep the names of the two sets that a table compares, for the axes of figures."""
    setattr(table, SETS, (first, second) if first != second else (f"{first} (first)", f"{second} (second)"))


def names_of_sets(table: object) -> Pair | None:
    """Return the names of the two sets that a table compares; None for one set, or if they are not known."""
    found: Pair | None = getattr(table, SETS, None)
    return found


def groups_of(names: Sequence[str]) -> dict[str, str]:
    """Return the network of each item called ``NETWORK:LAYER``, itself for another; empty unless layers share one."""
    groups = {name: name.partition(GROUP_MARK)[0] for name in names}
    several = len(set(groups.values()))
    return groups if 1 < several < len(groups) else {}


def is_mirrored(measure: str, pairs: Collection[Pair]) -> bool:
    """Return whether a pair in one order holds for both: not if the measure or the table distinguishes the orders."""
    if measure in registry.measures():
        return registry.measures().get(measure).symmetric
    return not any((target, source) in pairs for source, target in pairs if source != target)
