"""A worker: a process that trains and runs small models for a run, one at a time and with one thread.

It is forked by :mod:`resi.machine.forkserver`. What is printed and warned about in it is sent to the process of the
run, which shows it. It stops, and releases its lock, when that process wants no more of it or has ended.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from resi import registry
from resi.choices import Protocol
from resi.errors import UsageError
from resi.machine.sender import Sender
from resi.machine.sources import changed_sources, loaded_sources
from resi.specs import DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.connection import Connection
    from types import FrameType

    from resi.domains.base import Domain
    from resi.pipeline.making import Maker, Task

# What a message is about.
READY, OTHER, MADE, ERROR, TEXT, WARNING = range(6)
PARENT_POLL_SECONDS = 1.0
STOP_SECONDS = 20
"""Seconds that a worker may take to save its work."""


class Warned(NamedTuple):
    """A warning, as another process can show it.

    Attributes
    ----------
    is_of_loading : bool
        Whether it came when libraries were loaded, which one process does once.
    """

    text: str
    category: type[Warning]
    filename: str
    line: int
    is_of_loading: bool = False


_warned_while_loading: list[Warned] = []


@dataclass(frozen=True)
class DomainRecipe:
    """How another process creates a domain, and what must be the same there.

    Attributes
    ----------
    provided : tuple of str
        Where the domain, the dataset and the architectures of the run are from.
    changed : tuple of str
        Source files that are not what the process of the run has loaded.
    """

    name: str
    protocol: str
    representation: str
    dataset: str
    architectures: tuple[str, ...]
    provided: tuple[str, ...]
    changed: tuple[str, ...]

    @classmethod
    def of(cls, domain: Domain, dataset: str, architectures: Iterable[str]) -> DomainRecipe:
        """Return how to make a domain."""
        names = tuple(sorted(set(architectures)))
        found = provided(type(domain), domain.name, dataset, names)
        return cls(domain.name, domain.protocol.value, domain.representation, dataset, names, found, changed_sources())

    def make(self) -> Domain:
        """Return the domain.

        Raises
        ------
        UsageError
            If what the run has is not the same here.
        """
        kind = registry.domains().get(self.name)
        found = provided(kind, self.name, self.dataset, self.architectures)
        for mine, theirs in zip(found, self.provided, strict=True):
            if mine != theirs:
                raise UsageError(f"{theirs} is {mine} in another process")
        if other := loaded_sources().intersection(self.changed):
            raise UsageError(f"{min(other)} has changed since the run's process loaded it")
        return kind(Protocol(self.protocol), self.representation)


def provided(kind: type[Domain], domain: str, dataset: str, architectures: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a domain, a dataset and architectures with the distributions and classes they are from."""
    items = [registry.datasets(domain).origin(dataset)]
    items += [registry.networks(domain).origin(name) for name in architectures]  # type: ignore[misc]
    kinds = [kind, *(type(entry.item) for entry in items)]
    known = ["", *(f"{entry.distribution} {entry.version} " for entry in items)]
    return tuple(f"{origin}{cls.__module__}.{cls.__qualname__}" for origin, cls in zip(known, kinds, strict=True))


def load(domain: str, dataset: str, *architectures: str) -> None:
    """Import and read what training needs, once for all workers; an error here occurs in the first worker again.

    Parameters
    ----------
    dataset : str
        A ``DatasetSpec`` as JSON.
    """
    name, folder, content = json.loads(dataset)
    with warnings.catch_warnings(record=True) as caught, contextlib.suppress(Exception):
        warnings.simplefilter("default")
        found = registry.domains().get(domain)()
        from resi.domains import arithmetic  # noqa: F401 - which needs torch
        from resi.pipeline import making  # noqa: F401

        found.warm_up(DatasetSpec(name, folder and Path(folder), content), architectures)
    for one in caught:
        _warned_while_loading.append(Warned(str(one.message), one.category, one.filename, one.lineno, True))


def work(connection: Connection[Any, Any]) -> None:
    """Receive how to make models, then one task after another; every result is sent."""
    recipe, maker = connection.recv()
    send = Sender(connection)
    _show_elsewhere(send)
    signal.signal(signal.SIGUSR1, _stop)
    tasks: SimpleQueue[Task] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, tasks, os.getppid()), daemon=True).start()
    try:
        maker = replace(maker, domain=recipe.make())
    except Exception as error:
        send(OTHER, str(error))
        return
    send(READY, None)
    while True:
        _make(maker, tasks.get(), send)


def _make(maker: Maker, task: Task, send: Sender) -> None:
    start = time.perf_counter()
    try:
        is_there = maker.try_to_make(task)
    except Exception as error:
        _end_lines()
        error.add_note("In a worker:\n" + "".join(traceback.format_exception(error)).rstrip())
        send(ERROR, error)
    else:
        _end_lines()
        send(MADE, (is_there, time.perf_counter() - start))


class _Elsewhere(io.TextIOBase):
    """A stream whose lines are shown by the process of the run; of an overwritten line, the last state."""

    def __init__(self, name: str, send: Sender) -> None:
        self._name = name
        self._send = send
        self._begun = ""

    def write(self, text: str) -> int:
        """Send complete lines."""
        *lines, begun = (self._begun + text).split("\n")
        for line in lines:
            self._send(TEXT, (self._name, _last_state(line)))
        self._begun = _last_state(begun) + ("\r" if begun.endswith("\r") else "")
        return len(text)

    def end_line(self) -> None:
        """Send the rest; flushing a progress bar does not end its line."""
        if self._begun:
            self.write("\n")

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True


def _last_state(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]


def _end_lines() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, _Elsewhere):  # what is trained may have put another there
            stream.end_line()


def _show_elsewhere(send: Sender) -> None:
    """Send the output and warnings of this process to the process of the run."""
    sys.stdout, sys.stderr = _Elsewhere("stdout", send), _Elsewhere("stderr", send)

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
        send(WARNING, Warned(str(message), category, filename, lineno))

    warnings.showwarning = show  # type: ignore[assignment]
    for one in _warned_while_loading:
        send(WARNING, one)


def _listen(connection: Connection[Any, Any], tasks: SimpleQueue[Task], parent: int) -> None:
    """Pass on tasks; stop this process when the one that sends them has no more, or has ended however it did."""
    with contextlib.suppress(EOFError, OSError):
        while os.getppid() == parent:
            if connection.poll(PARENT_POLL_SECONDS):
                tasks.put(connection.recv())
    main = threading.main_thread().ident
    assert main is not None  # noqa: S101 - it has started
    signal.pthread_kill(main, signal.SIGUSR1)
    time.sleep(STOP_SECONDS)
    os._exit(1)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """Interrupt the work that is running, as Ctrl-C does, once."""
    del number, frame
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    raise KeyboardInterrupt
