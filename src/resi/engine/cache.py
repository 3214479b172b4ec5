"""Prepared representations within a memory budget; the least recently used are evicted first."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.engine.warned import hear
from resi.engine.watch import Activity, unwatched
from resi.measures.features import Features
from resi.measures.guard import Guarded, arrays_in, as_failure, features_for, is_built_in
from resi.measures.shapes import as_tensor, least_precise

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import Tensor, device

    from resi.engine.watch import Watch
    from resi.measures.base import Measure
    from resi.measures.shapes import View
    from resi.representation import Representation
else:
    from resi.lazy import torch


class Side(NamedTuple):
    """One representation prepared for a measure.

    Attributes
    ----------
    guard : Guarded or None
        The input of the measure, if it is not built in.
    warned : tuple of str
        Warnings raised while it was prepared.
    """

    state: Any
    guard: Guarded | None = None
    warned: tuple[str, ...] = ()


@dataclass
class _Entry:
    features: Features
    sides: dict[str, Side] = field(default_factory=dict)
    size: int = 0


class Prepared:
    """Prepared representations of a run: the matrix of each representation and view, and each measure's state.

    Different representations may be prepared by different threads at the same time. Built-in measures share
    a matrix; each of the others has a copy.

    Attributes
    ----------
    seconds : dict
        Time spent on preparing each (representation key, measure name).
    positions : dict
        Place of each representation key among those that are compared.
    """

    def __init__(self, budget: int, device: device, watch: Watch = unwatched) -> None:
        self.seconds: dict[tuple[str, str], float] = {}
        self.positions: dict[str, int] = {}
        self._budget = budget
        self._device = device
        self._watch = watch
        self._entries: OrderedDict[tuple[str, View], _Entry] = OrderedDict()
        self._failures: dict[tuple[str, View, str], Exception] = {}
        self._in_use: set[tuple[str, View]] = set()

    def prepare(self, representation: Representation, view: View, measures: Iterable[Measure]) -> None:
        """Prepare a representation for measures; if that fails, ``state`` raises the error later."""
        for measure in measures:
            self._prepare(representation, view, measure)
        entry = self._entries.get((representation.key, view))
        if entry is not None:
            entry.size = _size(entry)

    def side(self, representation: Representation, view: View, measure: Measure) -> Side:
        """Return the state that a measure prepared for a representation.

        Raises
        ------
        Exception
            The error that preparing raised; it is not tried again.
        """
        failure = self._failures.get((representation.key, view, measure.name))
        if failure is not None:
            # Without the traceback of an earlier pair, which would grow with every one.
            raise failure.with_traceback(None)
        return self._entries[representation.key, view].sides[measure.name]

    def features(self, representation: Representation, view: View) -> Features:
        """Return the matrix of a prepared representation."""
        return self._entries[representation.key, view].features

    def make_room(self, needed: set[tuple[str, View]], spare: int = 0) -> None:
        """Evict the least recently used entries until half the budget is free, but never those that are needed.

        The other half is for what is about to be prepared.

        Parameters
        ----------
        spare : int
            Bytes of the budget reserved for temporary memory while representations are prepared or compared.
        """
        # Comparing may have added to what was prepared.
        for key in self._in_use & self._entries.keys():
            self._entries[key].size = _size(self._entries[key])
        self._in_use = needed
        for key in needed & self._entries.keys():
            self._entries.move_to_end(key)
        total = sum(entry.size for entry in self._entries.values())
        for key in [key for key in self._entries if key not in needed]:
            if total <= (self._budget - spare) // 2:
                break
            total -= self._entries.pop(key).size

    def drop_pairs(self, key: str) -> None:
        """Drop the intermediates that a representation keeps for the last pair in which it came first."""
        for (held, _), entry in self._entries.items():
            if held == key:
                entry.features.drop_pair()

    def clear(self) -> None:
        """Drop everything that was prepared."""
        self._entries.clear()

    def _prepare(self, representation: Representation, view: View, measure: Measure) -> None:
        attempt = (representation.key, view, measure.name)
        known = self._entries.get((representation.key, view))
        if attempt in self._failures or (known is not None and measure.name in known.sides):
            return
        start = time.perf_counter()
        try:
            with self._watch(Activity(measure.name, representation=representation.key)):
                entry = self._entry(representation, view, measure.name)
                entry.sides[measure.name] = _side(measure, entry.features)
                if self._device.type == "cuda":
                    # Else its time, and an error of the GPU, would be those of whatever waits for it next.
                    torch.cuda.synchronize(self._device)
        except BaseException as error:
            # The traceback would keep the arrays of its frames.
            self._failures[attempt] = as_failure(measure, error).with_traceback(None)
        spent = (representation.key, measure.name)
        self.seconds[spent] = self.seconds.get(spent, 0.0) + time.perf_counter() - start

    def _entry(self, representation: Representation, view: View, measure: str) -> _Entry:
        key = (representation.key, view)
        if key not in self._entries:
            array = as_tensor(measure, representation.name, representation.load(), representation.layout)
            matrix = view.matrix(array.to(self._device))
            position = self.positions[representation.key]
            self._entries[key] = _Entry(Features(matrix, _precision(representation, array), position))
        return self._entries[key]


def _precision(representation: Representation, array: Tensor) -> torch.dtype:
    """Return the precision in which a representation was computed; storing it in a wider type does not raise it."""
    known = representation.dtype
    return array.dtype if known is None else least_precise(array.dtype, getattr(torch, known))


def _side(measure: Measure, shared: Features) -> Side:
    features = shared if is_built_in(measure) else features_for(measure, shared.given, shared.dtype, shared.position)
    with hear() as warned:
        state = measure.prepare(features)
    guard = features if isinstance(features, Guarded) else None
    if guard is not None:
        guard.check(measure)
        guard.mark(state)
    return Side(state, guard, tuple(warned))


def _size(entry: _Entry) -> int:
    return nbytes(entry.features, *entry.sides.values())


def nbytes(*values: Any) -> int:
    """Return the memory of all tensors in nested tuples and features, each counted once."""
    seen: dict[int, int] = {}
    for array in arrays_in(*values):
        place = array.data_ptr() if hasattr(array, "data_ptr") else id(array)
        seen[place] = max(seen.get(place, 0), array.nbytes)
    return sum(seen.values())
