"""Workers that train and run a run's small models side by side, as the process of the run sees them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import warnings
from collections import Counter, deque
from dataclasses import replace
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from resi.console import say, write
from resi.errors import TrainingError
from resi.machine.idle import give_back, take
from resi.machine.resources import JobResources, read_slot
from resi.pipeline.schedule import Schedule
from resi.pipeline.worker import ERROR, MADE, OTHER, READY, TEXT, WARNING, DomainRecipe
from resi.store.root import LOCK_POLL_SECONDS, Waiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resi.machine.forkserver import ForkedProcess, ForkServer
    from resi.pipeline.making import Maker, Task
    from resi.pipeline.worker import Warned

POLL_SECONDS = 1.0
STOP_SECONDS = 10.0
TRIES = 2
"""So many workers may die of one task: the first kill may have come from outside."""


class CannotSendError(Exception):
    """Workers cannot do this work: the process has a domain or an architecture that they do not find."""


class _Worker:
    """A worker process and its current task."""

    def __init__(self, process: ForkedProcess) -> None:
        self.process = process
        self.is_ready = False
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        """Let it make something."""
        self.task = task
        with contextlib.suppress(OSError):  # it has died, as the reader of its answers will see
            self.process.connection.send(task)


class Pool:
    """Worker processes for the tasks of a run; leaving the context ends them at once.

    Parameters
    ----------
    maker : Maker
        Makes what is given to the pool.
    tasks : sequence of Task
        All there will be; those that run a model wait until it is trained.
    count : int
        How many workers there are at most.
    """

    def __init__(self, maker: Maker, tasks: Sequence[Task], count: int) -> None:
        self._maker = maker
        self._count = count
        self._unmade = dict.fromkeys(tasks)
        self._schedule = Schedule()
        self._schedule.add(task for task in tasks if task.is_training)
        untrained = {task.model for task in tasks if task.is_training}
        self._schedule.add(task for task in tasks if not task.is_training and task.model not in untrained)
        self._later = [task for task in tasks if not task.is_training and task.model in untrained]
        self._put_off: deque[Task] = deque()
        self._deaths: Counter[Task | None] = Counter()
        self._workers: list[_Worker] = []
        self._waiting = Waiting("is computing what is left")
        names = (task.model.architecture for task in tasks)
        self._recipe = DomainRecipe.of(maker.domain, maker.dataset.name, names)
        self._server = self._start_server()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def finish(self, tasks: Sequence[Task]) -> Iterator[Task]:
        """Yield each task when it is done; start others when none of these is left to start.

        Raises
        ------
        CannotSendError
            If workers cannot make them.
        TrainingError
            If a task ends its worker again and again.
        Exception
            What making one of them has raised.
        """
        left = dict.fromkeys(tasks)
        while left:
            for task in [task for task in left if task not in self._unmade]:
                del left[task]
                yield task
            if left:
                self._give_out()
                self._receive()

    def close(self) -> None:
        """Stop all workers; each saves its work as after Ctrl-C, and is killed if that takes long."""
        for worker in self._workers:
            worker.process.connection.close()
        until = time.monotonic() + STOP_SECONDS
        while self._workers and time.monotonic() < until and self._server.is_alive:
            self._workers = [worker for worker in self._workers if not worker.process.has_ended()]
            if self._workers:
                time.sleep(0.01)
        for worker in self._workers:
            worker.process.end()
        self._workers = []
        give_back(self._server)

    def _start_server(self) -> ForkServer:
        environment = {**os.environ, **JobResources(1, None, *read_slot(os.environ)).environment()}
        dataset = self._maker.dataset
        folder = None if dataset.folder is None else str(dataset.folder)
        words = [self._recipe.name, json.dumps([dataset.name, folder, dataset.content]), *self._recipe.architectures]
        return take("resi.pipeline.worker:load", "resi.pipeline.worker:work", words, environment)

    def _give_out(self) -> None:
        """Give each idle worker a task, and start a worker where there is more to do."""
        idle = [worker for worker in self._workers if worker.is_ready and worker.task is None]
        while idle and len(self._schedule):
            task = self._schedule.next()
            if self._maker.is_there(task):  # another run has made it
                self._made(task)
            else:
                idle.pop().give(task)
        starting = sum(not worker.is_ready for worker in self._workers)
        while len(self._workers) < self._count and len(self._schedule) > starting:
            self._start_worker()
            starting += 1

    def _start_worker(self) -> None:
        job = self._recipe, replace(self._maker, domain=None)  # type: ignore[arg-type]
        try:
            process = self._server.start(job)
        except OSError:  # it was idle for long, or has been killed
            give_back(self._server)
            self._server = self._start_server()
            process = self._start_again(job)
        self._workers.append(_Worker(process))

    def _start_again(self, job: object) -> ForkedProcess:
        try:
            return self._server.start(job)
        except OSError as error:
            raise TrainingError(
                "workers: a worker process cannot be started, perhaps because memory is short; use workers=1"
            ) from error

    def _receive(self) -> None:
        """Wait for messages of workers, and heed them."""
        if not any(worker.task or not worker.is_ready for worker in self._workers) and self._put_off:
            self._waiting.wait_for(self._maker.store.holder(self._put_off[0].lock))
        elif self._workers:
            timeout = LOCK_POLL_SECONDS if self._put_off else POLL_SECONDS
            by_connection = {worker.process.connection: worker for worker in self._workers}
            for connection in wait(list(by_connection), timeout):
                self._heed(by_connection[connection])  # type: ignore[index]
        while self._put_off and not self._maker.store.is_locked(self._put_off[0].lock):
            self._schedule.add([self._put_off.popleft()])
        self._put_off.rotate()

    def _heed(self, worker: _Worker) -> None:
        """Take one message of a worker."""
        try:
            kind, content = worker.process.connection.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if kind == READY:
            worker.is_ready = True
        elif kind == OTHER:
            raise CannotSendError(content)
        elif kind == TEXT:
            _show(*content)
        elif kind == WARNING:
            _warn(content)
        elif kind == ERROR:
            raise content
        elif kind == MADE:
            self._settle(worker, *content)

    def _settle(self, worker: _Worker, is_there: bool, seconds: float) -> None:
        task, worker.task = worker.task, None
        assert task is not None  # noqa: S101 - it was given
        if is_there:
            self._schedule.took(task, seconds)
            self._made(task)
        else:
            self._put_off.append(task)

    def _made(self, task: Task) -> None:
        del self._unmade[task]
        if task.is_training:
            self._schedule.add(one for one in self._later if one.model == task.model)
            self._later = [one for one in self._later if one.model != task.model]

    def _bury(self, worker: _Worker) -> None:
        """Record that a worker has died, and give its task to another one, once for each task."""
        code = worker.process.wait()
        worker.process.end()
        self._workers.remove(worker)
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        died = f"a worker {how} while {worker.task or 'waiting for work'}"
        self._deaths[worker.task] += 1
        if self._deaths[worker.task] >= TRIES:
            raise TrainingError(
                f"workers: {died}, and so did one before; the system does that when memory runs out. Use workers=1, "
                "which needs less, and shows the error if it is another one"
            )
        say(f"{died}; another one continues")
        if worker.task is not None:
            self._schedule.add([worker.task])


_shown_warnings: dict[Any, Any] = {}
"""What Python notes of warnings that were shown, so that those of several workers come once."""
_shown_of_loading: set[Warned] = set()


def _warn(one: Warned) -> None:
    if one in _shown_of_loading:
        return
    if one.is_of_loading:
        _shown_of_loading.add(one)
    warnings.warn_explicit(one.text, one.category, one.filename, one.line, registry=_shown_warnings)


def _show(stream: str, line: str) -> None:
    if stream == "stdout":
        write(f"{line}\n")
    else:
        say(line)
    sys.stdout.flush()
