"""A card for each measure: what it is, what it costs, and its scores everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi import registry
from resi.measures import cards as measure_cards
from resi.report.answer import board_anchor
from resi.report.names import named, title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.report.cells import Cell
    from resi.report.failures import Cost
    from resi.report.leaderboard import Leaderboard
    from resi.report.names import Named

FACTS = {
    "larger values": "Larger values mean",
    "with itself": "Value of a representation with itself",
    "symmetric": "Symmetric (if not, the mean of both directions counts)",
    "metric": "Metric",
    "invariant to": "Does not change under",
    "cost per pair": "Cost of a pair",
    "paper": "Paper",
}
"""The facts on a card, and their labels."""


class TestScores(NamedTuple):
    """A measure's scores in one leaderboard.

    Attributes
    ----------
    cells : list of (str, Cell)
        What each column is about, and the score.
    """

    domain: str
    test: str
    conditions: str
    anchor: str
    imported: bool
    metric: str
    mean_rank: float | None
    measures: int
    cells: list[tuple[str, Cell]]

    @property
    def spread(self) -> str:
        """The lowest and the highest score."""
        values = [cell.value for _, cell in self.cells if cell.value is not None]
        if not values:
            return "-"
        low, high = f"{min(values):.2f}", f"{max(values):.2f}"
        return low if low == high else f"{low} to {high}"


class Card(NamedTuple):
    """A measure.

    Attributes
    ----------
    facts : list of (str, str)
        Its properties in words.
    """

    measure: Named
    definition: list[str]
    facts: list[tuple[str, str]]
    cost: Cost | None
    scores: list[TestScores]


def cards(boards: Sequence[Leaderboard], costs: Sequence[Cost]) -> list[Card]:
    """Return a card for each measure that has scores or comparisons, by name."""
    scores: dict[tuple[str, str], list[TestScores]] = {}
    for board in boards:
        for row in board.rows:
            found = TestScores(
                board.domain,
                title(board.test),
                board.conditions,
                board_anchor(board),
                row.imported,
                board.metric,
                row.mean_rank,
                row.measures,
                [(", ".join(head), cell) for head, cell in zip(board.columns, row.cells, strict=True) if cell],
            )
            scores.setdefault((row.key[0], row.key[1]), []).append(found)
    spent = {cost.measure.anchor: cost for cost in costs}
    labels = {named(*key).anchor: (named(*key), key[0], found) for key, found in scores.items()}
    for cost in costs:
        if cost.measure.family != "outputs":
            labels.setdefault(cost.measure.anchor, (cost.measure, cost.measure.label.partition(" (")[0], []))
    ordered = sorted(labels.values(), key=lambda item: item[0].label)
    return [
        Card(label, definition(name), facts(name), spent.get(label.anchor), found) for label, name, found in ordered
    ]


def definition(name: str) -> list[str]:
    """Return the paragraphs of a measure's description; nothing for one that is not installed."""
    if name not in registry.measures():
        return []
    text, _ = measure_cards.definition(registry.measures().get(name))
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


def facts(name: str) -> list[tuple[str, str]]:
    """Return a measure's properties in words; nothing for one that is not installed."""
    if name not in registry.measures():
        return []
    stated = measure_cards.properties(registry.measures().get(name))
    return [(title, stated[fact]) for fact, title in FACTS.items()]
