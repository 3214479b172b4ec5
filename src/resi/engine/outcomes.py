"""What came of a comparison: its value, or why there is none, and what is to be noted about it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from resi.choices import Status
from resi.errors import DegenerateInputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from resi.engine.cache import Side
    from resi.engine.chance import Chance
    from resi.engine.intervals import Interval
    from resi.engine.tiles import Task
    from resi.measures.base import Measure


class Result(NamedTuple):
    """What a measure said about a pair, see :class:`Outcome`."""

    value: float | None
    status: Status
    error: str
    note: str = ""


class Outcome(NamedTuple):
    """The outcome of one comparison.

    Attributes
    ----------
    value : float or None
        None unless ``status`` is ``ok``.
    error : str
        Why the value is missing: the type and text of an error (``failed``), or the reason (``undefined``).
    seconds : float
        Time of this comparison alone, both sides prepared.
    prepare_seconds : float
        Its share of the time spent on preparing the two sides: each is prepared once for all its comparisons.
    note : str
        Why the value says little, or what was warned about while it was computed; empty where there is nothing to note.
    chance : Chance or None
        How the value stands out among those of permuted samples, if that was asked for; None without a value, or where
        permuted samples have none, as ``note`` says.
    interval : Interval or None
        How far the value scatters over samples, if that was asked for; None without a value, or where there are too few
        samples, as ``note`` says.
    value_note : str
        Where samples were permuted, what ``note`` would be without.
    """

    task: Task
    value: float | None
    status: Status
    error: str
    seconds: float
    prepare_seconds: float
    note: str = ""
    chance: Chance | None = None
    interval: Interval | None = None
    value_note: str = ""

    def noting(self, text: str) -> Outcome:
        """Return the outcome with a further note."""
        return self._replace(note="; ".join(filter(None, (self.note, text))))


def judged(value: float) -> Result:
    """Return what a value of a measure says: only a finite number is one."""
    value = float(value)
    if math.isfinite(value):
        return Result(value, Status.ok, "")
    return Result(None, Status.failed, f"the measure returned {value}")


def noted(result: Result, measure: Measure, a: Side, b: Side, warned: Sequence[str] = ()) -> Result:
    """Return a result with what its measure notes about the value, and what was warned about."""
    note = _note(measure, a.state, b.state) if result.status == Status.ok else ""
    if not (note or warned or a.warned or b.warned):
        return result
    texts = dict.fromkeys([note, *a.warned, *b.warned, *warned])
    return result._replace(note="; ".join(filter(None, texts)))


def _note(measure: Measure, a: Any, b: Any) -> str:
    """Return what a measure notes; a note that cannot be made does not cost the value."""
    try:
        note = measure.note(a, b)
        return note if isinstance(note, str) else f"the note of {measure.name} is no text but {note!r}"
    except DegenerateInputError:
        return ""
    except Exception as failure:
        return f"the note of {measure.name} failed: {type(failure).__name__}: {failure}"


def outcome_of(task: Task, result: Result, seconds: float, prepare_seconds: float) -> Outcome:
    """Return what a measure said about a pair as the outcome of its comparison."""
    return Outcome(task, result.value, result.status, result.error, seconds, prepare_seconds, result.note)


def failed(failure: Exception) -> Result:
    """Return an error of a measure, in one line."""
    return Result(None, Status.failed, " ".join(f"{type(failure).__name__}: {failure}".split()))
