"""resi's launchers, where Hydra looks for plugins; what they do is in ``resi.launchers``."""

from __future__ import annotations

from resi.launchers import base, processes, ray_cluster, submitted


class SerialLauncher(base.SerialLauncher):
    """``hydra/launcher=basic``."""


class ProcessLauncher(processes.ProcessLauncher):
    """``hydra/launcher=joblib``."""


class LocalSubmitLauncher(submitted.LocalSubmitLauncher):
    """``hydra/launcher=submitit_local``."""


class SlurmLauncher(submitted.SlurmLauncher):
    """``hydra/launcher=submitit_slurm``, and the presets slurm_cpu and slurm_gpu."""


class RayLauncher(ray_cluster.RayLauncher):
    """``hydra/launcher=ray``."""
