"""What one look at something has found: a line of ``resi doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from resi.registry.discovery import described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class State(StrEnum):
    """How it stands with something."""

    ok = "ok"
    missing = "missing"
    """It is not there, and not everybody needs it."""
    failed = "FAILED"
    """It is there and does not work, or nothing works without it."""


@dataclass(frozen=True)
class Check:
    """One line.

    Attributes
    ----------
    group, name : str
        What was looked at: of all groups together, names differ.
    text : str
        What was found.
    advice : str
        One thing to do; empty where nothing has to be done.
    """

    group: str
    name: str
    state: State
    text: str
    advice: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON can hold it."""
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
    """Return the line for something that is not there, and need not be."""
    return Check(group, name, State.missing, text, advice)


def failed(group: str, name: str, text: str, advice: str) -> Check:
    """Return the line for something that does not work."""
    return Check(group, name, State.failed, text, advice)


def guarded(group: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """Yield what a function finds; an error in it, whatever it is, is a line that has failed."""
    try:
        yield from checks()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        yield failed(group, group, described(error), "fix what the error names, and run resi doctor again")
