"""The value of one comparison with its value under chance and its interval: a float with attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.api.draws import interval_columns
from resi.api.pairs import How, outcomes_of
from resi.api.permutations import chance_columns
from resi.engine.tiles import Task
from resi.machine.devices import plain_arithmetic
from resi.representation import subsample
from resi.results.schema import CHANCE, INTERVALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.api.entries import Entry
    from resi.engine.chance import Chance
    from resi.engine.intervals import Interval
    from resi.measures.base import Measure


class Value(float):
    """A value with its distribution under chance and its interval over samples; otherwise it behaves as a float.

    Attributes
    ----------
    null_mean : float or None
        Mean of the permuted values.
    null_95 : float or None
        The threshold: 95 % of the permuted values, this value included, are at most as similar.
    p_value : float or None
        Share of the permuted values, this value included, that are at least as similar.
    calibrated : float or None
        How far the value is beyond the threshold, as a share of the way to the best value; 0 if it is not beyond.
    exact_mean, exact_variance : float or None
        Over all orders of the samples, if known; of the value, or of its ``square`` if ``exact_of`` says so.
    exact_of : str or None
    low, high : float or None
        The 95 % interval over samples, if requested and known.
    note : str
        Why the value or one of the attributes is missing or carries little information; otherwise empty.
    """

    null_mean: float | None
    null_95: float | None
    p_value: float | None
    calibrated: float | None
    exact_mean: float | None
    exact_variance: float | None
    exact_of: str | None
    low: float | None
    high: float | None
    note: str

    def __new__(cls, value: float, chance: Chance | None, note: str = "", interval: Interval | None = None) -> Value:
        """Return a value with its chance and its interval."""
        found = super().__new__(cls, value)
        cells = (*chance_columns(chance), *interval_columns(interval, keep=False))
        for name, cell in zip((*CHANCE, *INTERVALS), cells, strict=True):
            setattr(found, name, cell)
        found.note = note
        return found

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return the arguments with which a copy is made; its attributes are set afterwards."""
        return float(self), None

    def __repr__(self) -> str:
        """Show the number with its attributes, all rounded, and the note."""
        known = {"p_value": self.p_value, "calibrated": self.calibrated, "null_95": self.null_95}
        known |= {"low": self.low, "high": self.high}
        shown = [f"{float(self):.6g}", *(f"{name}={value:.4g}" for name, value in known.items() if value is not None)]
        return f"Value({', '.join([*shown, f'note={self.note!r}'] if self.note else shown)})"


def with_chance(value: float, sides: Sequence[Entry], measure: Measure, how: How) -> Value:
    """Return the value of two representations with its distribution under chance and its interval.

    Parameters
    ----------
    sides : sequence of Entry
        R and S, with their rows in the same order.
    """
    with plain_arithmetic():
        items = {side.name: subsample(side.item, how.samples) for side in sides if side.item is not None}
        task = Task("R", "S", measure.name)
        outcome = outcomes_of([task], items, {measure.name: measure}, how, raises=True)[task]
    if outcome.chance is not None:
        outcome = outcome.noting(outcome.chance.missing)
    return Value(value, outcome.chance, outcome.note or outcome.error, outcome.interval)
