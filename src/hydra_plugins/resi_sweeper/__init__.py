"""resi's sweeper for Hydra: Hydra's basic sweeper with resi's jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from omegaconf import OmegaConf

if TYPE_CHECKING:
    from collections.abc import Sequence


class SuiteSweeper(BasicSweeper):
    """Composes all jobs of a sweep or suite, then launches them together, so that a cluster gets one job array."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run a sweep over ``arguments``, or over those of the command line.

        Raises
        ------
        UsageError
            If a job cannot be composed; then no job is started.
        ResiError
            If the data, models or packages of all jobs are missing.
        """
        if self.config is None or self.hydra_context is None or self.launcher is None:
            raise RuntimeError("Hydra calls setup before sweep")
        # Hydra imports every plugin at its start.
        from resi.console.redaction import redact_config
        from resi.sweeps.jobs import Asked, plan_jobs
        from resi.sweeps.records import note_blocked
        from resi.sweeps.sweep import Sweep

        folder = Path(self.config.hydra.sweep.dir)
        sweep = Sweep.current()
        asked = sweep.asked if sweep and sweep.asked else Asked(None, tuple(arguments))
        asked = Asked(asked.suite, (*self._parse_config(), *asked.words))
        jobs = plan_jobs(self.config, self.hydra_context.config_loader, folder, asked)
        folder.mkdir(parents=True, exist_ok=True)
        config = redact_config(OmegaConf.to_container(self.config, resolve=False))
        (folder / "multirun.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(config)), encoding="utf-8")
        note_blocked(folder, len(jobs.ready), jobs.blocked)
        results = []
        size = self.max_batch_size or len(jobs.ready)
        for start in range(0, len(jobs.ready), max(size, 1)):
            batch = [list(job) for job in jobs.ready[start : start + size]]
            ended: Sequence[Any] = self.launcher.launch(batch, initial_job_idx=start)
            for result in ended:
                _ = result.return_value  # raises what ended a job
            results.append(ended)
        return results
