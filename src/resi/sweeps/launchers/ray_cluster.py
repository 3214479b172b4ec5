"""Jobs as tasks of a Ray cluster: one that runs, or one on this machine for the time of the sweep."""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resi.errors import UsageError
from resi.machine.memory import machine_memory
from resi.machine.resources import MEMORY, JobResources, available_cores
from resi.sweeps.launchers.base import SweepLauncher
from resi.sweeps.launchers.runner import describe, explicit_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from resi.sweeps.launchers.runner import JobRunner
    from resi.sweeps.records import Job


class RayLauncher(SweepLauncher):
    """Runs each job as a Ray task; a task whose worker or node dies is started again ``max_retries`` times."""

    def run(self, jobs: Sequence[Job], runner: JobRunner) -> Iterator[tuple[Job, int, str]]:
        """Hand all jobs to Ray, which runs as many at a time as there are CPUs and GPUs for."""
        ray = _load_ray()
        cpus, memory = self.required("num_cpus"), self.number("mem_gb")
        allotted = JobResources(explicit_threads(self.config) or cpus, memory and memory * 10**9, cores=cpus)
        was_there = ray.is_initialized()
        if not was_there:
            self._connect(ray)
        try:
            resources, runner_there = self._resources(), ray.put(runner)
            remote = ray.remote(**resources)(_run)
            tasks = {remote.remote(runner_there, job, allotted, cpus, resources["num_gpus"]): job for job in jobs}
            left = list(tasks)
            while left:
                done, left = ray.wait(left)
                for task in done:
                    yield (tasks[task], *_outcome(ray, task))
        finally:
            if not was_there:
                ray.shutdown()

    def _connect(self, ray: ModuleType) -> None:
        address, given = self.options.get("address"), self.options["init"]
        if address is None:
            given = {"include_dashboard": False, **given}
        try:
            ray.init(address=address or "local", log_to_driver=True, **given)
        except (ConnectionError, ValueError, TypeError) as error:
            raise UsageError(
                f"hydra.launcher.address={address}: {describe(error)}. Start a cluster with `ray start --head`, or "
                "leave the address out for one on this machine"
            ) from error

    def _resources(self) -> dict[str, Any]:
        gpus = self.options.get("num_gpus") or 0
        if isinstance(gpus, bool) or not isinstance(gpus, int | float) or gpus < 0:
            raise UsageError(f"hydra.launcher.num_gpus={gpus}: expected a number such as 0, 0.5 or 1")
        resources = {
            "num_cpus": self.required("num_cpus"),
            "num_gpus": gpus,
            "max_retries": self.required("max_retries", 0),
            **self.options["remote"],
        }
        if (memory := self.number("mem_gb")) is not None:
            resources["memory"] = memory * 10**9
        return resources


def _run(runner: JobRunner, job: Job, allotted: JobResources, cpus: int, gpus: float) -> tuple[int, str]:
    """Run a job where Ray has placed it; without a given memory, it has a part as large as its part of the cores."""
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray hides GPUs from those that ask for none on some versions only
    if allotted.memory is None:
        os.environ.pop(MEMORY, None)  # of the job that this process ran before
        allotted = replace(allotted, memory=machine_memory() * cpus // max(available_cores(), cpus))
    return runner(job, allotted)


def _load_ray() -> ModuleType:
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise UsageError("hydra/launcher=ray needs the package ray: python -m pip install 'resi[ray]'") from None


def _outcome(ray: ModuleType, task: Any) -> tuple[int, str]:
    """Return the exit code of a task that has ended and why it broke off, if it did."""
    try:
        code, reason = ray.get(task)
        return int(code), str(reason)
    except ray.exceptions.WorkerCrashedError:
        return 1, "its process died, and so did the tries after it: killed, out of memory, or crashed"
    except ray.exceptions.RayError as error:
        return 1, describe(error)
