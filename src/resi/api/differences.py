"""``resi.difference``: how much more similar one pair is than another, with a 95 % interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import polars as pl

    Pair = tuple[str, str]

DRAWS = "draws"
"""The column with a value for each draw of the samples."""


class Difference(NamedTuple):
    """How much larger the value of one pair is than that of another.

    Attributes
    ----------
    value : float
        That of the first pair minus that of the second.
    low, high : float
        Its 95 % interval over samples.
    larger_is_more_similar : bool or None
        As in the table.
    """

    value: float
    low: float
    high: float
    larger_is_more_similar: bool | None

    @property
    def is_sure(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def difference(table: pl.DataFrame, first: Pair, second: Pair, measure: str | None = None) -> Difference:
    """Return the difference of the values of two pairs, with its 95 % interval over samples.

    Both pairs are compared in the same draws of the samples. What they share, such as one layer or easy samples, makes
    their values rise and fall together, so the difference is often known much more precisely than the two intervals,
    which may overlap, suggest.

    Parameters
    ----------
    table : polars.DataFrame
        What ``pairwise(..., bootstrap=1000, draws=True)`` returned.
    first, second : (str, str)
        Names of the two sides of each pair.
    measure : str, optional
        The measure whose values are compared; not needed if the table holds only one.

    Returns
    -------
    Difference
        A tuple ``(value, low, high, larger_is_more_similar)``.

    Raises
    ------
    UsageError
        If the table has no draws, the measure or a pair is not in it, or a pair has no interval.

    Examples
    --------
    >>> import numpy as np
    >>> from resi import pairwise
    >>> noise = np.random.default_rng(0).normal(size=(3, 100, 4))
    >>> layers = {"one": noise[0], "two": noise[0] + 0.5 * noise[1], "three": noise[0] + noise[2]}
    >>> table = pairwise(layers, measures="cka", bootstrap=200, draws=True)
    >>> nearer = difference(table, ("one", "two"), ("one", "three"))
    >>> nearer.is_sure and nearer.low > 0
    True
    """
    if DRAWS not in table.columns:
        raise UsageError(
            "difference: the table has no column draws; make it with pairwise(..., bootstrap=1000, draws=True)"
        )
    rows = table.filter(measure=_measure(table, measure))
    one, other = (_row(rows, name, pair) for name, pair in (("first", first), ("second", second)))
    import numpy as np

    from resi.engine.intervals import interval

    drawn = [np.array(row[DRAWS], dtype=np.float64) for row in (one, other)]
    if one["samples"] != other["samples"] or len(drawn[0]) != len(drawn[1]):
        raise UsageError(f"difference: {first} and {second} were not compared in the same draws of samples")
    value = one["value"] - other["value"]
    found = interval(value, drawn[0] - drawn[1], one["samples"])
    if found is None:
        raise UsageError(f"difference: too few draws have a value for both {first} and {second}")
    return Difference(value, found.low, found.high, one["larger_is_more_similar"])


def _measure(table: pl.DataFrame, measure: str | None) -> str:
    known = table["measure"].unique(maintain_order=True).to_list()
    if measure is None:
        if len(known) != 1:
            raise UsageError(f"difference: the table holds {', '.join(known)}; say which: measure={known[0]!r}")
        return str(known[0])
    if measure not in known:
        raise unknown_name("measure", measure, known)
    return measure


def _row(rows: pl.DataFrame, argument: str, pair: Any) -> dict[str, Any]:
    """Return the row of a pair; if the table holds each pair in one order, either order is accepted."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise UsageError(f"difference: {argument}={pair!r}: expected two names, such as ('layer3', 'layer4')")
    found = rows.filter(source=pair[0], target=pair[1])
    if found.is_empty():
        found = rows.filter(source=pair[1], target=pair[0])
    if found.is_empty():
        names = list(dict.fromkeys([*rows["source"], *rows["target"]]))
        for name in pair:
            if name not in names:
                raise unknown_name("side", name, names)
        raise UsageError(f"difference: the table does not hold {pair[0]} and {pair[1]}")
    row = found.row(0, named=True)
    if row[DRAWS] is None:
        why = row["error"] or row["note"]
        raise UsageError(f"difference: {pair[0]} and {pair[1]} have no interval: {why}")
    return row
