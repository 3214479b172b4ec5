"""A job as submitit pickles, calls and requeues it."""

from __future__ import annotations

import importlib
import os
import pickle
import signal
from typing import TYPE_CHECKING, Any

from resi.errors import UsageError
from resi.store.files import atomic_path
from resi.sweeps.launchers.runner import describe

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType, ModuleType

    from resi.machine.resources import JobResources
    from resi.sweeps.launchers.runner import JobRunner
    from resi.sweeps.records import Job

RUNNER_FILE = "runner.pkl"
LOCAL_JOB = "SUBMITIT_LOCAL_JOB_ID"


def load_submitit(launcher: str) -> ModuleType:
    """Return submitit, or say how to get it."""
    try:
        return importlib.import_module("submitit")
    except ImportError:
        raise UsageError(
            f"hydra/launcher={launcher} needs the package submitit: python -m pip install 'resi[slurm]'"
        ) from None


def store_runner(runner: JobRunner, folder: Path) -> Path:
    """Write the function that runs jobs to one file: submitit would write its 100 kB for each of thousands of jobs."""
    import cloudpickle

    path = folder.absolute() / RUNNER_FILE
    with atomic_path(path) as temporary:
        temporary.write_bytes(cloudpickle.dumps(runner))
    return path


class Submission:
    """The function that submitit calls: a job that may be requeued, and then resumes from its stored results.

    Parameters
    ----------
    runner : Path
        File of the runner that all jobs share; see ``store_runner``.
    devices : str, optional
        ``CUDA_VISIBLE_DEVICES`` of the process that started the sweep, for a job on the same machine.
    """

    def __init__(self, runner: Path, job: Job, allotted: JobResources, devices: str | None = None) -> None:
        self.runner = runner
        self.job = job
        self.allotted = allotted
        self.devices = devices

    def __call__(self) -> tuple[int, str]:
        """Run the job; return its exit code and why it broke off, if it did."""
        if LOCAL_JOB in os.environ:  # submitit hides all devices from local jobs that ask for none
            del os.environ["CUDA_VISIBLE_DEVICES"]
            if self.devices is not None:
                os.environ["CUDA_VISIBLE_DEVICES"] = self.devices
        _leave_when_told()
        runner: JobRunner = pickle.loads(self.runner.read_bytes())  # noqa: S301 - as submitit does for the job itself
        return runner(self.job, self.allotted)

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


def has_result(handle: Any) -> bool:
    """Return whether a job has written its result."""
    return bool(handle.paths.result_pickle.exists())


def read_result(handle: Any) -> tuple[int, str]:
    """Return the exit code of a job that has written its result and, if it broke off, why and where its log is."""
    try:
        code, reason = handle.result()
    except Exception as error:  # raised by submitit, not by the job, which catches its own
        code, reason = 1, describe(error)
    return int(code), f"{reason}; its log: {handle.paths.stderr}" if reason else ""


def death(handle: Any, state: str) -> tuple[int, str]:
    """Return exit code and reason for a job that has ended without a result."""
    known = f" ({state})" if state.upper() not in ("", "UNKNOWN", "FINISHED") else ""
    reason = f"its process ended without a result{known}: killed, out of memory, or out of time"
    return 1, f"{reason}; its log: {handle.paths.stderr}"
