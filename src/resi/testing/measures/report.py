"""The report of a measure's checks, and its printed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.console import format_seconds
from resi.console.columns import wrap
from resi.testing.expectations import unmet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.testing.measures.cost import Cost

WIDTH = 80


class MeasureCheckError(AssertionError):
    """A measure violates its contract or a fact that it states.

    The message has a line for each violation: the measure, what is checked, what was expected, what was found, and for
    which input.
    """


class Violation(NamedTuple):
    """Something that does not hold.

    Attributes
    ----------
    check : str
        What is checked: a fact by its name, such as ``symmetric``, or words.
    expected, found : str
    on : str
        For which input; empty where it is about none.
    times : int
        How many inputs have shown it.
    """

    check: str
    expected: str
    found: str
    on: str = ""
    times: int = 1

    def __str__(self) -> str:
        where = f", on {self.on}" if self.on else ""
        more = f" and {self.times - 1} more" if self.times > 1 else ""
        return f"{self.check}: {unmet(self.expected, self.found)}{where}{more}"


class Remark(NamedTuple):
    """Something to know that is no violation: a fact that could be stated, a limit, a check that was left out.

    Attributes
    ----------
    subject : str
        What it is about: a fact by its name, or words.
    text : str
    states : str
        The line that states the fact, such as ``symmetric = True``; empty if it is about none.
    """

    subject: str
    text: str
    states: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}"


@dataclass(frozen=True)
class MeasureReport:
    """The report of checks on one measure; printed, it is 80 columns wide.

    Attributes
    ----------
    measure : str
        Its name, with those parameters that are not the defaults.
    failed : tuple of Violation
        Declared facts that are false, and expectations of every measure that do not hold.
    undeclared : tuple of Remark
        Facts that held in all trials but are not declared; the author knows whether they always hold.
    limits : tuple of Remark
        Inputs that the measure cannot handle, and the precision lost with smaller number types.
    passed, skipped : tuple of str, tuple of Remark
        What was checked, and what was not, with the reason.
    cost : Cost or None
        How long comparisons take; None if that was not measured.
    fastest : float or None
        Seconds of the fastest call; None if there was none.
    seconds : float
        How long the check took.
    function : str
        The name of the plain function that the measure is; empty for a class.
    """

    measure: str
    failed: tuple[Violation, ...] = ()
    undeclared: tuple[Remark, ...] = ()
    limits: tuple[Remark, ...] = ()
    passed: tuple[str, ...] = ()
    skipped: tuple[Remark, ...] = ()
    cost: Cost | None = None
    fastest: float | None = None
    seconds: float = 0.0
    function: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing has failed."""
        return not self.failed

    @property
    def error(self) -> str:
        """The message of ``MeasureCheckError``: a line for each violation."""
        return "\n".join(f"{self.measure}: {violation}" for violation in self.failed)

    @property
    def declarations(self) -> tuple[str, ...]:
        """Lines that state what holds and is not declared, as they can be pasted."""
        before = f"{self.function}." if self.function else ""
        return tuple(f"{before}{line}" for line in dict.fromkeys(item.states for item in self.undeclared) if line)

    @property
    def _place(self) -> str:
        return "below the function" if self.function else "in the class, or as keywords of as_measure"

    def __str__(self) -> str:
        verdict = f"{len(self.failed)} failed" if self.failed else "conforms"
        lines = [f"{self.measure}: {verdict}, {len(self.passed)} passed, in {format_seconds(self.seconds)}"]
        lines += _section("failed", map(str, self.failed))
        lines += _section("holds, and is not declared", map(str, self.undeclared))
        lines += _section(f"to declare it, {self._place}", self.declarations)
        lines += _section("limits and precision", map(str, self.limits))
        lines += _section("cost", self.cost.lines() if self.cost else ())
        lines += _section("passed", [", ".join(self.passed)] if self.passed else ())
        lines += _section("not checked", map(str, self.skipped))
        return "\n".join(lines)


def _section(title: str, items: Iterator[str] | list[str] | tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a section; nothing if it is empty."""
    for number, item in enumerate(items):
        if number == 0:
            yield from ("", title)
        yield from (f"  {line}" for line in wrap(item, WIDTH - 2, "  "))
