"""A measure's score in one column of a leaderboard, as it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from resi.groundings.readable import differs_from_chance
from resi.report.tables import interval_text

if TYPE_CHECKING:
    from collections.abc import Mapping


class Cell(NamedTuple):
    """A measure's score in one column.

    Attributes
    ----------
    text : str
        The score, or why there is none in a word.
    interval : str
        95 % interval, ``-`` where there is none.
    value : float or None
        The score.
    normalised : float or None
        Its position between chance (0) and the best value (1).
    span : tuple of float or None
        The interval's limits by the same scale.
    differs : bool or None
        Whether it is distinguished from chance; None if unknown.
    rank : float or None
        Among the measures of the column, 1 the best, equal scores sharing their mean rank.
    share : float or None
        Its place among them, from 0 to 1, so that ranks of columns of different sizes can be compared: the middle of
        the rank's step.
    failed : str
        How many of its comparisons have no value; empty if all have one.
    reason : str
        Why the score is missing.
    """

    text: str
    interval: str = "-"
    value: float | None = None
    normalised: float | None = None
    span: tuple[float, float] | None = None
    differs: bool | None = None
    rank: float | None = None
    share: float | None = None
    failed: str = ""
    reason: str = ""

    @property
    def shade(self) -> int | None:
        """How far it is from chance (0) to the best value (10)."""
        return shade(self.normalised)


def shade(normalised: float | None) -> int | None:
    """Return a share of the way from chance to the best value in tenths, 0 below chance."""
    return None if normalised is None else round(10 * min(max(normalised, 0.0), 1.0))


def cell_of(score: Mapping[str, Any]) -> Cell:
    """Return the cell of a score and its rank: a row of a table of scores, with how many are in its place."""
    if score["several"] > 1:
        return Cell(f"{score['several']} scores")
    value, share = score["value"], score["normalised"]
    if value is None:
        return Cell("undefined", reason=score["reason"])
    return Cell(
        f"{value:.3f}",
        interval_text(score["low"], score["high"]),
        value,
        share,
        _span(score),
        differs_from_chance(score),
        score["rank"],
        None if score["rank"] is None else (score["rank"] - 0.5) / score["size"],
        f"{score['failed_pairs']} of {score['pairs'] + score['failed_pairs']} failed" if score["failed_pairs"] else "",
    )


def _span(score: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the interval on the scale from chance to the best value, on which the score and ``normalised`` lie."""
    numbers = [score[name] for name in ("low", "high", "value", "chance", "normalised")]
    if any(number is None for number in numbers) or score["value"] == score["chance"]:
        return None
    low, high, value, chance, share = numbers
    step = share / (value - chance)
    return (low - chance) * step, (high - chance) * step
