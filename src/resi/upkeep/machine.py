"""The resources of a job on this machine: cores and memory, as limited by containers and launchers, and processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from resi.machine.forkserver import can_fork
from resi.machine.memory import format_bytes, machine_memory
from resi.machine.resources import THREAD_VARIABLES, available_cores, job_threads
from resi.upkeep.checks import Check, failed, missing, ok

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MACHINE = "machine"
LEAST_MEMORY = 2 * 10**9
"""With less memory, torch and a few workers hardly fit."""


def machine(_root: Path) -> Iterator[Check]:
    """Yield lines about cores, threads, memory and processes."""
    total, usable = os.cpu_count() or 1, available_cores()
    limited = "" if usable == total else f" of {total}; limited by affinity or a container"
    yield ok(MACHINE, "cores", f"{usable}{limited}")
    given = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    why = f", by {', '.join(given)}" if given else ""
    yield ok(MACHINE, "threads", f"{job_threads(os.environ)} for a job{why}")
    yield _memory()
    if can_fork():
        yield ok(MACHINE, "processes", "can be forked: workers=N and compare.isolate=true work")
    else:
        yield missing(MACHINE, "processes", "cannot be forked here: use workers=1 and compare.isolate=false")


def _memory() -> Check:
    all_of_it = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    usable = machine_memory()
    limited = "" if usable == all_of_it else f" of {format_bytes(all_of_it)}; limited by a container or launcher"
    text = f"{format_bytes(usable)}{limited}"
    if usable < LEAST_MEMORY:
        advice = f"allow the job at least {format_bytes(LEAST_MEMORY)}"
        return failed(MACHINE, "memory", f"{text}: too little for torch and one model", advice)
    return ok(MACHINE, "memory", text)
