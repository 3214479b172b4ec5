"""Jobs that submitit runs on this machine, each in a fresh process with its own log files."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from resi.machine.memory import machine_memory
from resi.machine.resources import JobResources, available_cores, threads_per_job
from resi.sweeps.launchers.base import SweepLauncher
from resi.sweeps.launchers.processes import jobs_at_once
from resi.sweeps.launchers.runner import explicit_threads
from resi.sweeps.launchers.submission import Submission, death, has_result, load_submitit, read_result, store_runner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resi.sweeps.launchers.runner import JobRunner
    from resi.sweeps.records import Job

POLL_SECONDS = 0.2


class LocalSubmitLauncher(SweepLauncher):
    """Runs ``n_jobs`` jobs at a time; submitit by itself would start all at once."""

    def run(self, jobs: Sequence[Job], runner: JobRunner) -> Iterator[tuple[Job, int, str]]:
        """Submit a job whenever a place is free."""
        submitit = load_submitit("submitit_local")
        n_jobs, threads, cores = self._sizes(len(jobs))
        executor = submitit.LocalExecutor(
            folder=str(self.options["submitit_folder"]), max_num_timeout=self.required("max_num_timeout", 0)
        )
        executor.update_parameters(
            timeout_min=self.required("timeout_min"), signal_delay_s=self.required("signal_delay_s", 0)
        )
        stored = store_runner(runner, self.folder)
        devices, memory = os.environ.get("CUDA_VISIBLE_DEVICES"), machine_memory() // n_jobs
        waiting, places = deque(jobs), deque(range(n_jobs))
        running: dict[int, tuple[Job, Any]] = {}
        try:
            while waiting or running:
                while waiting and places:
                    job, slot = waiting.popleft(), places.popleft()
                    submission = Submission(stored, job, JobResources(threads, memory, slot, n_jobs, cores), devices)
                    running[slot] = job, executor.submit(submission)
                for slot in [slot for slot, (_, handle) in running.items() if handle.done()]:
                    job, handle = running.pop(slot)
                    places.append(slot)
                    yield (job, *(read_result(handle) if has_result(handle) else death(handle, handle.state)))
                time.sleep(POLL_SECONDS)
        except BaseException:
            for _, handle in running.values():
                handle.cancel()
            raise

    def _sizes(self, jobs: int) -> tuple[int, int, int]:
        """Return how many jobs run at a time, and the threads and cores of each."""
        cores, cpus, given = available_cores(), self.number("cpus_per_task"), self.options["n_jobs"]
        if cpus is not None and given is None:
            given = max(1, cores // cpus)
        n_jobs = jobs_at_once(given, jobs, self.config)
        threads = explicit_threads(self.config) or cpus or threads_per_job(cores, n_jobs, os.environ)
        return n_jobs, threads, cpus or max(1, cores // n_jobs)
