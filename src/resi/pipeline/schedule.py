"""Which of several tasks is next, and how long some take on so many workers: each takes one at a time."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resi.pipeline.making import Task


class Schedule:
    """Tasks that are left to begin.

    Trainings come before runs of models that are trained, which fill what is left of the time; and those that take long
    before others, so that workers end together. How long a kind takes is known once one of it is made, so that one of
    each architecture comes first.
    """

    def __init__(self) -> None:
        self._waiting: dict[Task, None] = {}
        self._begun: set[tuple[bool, str]] = set()
        self._seconds: defaultdict[tuple[bool, str], list[float]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, tasks: Iterable[Task]) -> None:
        """Add tasks that can begin."""
        self._waiting |= dict.fromkeys(tasks)

    def next(self) -> Task:
        """Take the next task."""
        task = max(self._waiting, key=self._urgency)  # the first of those that are alike
        del self._waiting[task]
        self._begun.add(_kind(task))
        return task

    def took(self, task: Task, seconds: float) -> None:
        """Learn how long a task has taken."""
        self._seconds[_kind(task)].append(seconds)

    def _urgency(self, task: Task) -> tuple[bool, bool, float]:
        kind = _kind(task)
        seconds = self._seconds[kind]
        return task.is_training, kind not in self._begun, sum(seconds) / len(seconds) if seconds else 0.0


def _kind(task: Task) -> tuple[bool, str]:
    return task.is_training, task.model.architecture


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Return when tasks are done of which each worker takes the longest that is left, one at a time."""
    ends = [0.0] * workers
    for one in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + one)
    return max(ends)
