"""Tables with one number per cell, as in papers: measures by columns with several levels of headings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DASH = "-"
PARTIAL = "†"
"""The mark of a score with failed comparisons."""
ABSENT = "not in these results"


class GridCell(NamedTuple):
    """A number and its marks, or why there is none.

    Attributes
    ----------
    is_best : bool
        Whether no other number in the column is better.
    stars : str
        The significance of being better than chance; empty if unknown.
    is_partial : bool
        Whether some of its comparisons failed.
    why_missing : str
        Why there is no number, in a few words; empty if there is one.
    """

    value: float | None = None
    is_best: bool = False
    stars: str = ""
    is_partial: bool = False
    why_missing: str = ABSENT

    @property
    def number(self) -> str:
        """The value with two decimals, or a dash."""
        return DASH if self.value is None else format(round(self.value, 2) + 0.0, ".2f")

    @property
    def marks(self) -> str:
        """The marks behind the number."""
        return self.stars + PARTIAL * self.is_partial


class GridRow(NamedTuple):
    """A measure with a cell for each column."""

    label: str
    family: str
    cells: list[GridCell]


@dataclass(frozen=True)
class Grid:
    """A table of scores.

    Attributes
    ----------
    name : str
        Name of its files.
    caption : str
        What it shows, one sentence without a full stop.
    heads : list of tuple of str
        The headings of each column from the top level to the lowest.
    rows : list of GridRow
        Rows of one family are next to each other.
    remarks : tuple of str
        Further notes, one sentence each.
    """

    name: str
    caption: str
    heads: list[tuple[str, ...]]
    rows: list[GridRow]
    remarks: tuple[str, ...] = ()

    @property
    def missing(self) -> list[int]:
        """The number of cells without a number in each column."""
        return [sum(row.cells[place].value is None for row in self.rows) for place in range(len(self.heads))]

    @property
    def notes(self) -> list[str]:
        """What the marks mean, what is missing, and further notes, one sentence each."""
        return [*self._marks(), *self.remarks]

    @property
    def levels(self) -> int:
        """The number of heading levels."""
        return len(self.heads[0]) if self.heads else 0

    def spans(self, level: int) -> Iterator[tuple[str, int]]:
        """Yield the headings of one level with the number of columns below each."""
        count = 0
        for place, head in enumerate(self.heads):
            count += 1
            following = self.heads[place + 1] if place + 1 < len(self.heads) else None
            if following is None or following[: level + 1] != head[: level + 1]:
                yield head[level], count
                count = 0

    def _marks(self) -> Iterator[str]:
        cells = [cell for row in self.rows for cell in row.cells]
        why = Counter(cell.why_missing for cell in cells if cell.value is None)
        if why:
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(why.items()))
            yield f"A dash: no score, {why.total()} of {len(cells)} cells ({reasons})."
        if partial := sum(cell.is_partial for cell in cells):
            yield f"{PARTIAL}: some of the comparisons behind the score have failed, {partial} of {len(cells)} cells."


def in_family_order(rows: Sequence[GridRow]) -> list[GridRow]:
    """Return rows by family, in the order of published tables, then by name."""
    place = {family: number for number, family in enumerate(FAMILIES)}
    return sorted(rows, key=lambda row: (place.get(row.family, len(place)), row.family, row.label))


FAMILIES = ("cca", "alignment", "regression", "rsm", "kernel", "neighbours", "topology", "statistics")
"""The order of families; the published tables merge ``regression`` and ``kernel`` with their neighbours."""
