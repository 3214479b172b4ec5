"""The process that makes comparisons for ``compare.isolate``: it runs the engine and reports its work."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.engine.execution import Engine
from resi.machine.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from multiprocessing.connection import Connection

    from resi.choices import OnError
    from resi.engine.chance import Null
    from resi.engine.intervals import Bootstrap
    from resi.engine.recipes import Recipe
    from resi.engine.tiles import Task
    from resi.engine.watch import Activity, Watch
    from resi.measures.shapes import Sampling
    from resi.representation import Representation

# What a message is about.
BEGIN, END, OUTCOME, ERROR, DONE = range(5)


@dataclass(frozen=True)
class Assignment:
    """The job of a process; all of it can be pickled.

    Attributes
    ----------
    measures : mapping
        How the process makes each measure by its name: a class need not be found by its own.
    allowance : int
        Bytes the process may use beyond those it has when it begins.
    """

    tasks: list[Task]
    representations: Mapping[str, Representation]
    measures: Mapping[str, Recipe]
    memory: int
    allowance: int
    device: str
    threads: int
    on_error: OnError
    sampling: Sampling
    one_by_one: bool
    null: Null | None = None
    bootstrap: Bootstrap | None = None
    main_memory: int | None = None


def load() -> None:
    """Import the modules for comparing once, for all forked processes."""
    import torch  # noqa: F401 - so that the processes have it

    from resi import registry

    registry.measures()


def work(connection: Connection[Any, Any]) -> None:
    """Receive a job and make its comparisons; report each one when it starts, then send its outcome."""
    job: Assignment = connection.recv()
    threading.Thread(target=_end_with_reader, args=(connection,), daemon=True).start()
    send = Sender(connection)

    @contextlib.contextmanager
    def watch(piece: Activity) -> Iterator[None]:
        thread = threading.get_ident()
        send(BEGIN, thread, piece)
        try:
            yield
        finally:
            send(END, thread, None)

    try:
        for outcome in _engine(job, watch).run(job.tasks, job.representations):
            send(OUTCOME, 0, outcome)
    except Exception as error:
        send(ERROR, 0, error)
    else:
        send(DONE, 0, None)


def _engine(job: Assignment, watch: Watch) -> Engine:
    """Return the engine for the comparisons of a job, within its memory."""
    import torch

    measures = {name: recipe.make() for name, recipe in job.measures.items()}
    _limit_memory(job.allowance)
    return Engine(
        measures,
        job.memory,
        torch.device(job.device),
        job.threads,
        job.on_error,
        job.sampling,
        watch,
        job.one_by_one,
        null=job.null,
        bootstrap=job.bootstrap,
        main_memory=job.main_memory,
    )


def _end_with_reader(connection: Connection[Any, Any]) -> None:
    """End this process when the one that reads its messages has ended for any reason."""
    with contextlib.suppress(EOFError, OSError):
        connection.recv()
    os._exit(1)


def _limit_memory(allowance: int) -> None:
    """Make allocations beyond the allowance fail: an error in this process instead of a machine without memory.

    The limit counts private memory; mapped files and a GPU's address space do not matter to it. Linux keeps it, other
    systems have no such limit.
    """
    if sys.platform != "linux":
        return
    import resource

    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmData:\s+(\d+) kB", status)
    if found is None:
        return
    limit = int(found[1]) * 1024 + allowance
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
