"""Reports what the engine works on, so that a process that hangs or dies can be traced to a measure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from resi.engine.tiles import Task


class Activity(NamedTuple):
    """What may take long or break: preparing one representation for a measure, or comparing pairs by it.

    Attributes
    ----------
    representation : str
        Key of the one that is prepared; empty where pairs are compared.
    pairs : tuple of (str, str)
        Keys of those that are compared, several where the measure compares them at once.
    times : int
        How often each of them is compared, with samples in different orders.
    """

    measure: str
    representation: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    times: int = 1

    def concerns(self, task: Task) -> bool:
        """Return whether a comparison has no value without this."""
        if task.measure != self.measure:
            return False
        pair = (task.source, task.target)
        return self.representation in pair if self.representation else pair in self.pairs


Watch = Callable[[Activity], AbstractContextManager[None]]
"""Entered before a piece of work and left after it."""


def unwatched(work: Activity) -> AbstractContextManager[None]:
    """Watch nothing."""
    del work
    return UNWATCHED


UNWATCHED: AbstractContextManager[None] = nullcontext()
