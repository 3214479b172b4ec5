"""Jobs in joblib's processes on this machine: one for each worker, reused for the next job."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from resi.errors import UsageError
from resi.machine.memory import machine_memory
from resi.machine.resources import JobResources, available_cores, threads_per_job, visible_devices
from resi.sweeps.launchers.base import SweepLauncher
from resi.sweeps.launchers.runner import describe, explicit_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from joblib.externals.loky import ProcessPoolExecutor

    from resi.sweeps.launchers.runner import JobRunner
    from resi.sweeps.records import Job

ALL_CORES = -1
# torch, a domain's library and a small dataset; what is compared comes on top.
PROCESS_BYTES = 2 * 10**9
IDLE_SECONDS = 60
INTERRUPT_SECONDS = 20
PARENT_POLL_SECONDS = 1
ENDED_POLL_SECONDS = 0.5


class ProcessLauncher(SweepLauncher):
    """Runs ``n_jobs`` jobs at a time, each in a separate process.

    A process that dies takes its own job with it and no other; the next job of its worker gets a new one.
    """

    def run(self, jobs: Sequence[Job], runner: JobRunner) -> Iterator[tuple[Job, int, str]]:
        """Keep every worker busy until no job is left."""
        n_jobs = jobs_at_once(self.options.get("n_jobs"), len(jobs), self.config)
        threads = explicit_threads(self.config) or threads_per_job(available_cores(), n_jobs, os.environ)
        cores = max(1, available_cores() // n_jobs)
        waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            waiting.put(job)
        ended: queue.SimpleQueue[tuple[Job, int, str]] = queue.SimpleQueue()
        stopped = threading.Event()
        memory = machine_memory() // n_jobs
        workers = [Worker(JobResources(threads, memory, slot, n_jobs, cores), runner) for slot in range(n_jobs)]

        def keep_busy(worker: Worker) -> None:
            with contextlib.suppress(queue.Empty):
                while not stopped.is_set():
                    job = waiting.get_nowait()
                    ended.put((job, *worker.run(job)))

        with warnings.catch_warnings(), ThreadPoolExecutor(n_jobs) as pool:
            # joblib replaces a process that keeps 300 MB of earlier jobs, and takes it for a fault of its user.
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs", category=UserWarning)
            lanes = [pool.submit(keep_busy, worker) for worker in workers]
            try:
                for _ in jobs:
                    yield _next(ended)
            except BaseException:
                stopped.set()
                interrupt(lanes)
                raise
            finally:
                for worker in workers:
                    worker.close()


def _next(ended: queue.SimpleQueue[tuple[Job, int, str]]) -> tuple[Job, int, str]:
    """Return the job that ends next; of a wait without an end Ctrl-C would not be seen once Polars is loaded."""
    while True:
        with contextlib.suppress(queue.Empty):
            return ended.get(timeout=ENDED_POLL_SECONDS)


def jobs_at_once(given: Any, jobs: int, config: Mapping[str, Any]) -> int:
    """Return how many jobs run at a time on this machine.

    By default one for each GPU, where jobs may use GPUs and there are any; else one for each core, as far as there
    is memory for a process each.

    Parameters
    ----------
    given : int or None
        ``hydra.launcher.n_jobs``; -1 stands for all cores, as in joblib.
    """
    if given is None:
        devices = 0 if str(config["device"]) == "cpu" else visible_devices(os.environ)
        given = devices or min(available_cores(), max(1, machine_memory() // PROCESS_BYTES))
    if isinstance(given, bool) or not isinstance(given, int) or (given < 1 and given != ALL_CORES):
        raise UsageError(f"hydra.launcher.n_jobs={given}: expected a number from 1 up, -1 for all cores, or null")
    return min(available_cores() if given == ALL_CORES else given, max(jobs, 1))


class Worker:
    """A worker for one job at a time, with a process that is started when first needed."""

    def __init__(self, allotted: JobResources, runner: JobRunner) -> None:
        self.allotted = allotted
        self.runner = runner
        self._pool: ProcessPoolExecutor | None = None

    def run(self, job: Job) -> tuple[int, str]:
        """Run a job to its end; return its exit code and, if it has none, why."""
        from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1,
                timeout=IDLE_SECONDS,
                initializer=_begin,
                initargs=(os.getpid(),),
                env=self.allotted.environment(),
            )
        try:
            return self._pool.submit(self.runner, job, self.allotted).result()
        except BrokenProcessPool as error:
            self._pool.shutdown(wait=False, kill_workers=True)
            self._pool = None
            return 1, f"its process died{_signals(error)}: killed, out of memory, or crashed"
        except BaseException as error:  # anything raised in the job's process
            return 1, describe(error)

    def close(self) -> None:
        """End the process; a job that is still in it is killed."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, kill_workers=True)


def interrupt(lanes: Sequence[Any]) -> None:
    """Interrupt the jobs in all processes once, and give them time to keep what they have finished."""
    import multiprocessing
    from concurrent.futures import wait

    for process in multiprocessing.active_children():
        if process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
    wait(lanes, timeout=INTERRUPT_SECONDS)


def _begin(parent: int) -> None:
    """Prepare a process for jobs.

    Ctrl-C reaches the process that started the sweep alone, which then interrupts each job once: a second interrupt
    would break off what the first makes a job keep. When that process dies, its jobs are interrupted, too.
    """
    os.setpgrp()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(INTERRUPT_SECONDS)
    os._exit(1)


def _signals(error: BaseException) -> str:
    """Return what ended a process, in brackets, from joblib's text, such as ``{SIGKILL(-9)}``."""
    found = re.search(r"exit codes of the workers are \{(.+?)\}", str(error))
    return f" ({found[1]})" if found else ""
