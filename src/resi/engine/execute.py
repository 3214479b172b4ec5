"""The all-pairs engine: every task compared, each representation prepared once, memory within its budget."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.device import torch_threads
from resi.engine.budget import block_size, format_bytes, group_measures
from resi.engine.cache import Prepared
from resi.engine.plan import Task, in_blocks
from resi.errors import BudgetError, DegenerateInputError, ShapeError
from resi.measures.shapes import pair_views

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torch import device

    from resi.measures.base import Measure
    from resi.measures.shapes import View
    from resi.representations.base import Representation

OK, FAILED, UNDEFINED = "ok", "failed", "undefined"


class Outcome(NamedTuple):
    """What became of one comparison.

    Attributes
    ----------
    value : float or None
        None unless ``status`` is ``ok``.
    error : str
        Why there is no value: the type and text of an error (``failed``), or the reason (``undefined``).
    seconds : float
        Time of this comparison alone, both sides prepared.
    prepare_seconds : float
        Its share of the time spent on preparing the two sides: each is prepared once for all its comparisons.
    """

    task: Task
    value: float | None
    status: str
    error: str
    seconds: float
    prepare_seconds: float


@dataclass
class Engine:
    """Compares representations.

    Parameters
    ----------
    measures
        The measures by name.
    memory : int
        Budget for prepared representations, in bytes.
    device
        Where to compute.
    threads : int or None
        Threads of torch; None leaves its own choice.
    on_error : str
        ``record`` turns an error into a failed outcome and goes on; ``raise`` raises it.
    """

    measures: Mapping[str, Measure]
    memory: int
    device: device
    threads: int | None = None
    on_error: str = "record"

    def __post_init__(self) -> None:
        self.prepared = Prepared(self.memory, self.device)
        self._uses: Counter[tuple[str, str]] = Counter()

    def run(self, tasks: Sequence[Task], representations: Mapping[str, Representation]) -> Iterator[Outcome]:
        """Yield the outcome of every task, in an order that needs few representations at a time."""
        if not tasks:
            return
        self._uses = Counter((key, task.measure) for task in tasks for key in (task.source, task.target))
        rows, columns = _largest_matrix(representations.values())
        wanted = {name: self.measures[name] for name in dict.fromkeys(task.measure for task in tasks)}
        with torch_threads(self.threads):
            for group in group_measures(wanted, rows, columns, self.memory):
                block = block_size([wanted[name] for name in group], rows, columns, self.memory)
                chosen = [task for task in tasks if task.measure in group]
                for task in in_blocks(chosen, list(representations), block):
                    yield self._compare(task, representations[task.source], representations[task.target])
                self.prepared.clear()

    def _compare(self, task: Task, source: Representation, target: Representation) -> Outcome:
        measure = self.measures[task.measure]
        seconds = 0.0
        try:
            view_a, view_b = self._views(measure, source, target)
            a = self.prepared.state(source, view_a, measure)
            b = self.prepared.state(target, view_b, measure)
            start = time.perf_counter()
            value: float | None = float(measure.compare(a, b))
            seconds = time.perf_counter() - start
            status, error = OK, ""
            if not math.isfinite(value):  # type: ignore[arg-type]
                value, status, error = None, FAILED, f"the measure returned {value}"
        except DegenerateInputError as reason:
            value, status, error = None, UNDEFINED, str(reason)
        except Exception as failure:
            if self.on_error == "raise":
                raise
            value, status, error = None, FAILED, f"{type(failure).__name__}: {failure}"
        return Outcome(task, value, status, error, seconds, self._share(task))

    def _share(self, task: Task) -> float:
        spent = self.prepared.seconds
        sides = [(key, task.measure) for key in (task.source, task.target)]
        return sum(spent[side] / self._uses[side] for side in sides if side in spent)

    def _views(self, measure: Measure, source: Representation, target: Representation) -> tuple[View, View]:
        if source.samples != target.samples:
            raise ShapeError(f"{measure.name}: {source.key} and {target.key} hold different samples")
        result = pair_views(measure.name, (source.size, target.size), (source.layout, target.layout), measure.spatial)
        need = sum(measure.prepared_bytes(*_matrix_size(side.size)) for side in (source, target))
        if need > self.memory:
            raise BudgetError(
                f"{measure.name} needs about {format_bytes(need)} for two representations of shape {source.size}, "
                f"compare.memory allows {format_bytes(self.memory)}; raise it"
            )
        return result


def _largest_matrix(representations: Iterable[Representation]) -> tuple[int, int]:
    sizes = [_matrix_size(representation.size) for representation in representations]
    return max(rows for rows, _ in sizes), max(columns for _, columns in sizes)


def _matrix_size(size: tuple[int, ...]) -> tuple[int, int]:
    """Return rows and columns of the matrix an array becomes (flattened, where it is a map)."""
    if len(size) == 3:
        return size[0] * size[1], size[2]
    return size[0], math.prod(size[1:])
