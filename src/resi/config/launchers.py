"""The keys of ``hydra.launcher`` for each launcher, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PLUGINS = "hydra_plugins.resi_launchers"


@dataclass
class SerialOptions:
    """One job after another in the process that was started."""

    _target_: str = f"{PLUGINS}.SerialLauncher"


@dataclass
class ProcessOptions:
    """Jobs in processes of this machine.

    Attributes
    ----------
    n_jobs : int or None
        How many run at a time; null: one a GPU where there are any, else one a core; -1: one a core.
    """

    _target_: str = f"{PLUGINS}.ProcessLauncher"
    n_jobs: int | None = None


@dataclass
class LocalSubmitOptions:
    """Each job in a fresh process of this machine, with log files of its own.

    Attributes
    ----------
    n_jobs : int or None
        How many run at a time; null: cores / ``cpus_per_task`` where that is given, else as for processes.
    cpus_per_task : int or None
        Threads of each job; null: cores / ``n_jobs``.
    timeout_min : int
        Minutes after which a job is stopped and started again, to go on from what it has stored.
    signal_delay_s : int
        How long before its timeout a job is told, in seconds.
    max_num_timeout : int
        How often a job may time out.
    submitit_folder : str
        Where logs lie.
    """

    _target_: str = f"{PLUGINS}.LocalSubmitLauncher"
    n_jobs: int | None = None
    cpus_per_task: int | None = None
    timeout_min: int = 7 * 24 * 60
    signal_delay_s: int = 120
    max_num_timeout: int = 5
    submitit_folder: str = "${hydra.sweep.dir}/.submitit/%j"


@dataclass
class SlurmOptions:
    """Jobs as Slurm job arrays. Keys that are not told of here are those of ``sbatch``.

    Attributes
    ----------
    cpus_per_task : int
        CPUs of a job, and its threads.
    mem_gb : int or None
        Memory of a job in GB; null with ``mem_per_cpu``.
    gpus_per_node : int or None
        GPUs of a job; ``gres``, such as ``gpu:a100:1``, where that does not do.
    timeout_min : int
        Minutes after which a job is queued again, to go on from what it has stored.
    signal_delay_s : int
        How long before its timeout a job is told, in seconds.
    max_num_timeout : int
        How often a job may time out; being preempted does not count.
    array_parallelism : int
        How many jobs of an array run at a time.
    array_size : int
        Jobs of one array; Slurm's MaxArraySize is 1001 unless a cluster sets another.
    setup : list of str or None
        Shell commands before the job, such as ``["module load cuda"]``.
    additional_parameters : dict
        Further options of ``sbatch``, such as ``{mail-type: END}``.
    dry_run : bool
        Print the batch script and submit nothing.
    """

    _target_: str = f"{PLUGINS}.SlurmLauncher"
    name: str = "resi"
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    nodelist: str | None = None
    exclude: str | None = None
    dependency: str | None = None
    comment: str | None = None
    cpus_per_task: int = 4
    mem_gb: int | None = 16
    mem_per_cpu: str | None = None
    gpus_per_node: int | None = None
    gres: str | None = None
    timeout_min: int = 240
    signal_delay_s: int = 120
    max_num_timeout: int = 20
    array_parallelism: int = 256
    array_size: int = 1000
    setup: list[str] | None = None
    additional_parameters: dict[str, Any] = field(default_factory=dict)
    submitit_folder: str = "${hydra.sweep.dir}/.submitit/%j"
    dry_run: bool = False


@dataclass
class RayOptions:
    """Jobs as tasks of a Ray cluster.

    Attributes
    ----------
    address : str or None
        Of a cluster that runs, such as ``auto`` or ``HOST:6379``; null: one on this machine for the time of the sweep.
    num_cpus : int
        CPUs of each job, and its threads.
    num_gpus : float
        GPUs of each job; 0.5 lets two share one.
    mem_gb : int or None
        Memory of each job in GB.
    max_retries : int
        How often a job is started again after its worker or node died.
    init, remote : dict
        Further arguments of ``ray.init`` and ``ray.remote``.
    """

    _target_: str = f"{PLUGINS}.RayLauncher"
    address: str | None = None
    num_cpus: int = 1
    num_gpus: float = 0
    mem_gb: int | None = None
    max_retries: int = 3
    init: dict[str, Any] = field(default_factory=dict)
    remote: dict[str, Any] = field(default_factory=dict)


# By the name that is given as hydra/launcher=.
LAUNCHERS = {
    "basic": SerialOptions,
    "joblib": ProcessOptions,
    "submitit_local": LocalSubmitOptions,
    "submitit_slurm": SlurmOptions,
    "ray": RayOptions,
}
