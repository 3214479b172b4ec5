"""Prepared representations within a memory budget; the least recently used go first."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resi.measures.base import Features
from resi.measures.shapes import as_tensor

if TYPE_CHECKING:
    from torch import device

    from resi.measures.base import Measure
    from resi.measures.shapes import View
    from resi.representations.base import Representation


@dataclass
class _Entry:
    features: Features
    states: dict[str, Any] = field(default_factory=dict)
    size: int = 0


class Prepared:
    """What a run has prepared: the matrix of each representation and view, and each measure's state.

    Attributes
    ----------
    seconds : dict
        Time spent on preparing each (representation key, measure name).
    """

    def __init__(self, budget: int, device: device) -> None:
        self.seconds: dict[tuple[str, str], float] = {}
        self._budget = budget
        self._device = device
        self._entries: OrderedDict[tuple[str, View], _Entry] = OrderedDict()
        self._failures: dict[tuple[str, View, str], Exception] = {}

    def state(self, representation: Representation, view: View, measure: Measure) -> Any:
        """Return the measure's state of a representation, prepared now if it is not there.

        Raises
        ------
        Exception
            Whatever preparing raised, now or at an earlier call; it is not tried again.
        """
        attempt = (representation.key, view, measure.name)
        if attempt in self._failures:
            raise self._failures[attempt]
        start = time.perf_counter()
        try:
            entry = self._entry(representation, view, measure.name)
            if measure.name in entry.states:
                return entry.states[measure.name]
            entry.states[measure.name] = measure.prepare(entry.features)
        except Exception as error:
            self._failures[attempt] = error
            raise
        key = (representation.key, measure.name)
        self.seconds[key] = self.seconds.get(key, 0.0) + time.perf_counter() - start
        entry.size = nbytes((entry.features, *entry.states.values()))
        self._evict()
        return entry.states[measure.name]

    def clear(self) -> None:
        """Forget everything that was prepared."""
        self._entries.clear()

    def _entry(self, representation: Representation, view: View, measure: str) -> _Entry:
        key = (representation.key, view)
        if key not in self._entries:
            array = as_tensor(measure, representation.key, representation.load(), representation.layout)
            self._entries[key] = _Entry(Features(view.matrix(array.to(self._device))))
        self._entries.move_to_end(key)
        return self._entries[key]

    def _evict(self) -> None:
        total = sum(entry.size for entry in self._entries.values())
        # The two newest belong to the pair at hand.
        while total > self._budget and len(self._entries) > 2:
            _, entry = self._entries.popitem(last=False)
            total -= entry.size


def nbytes(*values: Any) -> int:
    """Return the memory of all tensors in nested tuples and features, each counted once."""
    seen: dict[int, int] = {}
    pending = list(values)
    while pending:
        value = pending.pop()
        if isinstance(value, Features):
            pending.extend(value.held())
        elif isinstance(value, tuple):
            pending.extend(value)
        elif hasattr(value, "data_ptr"):
            seen[value.data_ptr()] = max(seen.get(value.data_ptr(), 0), value.nbytes)
    return sum(seen.values())
