"""One job of a sweep, run in any process."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.errors import ResiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from resi.machine.resources import JobResources
    from resi.sweeps.records import Job

ROOTS = ("RESI_HOME", "REP_SIM")


class JobRunner:
    """Composes and runs jobs, here or in a process it is sent to.

    Parameters
    ----------
    context, config, function
        What Hydra gives a launcher: the config is the sweep's, the function runs one composed job.
    """

    def __init__(self, context: HydraContext, config: DictConfig, function: TaskFunction) -> None:
        from hydra.core.singleton import Singleton

        self.context = context
        self.config = config
        self.function = function
        self.state = Singleton.get_state()
        self.folder = Path.cwd()
        self.environment = {name: os.environ[name] for name in ROOTS if name in os.environ}

    def __call__(self, job: Job, allotted: JobResources) -> tuple[int, str]:
        """Run a job in a process that starts from nothing; return its exit code and why it broke off, if it did."""
        from hydra.core.singleton import Singleton
        from hydra.core.utils import setup_globals

        os.environ.update(self.environment)
        os.environ.update(allotted.environment())
        with contextlib.suppress(FileNotFoundError):  # relative paths mean what they meant where the sweep was started
            os.chdir(self.folder)
        setup_globals()
        Singleton.set_state(self.state)
        return self.run(job, allotted)

    def run(self, job: Job, allotted: JobResources | None = None) -> tuple[int, str]:
        """Run a job in this process; return its exit code and why it broke off, if it did."""
        try:
            return self._run(job, allotted), ""
        except Exception as error:
            return 1, describe(error)

    def _run(self, job: Job, allotted: JobResources | None) -> int:
        from hydra.core.utils import JobStatus, run_job
        from omegaconf import open_dict

        config = self.context.config_loader.load_sweep_config(self.config, list(job.words))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{job.number}"
            config.hydra.job.num = job.number
        if allotted is not None:
            from resi.machine.resources import limit_threads

            limit_threads(explicit_threads(config) or allotted.threads)
        ended = run_job(
            hydra_context=self.context,
            task_function=self.function,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        if ended.status is JobStatus.FAILED:
            raise ended._return_value
        return int(ended.return_value or 0)


def describe(error: BaseException) -> str:
    """Return an error that ended a job as one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else "no message"
    return text if isinstance(error, ResiError) else f"{type(error).__name__}: {text}"


def explicit_threads(config: Mapping[str, Any]) -> int | None:
    """Return ``compare.threads`` of a config that is composed but not yet checked."""
    threads = config["compare"]["threads"] if "compare" in config else None
    return threads if isinstance(threads, int) and threads > 0 else None
