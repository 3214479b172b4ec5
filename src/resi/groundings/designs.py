"""Which settings of a table were all compared with each other: the designs that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import polars as pl


def designs(rows: pl.DataFrame) -> list[tuple[str, ...]]:
    """Return the largest sets of settings of which all were compared with each other, in sorted order.

    A table of several runs holds several, such as (0, 50, 75) and (0, 50, 100) where 75 and 100 have never met. A pair
    whose comparisons have failed has met.

    Parameters
    ----------
    rows : DataFrame
        With the columns ``setting_a`` and ``setting_b``.
    """
    met: dict[str, set[str]] = {}
    for a, b in rows.select("setting_a", "setting_b").unique().iter_rows():
        met.setdefault(a, set()).update({b} - {a})
        met.setdefault(b, set()).update({a} - {b})
    return sorted(_largest(met, frozenset(), set(met), set()))


def _largest(
    met: Mapping[str, Collection[str]], chosen: frozenset[str], left: set[str], seen: set[str]
) -> Iterator[tuple[str, ...]]:
    """Yield the sets that contain what is chosen and nothing that was seen before (Bron and Kerbosch, CACM 1973)."""
    if not left and not seen:
        yield tuple(sorted(chosen))
    for name in sorted(left):
        yield from _largest(met, chosen | {name}, left & set(met[name]), seen & set(met[name]))
        left = left - {name}
        seen = seen | {name}
