"""Jobs that submitit runs: on a Slurm cluster, or each in a fresh process of this machine."""

from __future__ import annotations

import importlib
import os
import shlex
import signal
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.console import output, say
from resi.engine.budget import machine_memory
from resi.errors import UsageError
from resi.launchers.base import SweepLauncher
from resi.launchers.jobs import describe, explicit_threads
from resi.launchers.processes import jobs_at_once
from resi.share import Share, available_cores, threads_per_job

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType, ModuleType

    from resi.launchers.jobs import Job, JobRunner

POLL_SECONDS = 0.2
# Keys of hydra.launcher whose names submitit's Slurm executor takes as they are.
SLURM_KEYS = (
    "account",
    "array_parallelism",
    "comment",
    "constraint",
    "cpus_per_task",
    "dependency",
    "exclude",
    "gpus_per_node",
    "gres",
    "mem_per_cpu",
    "nodelist",
    "partition",
    "qos",
    "setup",
    "signal_delay_s",
)


def load_submitit(launcher: str) -> ModuleType:
    """Return submitit, or say how to get it."""
    try:
        return importlib.import_module("submitit")
    except ImportError:
        raise UsageError(
            f"hydra/launcher={launcher} needs the package submitit: python -m pip install 'resi[slurm]'"
        ) from None


class Submission:
    """What submitit pickles and calls: a job, which may be requeued and then goes on from what it has stored."""

    def __init__(self, runner: JobRunner, job: Job, share: Share, devices: str | None) -> None:
        self.runner = runner
        self.job = job
        self.share = share
        self.devices = devices

    def __call__(self) -> tuple[int, str]:
        """Run the job; return its exit code and why it broke off, if it did."""
        if self.devices is not None:  # submitit hides them from local jobs
            os.environ["CUDA_VISIBLE_DEVICES"] = self.devices
        elif "SUBMITIT_LOCAL_JOB_ID" in os.environ:
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        _leave_when_told()
        return self.runner(self.job, self.share)

    def checkpoint(self) -> Any:
        """Return what submitit queues again when the job is preempted or runs out of time: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _leave_when_told() -> None:
    """Let submitit's signal end the job even where it does not queue it again.

    For that submitit raises an exception wherever the job happens to be, and there it could be taken for the failure
    of a comparison. The end of the process cannot.
    """
    from submitit.core.job_environment import JobEnvironment
    from submitit.core.utils import UncompletedJobError

    number = JobEnvironment._usr_sig()
    handle = signal.getsignal(number)

    def leave(received: int, frame: FrameType | None) -> None:
        try:
            if callable(handle):
                handle(received, frame)
        except UncompletedJobError as error:
            raise SystemExit(str(error)) from error

    signal.signal(number, leave)


class LocalSubmitLauncher(SweepLauncher):
    """Runs ``n_jobs`` jobs at a time with submitit, each in a fresh process with log files of its own."""

    def run(self, jobs: Sequence[Job], runner: JobRunner) -> Iterator[tuple[Job, int, str]]:
        """Submit a job whenever a place is free."""
        submitit = load_submitit("submitit_local")
        n_jobs, threads = self._sizes(len(jobs))
        executor = submitit.LocalExecutor(
            folder=str(self.options["submitit_folder"]), max_num_timeout=self.required("max_num_timeout", 0)
        )
        executor.update_parameters(
            timeout_min=self.required("timeout_min"), signal_delay_s=self.required("signal_delay_s", 0)
        )
        devices = os.environ.get("CUDA_VISIBLE_DEVICES")
        memory = machine_memory() // n_jobs
        waiting, places = deque(jobs), deque(range(n_jobs))
        running: dict[int, tuple[Job, Any]] = {}
        try:
            while waiting or running:
                while waiting and places:
                    job, slot = waiting.popleft(), places.popleft()
                    submission = Submission(runner, job, Share(threads, memory, slot, n_jobs), devices)
                    running[slot] = job, executor.submit(submission)
                for slot in [slot for slot, (_, handle) in running.items() if handle.done()]:
                    job, handle = running.pop(slot)
                    places.append(slot)
                    yield (job, *_outcome(handle, is_local=True))
                time.sleep(POLL_SECONDS)
        except BaseException:
            for _, handle in running.values():
                handle.cancel()
            raise

    def _sizes(self, jobs: int) -> tuple[int, int]:
        """Return how many jobs run at a time, and the threads of each."""
        cores, cpus, given = available_cores(), self.number("cpus_per_task"), self.options.get("n_jobs")
        if cpus is not None and given is None:
            given = max(1, cores // cpus)
        n_jobs = jobs_at_once(given, jobs, self.config)
        return n_jobs, explicit_threads(self.config) or cpus or threads_per_job(cores, n_jobs, os.environ)


class SlurmLauncher(SweepLauncher):
    """Submits jobs to Slurm as job arrays and waits for them; with ``dry_run`` prints the batch script instead."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[Any]:
        """Submit the jobs, or print what would be submitted."""
        if not self.options.get("dry_run"):
            return super().launch(job_overrides, initial_job_idx)
        load_submitit("submitit_slurm")
        for size, count in _array_sizes(len(job_overrides), self.required("array_size")):
            say(f"{count} job array{'s' if count > 1 else ''} of {size} jobs would be submitted with this script:")
            output().print(self.script(size), markup=False, soft_wrap=True)
        return []

    def run(self, jobs: Sequence[Job], runner: JobRunner) -> Iterator[tuple[Job, int, str]]:
        """Submit arrays of at most ``array_size`` jobs; yield jobs in order as they end."""
        submitit = load_submitit("submitit_slurm")
        cpus = self.required("cpus_per_task")
        share = Share(explicit_threads(self.config) or cpus)
        try:
            executor = submitit.SlurmExecutor(
                folder=str(self.options["submitit_folder"]), max_num_timeout=self.required("max_num_timeout", 0)
            )
        except RuntimeError as error:
            raise UsageError(
                "hydra/launcher=submitit_slurm: there is no srun on this machine; start the sweep where Slurm is, or "
                "see what would be submitted with hydra.launcher.dry_run=true"
            ) from error
        executor.update_parameters(**self.parameters())
        size = self.required("array_size")
        handles: list[Any] = []
        for start in range(0, len(jobs), size):
            with executor.batch():
                handles += [executor.submit(Submission(runner, job, share, None)) for job in jobs[start : start + size]]
        arrays = ", ".join(dict.fromkeys(handle.job_id.split("_")[0] for handle in handles))
        say(f"submitted {len(jobs)} jobs to Slurm: {arrays}; interrupting this command leaves them in the queue")
        for job, handle in zip(jobs, handles, strict=True):
            yield (job, *_outcome(handle))

    def parameters(self) -> dict[str, Any]:
        """Return the resources in the words of submitit's Slurm executor."""
        given = {key: self.options[key] for key in SLURM_KEYS if self.options.get(key) is not None}
        given["time"] = self.required("timeout_min")
        given["job_name"] = str(self.options["name"])
        if self.options.get("mem_gb") is not None:
            given["mem"] = f"{self.required('mem_gb')}GB"
        # Since Slurm 22.05 srun does not take over the number of CPUs from sbatch.
        given["srun_args"] = [f"--cpus-per-task={self.required('cpus_per_task')}"]
        given["additional_parameters"] = {"requeue": True, **self.options["additional_parameters"]}
        return given

    def script(self, jobs: int) -> str:
        """Return the batch script of an array of so many jobs, as submitit writes it."""
        from submitit.slurm.slurm import _make_sbatch_string

        folder = Path(str(self.options["submitit_folder"]))
        command = shlex.join([sys.executable, "-u", "-m", "submitit.core._submit", str(folder)])
        return _make_sbatch_string(
            command=command, folder=folder, map_count=jobs if jobs > 1 else None, **self.parameters()
        )


def _array_sizes(jobs: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the sizes of job arrays, and how many there are of each."""
    if whole := jobs // size:
        yield size, whole
    if rest := jobs % size:
        yield rest, 1


def _outcome(handle: Any, is_local: bool = False) -> tuple[int, str]:
    """Wait for a job; return its exit code and, if it broke off, why and where its log is."""
    from submitit.core.utils import UncompletedJobError

    try:
        # For a result that a slow network file system does not show yet submitit waits; here there is none.
        if is_local and not handle.paths.result_pickle.exists():
            raise UncompletedJobError
        code, reason = handle.result()
    except UncompletedJobError:
        code, reason = 1, f"its process ended without a result ({handle.state}): killed, out of memory, or out of time"
    except Exception as error:
        code, reason = 1, describe(error)
    return code, f"{reason}; its log: {handle.paths.stderr}" if reason else ""
