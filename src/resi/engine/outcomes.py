"""The outcome of a comparison: its value, or why there is none, and notes about it."""

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
    """Result of a measure for a pair, see :class:`Outcome`."""

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
        Time of this comparison alone, without preparing its two sides.
    prepare_seconds : float
        Its share of the time spent on preparing the two sides: each is prepared once for all its comparisons.
    note : str
        Why the value says little, or the warnings raised while it was computed; empty if there are none.
    chance : Chance or None
        The value compared with those for permuted samples, if requested; None without a value, or where
        permuted samples have none, as ``note`` says.
    interval : Interval or None
        The interval of the value over samples, if requested; None without a value, or where there are too few
        samples, as ``note`` says.
    value_note : str
        Where samples were permuted, the ``note`` about the value alone.
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
    """Return the result for a value of a measure, which must be a finite number."""
    value = float(value)
    if math.isfinite(value):
        return Result(value, Status.ok, "")
    return Result(None, Status.failed, f"the measure returned {value}")


def noted(result: Result, measure: Measure, a: Side, b: Side, warned: Sequence[str] = ()) -> Result:
    """Return a result with its measure's note about the value, and the warnings."""
    note = _note(measure, a.state, b.state) if result.status == Status.ok else ""
    if not (note or warned or a.warned or b.warned):
        return result
    texts = dict.fromkeys([note, *a.warned, *b.warned, *warned])
    return result._replace(note="; ".join(filter(None, texts)))


def _note(measure: Measure, a: Any, b: Any) -> str:
    """Return a measure's note; if making the note fails, the value is kept."""
    try:
        note = measure.note(a, b)
        return note if isinstance(note, str) else f"the note of {measure.name} is not a text but {note!r}"
    except DegenerateInputError:
        return ""
    except Exception as failure:
        return f"the note of {measure.name} failed: {type(failure).__name__}: {failure}"


def outcome_of(task: Task, result: Result, seconds: float, prepare_seconds: float) -> Outcome:
    """Return the result of a measure for a pair as the outcome of its comparison."""
    return Outcome(task, result.value, result.status, result.error, seconds, prepare_seconds, result.note)


def failed(failure: Exception) -> Result:
    """Return an error of a measure as one line."""
    return Result(None, Status.failed, " ".join(f"{type(failure).__name__}: {failure}".split()))
