"""Reports the engine's current work, so that a process that hangs or dies can be traced to a measure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from resi.engine.tiles import Task


class Activity(NamedTuple):
    """Work that may take long or fail: preparing one representation for a measure, or comparing pairs with it.

    Attributes
    ----------
    representation : str
        Key of the representation being prepared; empty while pairs are compared.
    pairs : tuple of (str, str)
        Keys of the pairs being compared; several if the measure compares them in one call.
    times : int
        How often each pair is compared, with samples in different orders.
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
"""Context around a unit of work."""


def unwatched(work: Activity) -> AbstractContextManager[None]:
    """Watch nothing."""
    del work
    return UNWATCHED


UNWATCHED: AbstractContextManager[None] = nullcontext()
