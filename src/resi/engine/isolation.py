"""Comparisons in a separate process: one that hangs, crashes or takes all memory fails alone, and the rest continue.

One process runs the engine as it is, with all its threads, so that values are the same to the last bit and every
representation is prepared once. It reports each unit of work that it starts. If it dies, or one of them takes too
long, the comparisons that were running are repeated one by one in a new process, which shows which one is at fault.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from resi.choices import OnError, Status
from resi.engine.outcomes import Outcome
from resi.engine.process import BEGIN, DONE, END, ERROR, Assignment
from resi.engine.recipes import Recipe
from resi.errors import MeasureError, ResiError, UsageError
from resi.machine.forkserver import ForkServer, can_fork
from resi.machine.memory import format_bytes, machine_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import device

    from resi.engine.chance import Null
    from resi.engine.intervals import Bootstrap
    from resi.engine.tiles import Task
    from resi.engine.watch import Activity
    from resi.machine.forkserver import ForkedProcess
    from resi.measures.base import Measure
    from resi.measures.shapes import Sampling
    from resi.representation import Representation

LEAST_ALLOWANCE = 2**29
MACHINE_SHARE = 0.9
# What CUDA and its libraries map for themselves, most of which they never touch.
CUDA_BYTES = 2**34
# A failure counts only if it comes again when the comparison is made first in a new process: another one may have been
# at fault, or a kill from outside.
TRIES = 2
# How often a process may end before it has started any comparison.
STARTS = 3


class End(NamedTuple):
    """Why a process ended early.

    Attributes
    ----------
    works : list of Activity
        Comparisons and preparations that were running and may have caused the failure.
    seconds : float
        How long they had been running.
    is_certain : bool
        Whether the cause is certain, so that no second try is needed.
    """

    error: str
    works: list[Activity]
    seconds: float
    is_certain: bool


@dataclass
class IsolatedEngine:
    """Compares representations as :class:`~resi.engine.execution.Engine` does, but in another process.

    Parameters
    ----------
    measures
        By name: registered ones, or measures from a file (``measure.file``) or an importable module.
    memory : int
        Budget for prepared representations, in bytes. The process may use twice as much, and at most nine tenths of the
        machine's memory.
    time_limit : float, optional
        Seconds after which a comparison, or the preparation of a representation for a measure, is stopped.
    device, threads, on_error, sampling, null, bootstrap, main_memory
        As for ``Engine``.
    """

    measures: Mapping[str, Measure]
    memory: int
    device: device
    threads: int | None = None
    on_error: OnError = OnError.record
    sampling: Sampling = "spread"
    time_limit: float | None = None
    null: Null | None = None
    bootstrap: Bootstrap | None = None
    main_memory: int | None = None
    _pending: dict[Task, None] = field(default_factory=dict, init=False)
    _strikes: Counter[Task] = field(default_factory=Counter, init=False)
    _unruly: set[str] = field(default_factory=set, init=False)
    _names: dict[str, str] = field(default_factory=dict, init=False)
    _server: ForkServer | None = field(default=None, init=False)

    def run(self, tasks: Sequence[Task], representations: Mapping[str, Representation]) -> Iterator[Outcome]:
        """Yield the outcome of every task.

        Raises
        ------
        MeasureError
            If a process cannot be started; or with ``on_error="raise"``, if a comparison was stopped or ended its
            process. Other errors are raised unchanged.
        """
        self._pending = dict.fromkeys(tasks)
        self._strikes.clear()
        self._names = {key: item.name for key, item in representations.items()}
        starts = 0
        while self._pending:
            before = len(self._pending), self._strikes.total()
            chosen = self._careful()
            job = self._job(chosen or list(self._pending), representations, one_by_one=bool(chosen))
            yield from self._run_process(job)
            starts = 0 if before != (len(self._pending), self._strikes.total()) else starts + 1
            if starts == STARTS:
                raise MeasureError(
                    f"compare.isolate=true: the process for comparisons ended {STARTS} times before it compared "
                    "anything; compare.isolate=false shows why"
                )

    def close(self) -> None:
        """Stop the server that starts processes."""
        if self._server is not None:
            self._server.close()

    def _start(self, job: Assignment) -> ForkedProcess:
        if not can_fork():
            raise UsageError("compare.isolate=true: this system cannot fork processes; use compare.isolate=false")
        if self._server is None or not self._server.is_alive:
            self.close()
            self._server = ForkServer("resi.engine.process:load", "resi.engine.process:work")
        try:
            return self._server.start(job)
        except OSError as error:
            raise MeasureError("compare.isolate=true: the process for comparisons cannot be started") from error

    def _careful(self) -> list[Task]:
        """Return the tasks to run one by one: first those that may have ended a process, the latest first."""
        suspects = [task for task in self._strikes if task in self._pending]
        of_unruly = (task for task in self._pending if task.measure in self._unruly)
        return list(dict.fromkeys([*suspects, *of_unruly]))

    def _job(self, tasks: list[Task], representations: Mapping[str, Representation], one_by_one: bool) -> Assignment:
        import torch

        return Assignment(
            tasks=tasks,
            representations=representations,
            measures={name: Recipe.of(measure) for name, measure in self.measures.items()},
            memory=self.memory,
            allowance=self._allowance,
            device=str(self.device),
            threads=torch.get_num_threads() if self.threads is None else self.threads,
            on_error=self.on_error,
            sampling=self.sampling,
            one_by_one=one_by_one,
            null=self.null,
            bootstrap=self.bootstrap,
            main_memory=self.main_memory,
        )

    @property
    def _allowance(self) -> int:
        memory = self.memory if self.main_memory is None else self.main_memory
        of_driver = CUDA_BYTES if self.device.type == "cuda" else 0
        return max(min(2 * memory, int(MACHINE_SHARE * machine_memory())), LEAST_ALLOWANCE) + of_driver

    def _run_process(self, job: Assignment) -> Iterator[Outcome]:
        """Run one process until it finishes or dies; collect its outcomes, and trace its death to what was running."""
        is_first = True
        with _Running(self._start(job)) as running:
            while True:
                message = running.next_message(self.time_limit)
                if message is None:
                    return
                if isinstance(message, End):
                    yield from self._judge(message, job.one_by_one and is_first)
                    return
                if _is_out_of_memory(message):
                    error = f"MemoryError: it needs more than the {format_bytes(self._allowance)} that compare.isolate "
                    error += f"leaves it, twice compare.memory ({message.error})"
                    end = End(error, [], message.seconds, is_certain=False)
                    yield from self._judge(end, job.one_by_one and is_first, [message.task])
                    if job.one_by_one:
                        return  # what else it holds may be to blame for the next
                    continue
                is_first = False
                del self._pending[message.task]
                yield message

    def _judge(self, end: End, is_first: bool, tasks: Sequence[Task] = ()) -> Iterator[Outcome]:
        """Record the tasks that may have ended a process as failed, or keep them for a second try."""
        at_fault = tasks or [task for task in self._pending if any(work.concerns(task) for work in end.works)]
        guilty = [task for task in at_fault if end.is_certain or (is_first and self._strikes[task] >= TRIES - 1)]
        # The latest foremost, so that it is the first in its process.
        again = {task: self._strikes[task] + 1 for task in at_fault if task not in guilty}
        self._strikes = Counter({**again, **{task: n for task, n in self._strikes.items() if task not in again}})
        for task in guilty:
            if self.on_error == OnError.raise_:
                source, target = self._names[task.source], self._names[task.target]
                raise MeasureError(f"{task.measure} on {source} and {target}: {end.error}")
            self._unruly.add(task.measure)
            del self._pending[task]
            yield Outcome(task, None, Status.failed, end.error, end.seconds, 0.0)


class _Running:
    """A running process and the work it has started; leaving the context ends it at once."""

    def __init__(self, process: ForkedProcess) -> None:
        self._process = process
        self._connection = process.connection
        self._begun: dict[int, tuple[float, Activity]] = {}

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.end()

    def next_message(self, time_limit: float | None) -> Outcome | End | None:
        """Return the next outcome, the end if there is no further one, or None if all is done.

        Raises
        ------
        Exception
            The error that ended the engine in the process.
        """
        while True:
            # Messages that have arrived in the meantime are read before the clock.
            if not self._connection.poll(0) and not self._connection.poll(self._left(time_limit)):
                return self._overdue(time_limit)
            try:
                kind, thread, content = self._connection.recv()
            except (EOFError, OSError):
                return self._end(_explain(self._process.wait()))
            if kind == BEGIN:
                self._begun[thread] = time.monotonic(), content
            elif kind == END:
                del self._begun[thread]
            elif kind == DONE:
                return None
            elif kind == ERROR and isinstance(content, MemoryError) and not isinstance(content, ResiError):
                return self._end(f"MemoryError: {content}")
            elif kind == ERROR:
                raise content
            else:
                found: Outcome = content
                return found

    def _end(self, error: str) -> End:
        seconds = max((time.monotonic() - begun for begun, _ in self._begun.values()), default=0.0)
        return End(error, [work for _, work in self._begun.values()], seconds, is_certain=False)

    def _left(self, time_limit: float | None) -> float | None:
        """Return the seconds until the first unit of work exceeds the time limit; None if there is no limit."""
        if time_limit is None or not self._begun:
            return None
        now = time.monotonic()
        return max(0.0, min(begun + _allowed(work, time_limit) - now for begun, work in self._begun.values()))

    def _overdue(self, time_limit: float | None) -> End:
        assert time_limit is not None  # noqa: S101 - without a limit, nothing is overdue
        now = time.monotonic()
        late = [work for begun, work in self._begun.values() if begun + _allowed(work, time_limit) <= now]
        what = "preparing a representation" if late and late[0].representation else "it"
        error = f"TimeoutError: {what} took longer than compare.time_limit={time_limit:g} seconds and was stopped"
        # When several run at once, another one may be slowing it down.
        is_certain = len(self._begun) == 1 and len(late[0].pairs) <= 1 if late else False
        return End(error, late, time_limit, is_certain)


def _allowed(work: Activity, time_limit: float) -> float:
    return time_limit * max(1, len(work.pairs)) * work.times


def _explain(exit_code: int) -> str:
    """Return how a process ended."""
    if exit_code >= 0:
        return f"ChildProcessError: its process ended with exit code {exit_code}, and so did a second one"
    name = signal.Signals(-exit_code).name
    hint = "; the system does that when memory runs out" if name == "SIGKILL" else ""
    return f"ChildProcessError: its process was ended by {name} (signal {-exit_code}), and so was a second one{hint}"


def _is_out_of_memory(outcome: Outcome) -> bool:
    """Return whether a comparison failed for lack of memory, which libraries report in different words."""
    error = outcome.error.lower()
    words = ("memoryerror", "bad_alloc", "bad allocation", "allocate memory", "out of memory", "unable to allocate")
    return outcome.status == Status.failed and any(word in error for word in words)
