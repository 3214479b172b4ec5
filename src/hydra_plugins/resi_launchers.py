"""resi's launchers, where Hydra looks for plugins; they are implemented in ``resi.sweeps.launchers``."""

from __future__ import annotations

from resi.sweeps.launchers import base, local_submission, processes, ray_cluster, slurm


class SerialLauncher(base.SerialLauncher):
    """``hydra/launcher=basic``."""


class ProcessLauncher(processes.ProcessLauncher):
    """``hydra/launcher=joblib``."""


class LocalSubmitLauncher(local_submission.LocalSubmitLauncher):
    """``hydra/launcher=submitit_local``."""


class SlurmLauncher(slurm.SlurmLauncher):
    """``hydra/launcher=submitit_slurm``, and the presets slurm_cpu and slurm_gpu."""


class RayLauncher(ray_cluster.RayLauncher):
    """``hydra/launcher=ray``."""
