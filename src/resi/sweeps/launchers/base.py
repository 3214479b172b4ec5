"""The common part of all launchers: record the jobs, run them, and record which ended without a result."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.plugins.launcher import Launcher

from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from resi.sweeps.launchers.runner import JobRunner
    from resi.sweeps.records import Job


class SweepLauncher(Launcher):
    """A Hydra launcher that continues when a job dies, and records it for the sweep's report.

    Hydra's own launchers raise at the first job that leaves no result, and say nothing about the others.

    Parameters
    ----------
    options
        The keys of ``hydra.launcher``.
    """

    def __init__(self, **options: Any) -> None:
        from omegaconf import OmegaConf

        self.options: dict[str, Any] = {
            key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for key, value in options.items()
        }

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Store the context that Hydra gives."""
        self.context = hydra_context
        self.function = task_function
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs; return the results that Hydra's sweepers expect.

        A job that died counts as ended with exit code 1, so that a sweeper continues with its next batch.
        """
        from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals

        from resi.sweeps.launchers.runner import JobRunner
        from resi.sweeps.records import Job, note_lost, note_planned

        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        jobs = [Job(initial_job_idx + index, tuple(words)) for index, words in enumerate(job_overrides)]
        runner = JobRunner(self.context, self.config, self.function)
        note_planned(self.folder, jobs)
        codes: dict[int, int] = {}
        for job, code, reason in self.run(jobs, runner):
            codes[job.number] = code
            if reason:
                note_lost(self.folder, job, reason)
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        return [
            JobReturn(overrides=job.words, status=JobStatus.COMPLETED, _return_value=codes.get(job.number, 1))
            for job in jobs
        ]

    @property
    def folder(self) -> Path:
        """The sweep's folder."""
        return Path(str(self.config.hydra.sweep.dir))

    @abstractmethod
    def run(self, jobs: Sequence[Job], runner: JobRunner) -> Iterator[tuple[Job, int, str]]:
        """Yield every job as it ends, with its exit code and, where it left no word itself, why."""

    def number(self, key: str, smallest: int = 1) -> int | None:
        """Return an option that is a whole number from ``smallest`` up, or null.

        Raises
        ------
        UsageError
            If it is something else.
        """
        value = self.options.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
            raise UsageError(f"hydra.launcher.{key}={value}: expected a whole number from {smallest} up")
        return value

    def required(self, key: str, smallest: int = 1) -> int:
        """Return an option that has to be a whole number from ``smallest`` up."""
        value = self.number(key, smallest)
        if value is None:
            raise UsageError(f"hydra.launcher.{key}=null: expected a whole number from {smallest} up")
        return value


class SerialLauncher(SweepLauncher):
    """Runs jobs one after another in this process."""

    def run(self, jobs: Sequence[Job], runner: JobRunner) -> Iterator[tuple[Job, int, str]]:
        """Run each job."""
        for job in jobs:
            yield (job, *runner.run(job))
