"""The sweeper that Hydra finds for resi: its own, which also runs suites."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from omegaconf import OmegaConf

if TYPE_CHECKING:
    from collections.abc import Sequence


class SuiteSweeper(BasicSweeper):
    """Launches the jobs of all grids of a suite at once, so that a cluster sees one array; else as Hydra does."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run a sweep over ``arguments``, or the suite that the config names.

        Raises
        ------
        UsageError
            If a job of a suite cannot be composed; none has been started then.
        """
        if self.config is None or self.hydra_context is None or self.launcher is None:
            raise RuntimeError("Hydra calls setup before sweep")
        if self.config.get("suite") is None:
            return super().sweep(arguments)
        # Hydra imports every plugin at its start.
        from resi.suite_jobs import plan_suite_jobs

        folder = Path(self.config.hydra.sweep.dir)
        jobs = plan_suite_jobs(self.config, self.hydra_context.config_loader, folder)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        self.batch_index, self.overrides = 1, [jobs]
        results: Sequence[Any] = self.launcher.launch(jobs, initial_job_idx=0)
        for result in results:
            _ = result.return_value  # raises what ended a job
        return [results]
