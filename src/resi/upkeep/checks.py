"""The result of one check: a line of ``resi doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from resi.errors import described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class State(StrEnum):
    """The state of a checked item."""

    ok = "ok"
    missing = "missing"
    """It is missing, and not everyone needs it."""
    failed = "FAILED"
    """It does not work, or it is required and missing."""


@dataclass(frozen=True)
class Check:
    """One line.

    Attributes
    ----------
    group, name : str
        What was checked; names are unique over all groups.
    text : str
        What was found.
    advice : str
        What to do; empty if there is nothing to do.
    """

    group: str
    name: str
    state: State
    text: str
    advice: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return it as a JSON-compatible mapping."""
        return {
            "group": self.group,
            "name": self.name,
            "state": self.state.value,
            "text": self.text,
            "advice": self.advice,
        }


def ok(group: str, name: str, text: str) -> Check:
    """Return the line for something that works."""
    return Check(group, name, State.ok, text)


def missing(group: str, name: str, text: str, advice: str = "") -> Check:
    """Return the line for something missing that is optional."""
    return Check(group, name, State.missing, text, advice)


def failed(group: str, name: str, text: str, advice: str) -> Check:
    """Return the line for something that does not work."""
    return Check(group, name, State.failed, text, advice)


def guarded(group: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """Yield the checks of a function; any error in it becomes a failed line."""
    try:
        yield from checks()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except OSError as error:
        text = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else described(error)
        yield failed(group, group, text, "fix what the error names, and run resi doctor again")
    except BaseException as error:
        yield failed(group, group, described(error), "fix what the error names, and run resi doctor again")
