"""Jobs as Slurm job arrays, submitted and requeued by submitit."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.console import output, say
from resi.errors import UsageError
from resi.machine.resources import JobResources
from resi.sweeps.launchers.base import SweepLauncher
from resi.sweeps.launchers.runner import explicit_threads
from resi.sweeps.launchers.submission import Submission, death, has_result, load_submitit, read_result, store_runner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from resi.sweeps.launchers.runner import JobRunner
    from resi.sweeps.records import Job

# Keys of hydra.launcher that submitit's Slurm executor takes unchanged.
SUBMITIT_KEYS = (
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
POLL_SECONDS = 2.0
QUEUE_POLL_SECONDS = 20.0
QUEUE_TIMEOUT_SECONDS = 60.0


class SlurmLauncher(SweepLauncher):
    """Submits jobs and waits for them; with ``dry_run`` prints the batch script instead."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[Any]:
        """Submit the jobs, or print what would be submitted."""
        if not self.options["dry_run"]:
            return super().launch(job_overrides, initial_job_idx)
        load_submitit("submitit_slurm")
        for jobs, count in array_sizes(len(job_overrides), self.required("array_size")):
            say(f"would submit {count} x {jobs} jobs with this script:")
            output().print(self.script(jobs), markup=False, soft_wrap=True)
        return []

    def run(self, jobs: Sequence[Job], runner: JobRunner) -> Iterator[tuple[Job, int, str]]:
        """Submit arrays of at most ``array_size`` jobs; yield jobs as they end."""
        executor, cpus = self._executor(), self.required("cpus_per_task")
        allotted = JobResources(explicit_threads(self.config) or cpus, cores=cpus)
        stored, size = store_runner(runner, self.folder), self.required("array_size")
        running: dict[str, tuple[Job, Any]] = {}
        for start in range(0, len(jobs), size):
            part = jobs[start : start + size]
            with executor.batch():
                handles = [executor.submit(Submission(stored, job, allotted)) for job in part]
            running |= {handle.job_id: (job, handle) for job, handle in zip(part, handles, strict=True)}
        arrays = sorted({name.partition("_")[0] for name in running}, key=int)
        say(f"submitted {len(jobs)} jobs as {', '.join(arrays)}; if this command ends, they stay in the queue")
        yield from wait_for(running, arrays)

    def _executor(self) -> Any:
        submitit = load_submitit("submitit_slurm")
        try:
            executor = submitit.SlurmExecutor(
                folder=str(self.options["submitit_folder"]), max_num_timeout=self.required("max_num_timeout", 0)
            )
        except RuntimeError as error:
            raise UsageError(
                "hydra/launcher=submitit_slurm: srun is not on this machine; start the sweep on one with Slurm, or "
                "see what would be submitted with hydra.launcher.dry_run=true"
            ) from error
        executor.update_parameters(**self.parameters())
        return executor

    def parameters(self) -> dict[str, Any]:
        """Return the resources in the words of submitit's Slurm executor."""
        given = {key: self.options[key] for key in SUBMITIT_KEYS if self.options[key] is not None}
        given["time"] = self.required("timeout_min")
        given["job_name"] = str(self.options["name"])
        if (memory := self.number("mem_gb")) is not None:
            given["mem"] = f"{memory}GB"
        # Since Slurm 22.05 srun does not take over the number of CPUs from sbatch.
        given["srun_args"] = [f"--cpus-per-task={self.required('cpus_per_task')}"]
        given["additional_parameters"] = {"requeue": True, **self.options["additional_parameters"]}
        return given

    def script(self, jobs: int) -> str:
        """Return the batch script of an array of so many jobs, as submitit writes it."""
        from submitit.slurm.slurm import _make_sbatch_string

        folder = Path(str(self.options["submitit_folder"]))
        command = shlex.join([sys.executable, "-u", "-m", "submitit.core._submit", str(folder)])
        count = jobs if jobs > 1 else None
        return _make_sbatch_string(command=command, folder=folder, map_count=count, **self.parameters())


def array_sizes(jobs: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the sizes of the job arrays for some jobs, and how many there are of each."""
    if whole := jobs // size:
        yield size, whole
    if rest := jobs % size:
        yield rest, 1


def wait_for(running: Mapping[str, tuple[Job, Any]], arrays: Sequence[str]) -> Iterator[tuple[Job, int, str]]:
    """Yield jobs as they end; one that is twice found neither in the queue nor with a result has died.

    Slurm's accounting, which submitit asks instead, is not kept on every cluster and late on others.
    """
    left = dict(running)
    gone: set[str] = set()
    asked = time.monotonic()
    while left:
        for name in [name for name, (_, handle) in left.items() if has_result(handle)]:
            job, handle = left.pop(name)
            yield (job, *read_result(handle))
        if not left:
            return
        time.sleep(POLL_SECONDS)
        if time.monotonic() - asked < QUEUE_POLL_SECONDS:
            continue
        queued, asked = queued_jobs(arrays), time.monotonic()
        if queued is None:
            continue
        missing = {name for name, (_, handle) in left.items() if name not in queued and not has_result(handle)}
        for name in missing & gone:
            job, handle = left.pop(name)
            yield (job, *death(handle, accounted_state(name)))
        gone = missing


def queued_jobs(arrays: Sequence[str]) -> set[str] | None:
    """Return the names, such as ``77_3``, of jobs that wait, run or are being requeued; None if Slurm does not say."""
    queued: set[str] = set()
    for array in arrays:  # one that Slurm has forgotten makes it refuse to list others
        found = _ask("squeue", "--noheader", "--array", "--format=%F_%K", f"--jobs={array}")
        if found.returncode and "Invalid job id" not in found.stderr:
            return None
        queued.update(name.removesuffix("_N/A") for name in found.stdout.split())
    return queued


def accounted_state(name: str) -> str:
    """Return the state of a job in Slurm's accounting, such as ``OUT_OF_MEMORY``; empty where none is kept."""
    found = _ask("sacct", "--noheader", "--parsable2", "--allocations", "--format=State", f"--jobs={name}")
    return found.stdout.partition("\n")[0].strip()


def _ask(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - Slurm's own commands, with names of jobs it has given
            words, capture_output=True, text=True, check=False, timeout=QUEUE_TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 1, "", str(error))
