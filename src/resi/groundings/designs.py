"""Designs of a table: sets of settings that were all compared with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import polars as pl


def designs(rows: pl.DataFrame) -> list[tuple[str, ...]]:
    """Return the largest sets of settings that were all compared with each other, in sorted order.

    A table of several runs can hold several, such as (0, 50, 75) and (0, 50, 100) if 75 and 100 were never compared.
    Failed comparisons count as compared.

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
    """Yield the maximal sets that contain the chosen settings and none seen before (Bron and Kerbosch, CACM 1973)."""
    if not left and not seen:
        yield tuple(sorted(chosen))
    for name in sorted(left):
        yield from _largest(met, chosen | {name}, left & set(met[name]), seen & set(met[name]))
        left = left - {name}
        seen = seen | {name}
