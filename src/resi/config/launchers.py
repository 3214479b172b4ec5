"""The keys of ``hydra.launcher`` for each launcher, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PLUGINS = "hydra_plugins.resi_launchers"
SUBMITIT_FOLDER = "${hydra.sweep.dir}/.submitit/%j"
TIMEOUT = "minutes after which a job is stopped and started again; it continues from what is stored"
SIGNAL_DELAY = "how long before its timeout a job is signalled, in seconds"
OF_SBATCH = "as the option of sbatch"


@dataclass
class SerialOptions:
    """One job after another in the process that was started."""

    _target_: str = f"{PLUGINS}.SerialLauncher"


@dataclass
class ProcessOptions:
    """Jobs in processes of this machine."""

    _target_: str = f"{PLUGINS}.ProcessLauncher"
    n_jobs: int | None = field(
        default=None,
        metadata={"help": "jobs at a time; null: one a GPU where there are any, else one a core; -1: one a core"},
    )


@dataclass
class LocalSubmitOptions:
    """Each job in a fresh process of this machine, with its own log files."""

    _target_: str = f"{PLUGINS}.LocalSubmitLauncher"
    n_jobs: int | None = field(
        default=None,
        metadata={"help": "jobs at a time; null: cores / cpus_per_task where that is given, else as for processes"},
    )
    cpus_per_task: int | None = field(default=None, metadata={"help": "threads of each job; null: cores / n_jobs"})
    timeout_min: int = field(default=7 * 24 * 60, metadata={"help": TIMEOUT})
    signal_delay_s: int = field(default=120, metadata={"help": SIGNAL_DELAY})
    max_num_timeout: int = field(default=5, metadata={"help": "how often a job may run out of time"})
    submitit_folder: str = field(default=SUBMITIT_FOLDER, metadata={"help": "folder of the logs"})


@dataclass
class SlurmOptions:
    """Jobs as Slurm job arrays."""

    _target_: str = f"{PLUGINS}.SlurmLauncher"
    name: str = field(default="resi", metadata={"help": "job name"})
    partition: str | None = field(default=None, metadata={"help": OF_SBATCH})
    account: str | None = field(default=None, metadata={"help": OF_SBATCH})
    qos: str | None = field(default=None, metadata={"help": OF_SBATCH})
    constraint: str | None = field(default=None, metadata={"help": OF_SBATCH})
    nodelist: str | None = field(default=None, metadata={"help": OF_SBATCH})
    exclude: str | None = field(default=None, metadata={"help": OF_SBATCH})
    dependency: str | None = field(default=None, metadata={"help": OF_SBATCH})
    comment: str | None = field(default=None, metadata={"help": OF_SBATCH})
    cpus_per_task: int = field(default=4, metadata={"help": "CPUs of a job, and its threads"})
    mem_gb: int | None = field(default=16, metadata={"help": "memory of a job in GB; null with mem_per_cpu"})
    mem_per_cpu: str | None = field(default=None, metadata={"help": OF_SBATCH})
    gpus_per_node: int | None = field(
        default=None, metadata={"help": "GPUs of a job; gres, such as gpu:a100:1, where a number is not enough"}
    )
    gres: str | None = field(default=None, metadata={"help": OF_SBATCH})
    timeout_min: int = field(
        default=240, metadata={"help": "minutes after which a job is queued again; it continues from what is stored"}
    )
    signal_delay_s: int = field(default=120, metadata={"help": SIGNAL_DELAY})
    max_num_timeout: int = field(
        default=20, metadata={"help": "how often a job may run out of time; being preempted does not count"}
    )
    array_parallelism: int = field(default=256, metadata={"help": "jobs of an array that run at a time"})
    array_size: int = field(
        default=1000, metadata={"help": "jobs of one array; Slurm's MaxArraySize is 1001 unless a cluster sets another"}
    )
    setup: list[str] | None = field(
        default=None, metadata={"help": 'shell commands before the job, such as ["module load cuda"]'}
    )
    additional_parameters: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "further options of sbatch, such as {mail-type: END}"}
    )
    submitit_folder: str = field(default=SUBMITIT_FOLDER, metadata={"help": "folder of the logs"})
    dry_run: bool = field(default=False, metadata={"help": "print the batch script and submit nothing"})


@dataclass
class RayOptions:
    """Jobs as tasks of a Ray cluster."""

    _target_: str = f"{PLUGINS}.RayLauncher"
    address: str | None = field(
        default=None,
        metadata={"help": "a running cluster, such as auto or HOST:6379; null: one on this machine during the sweep"},
    )
    num_cpus: int = field(default=1, metadata={"help": "CPUs of each job, and its threads"})
    num_gpus: float = field(default=0, metadata={"help": "GPUs of each job; 0.5 lets two share one"})
    mem_gb: int | None = field(default=None, metadata={"help": "memory of each job in GB"})
    max_retries: int = field(
        default=3, metadata={"help": "how often a job is started again after its worker or node died"}
    )
    init: dict[str, Any] = field(default_factory=dict, metadata={"help": "further arguments of ray.init"})
    remote: dict[str, Any] = field(default_factory=dict, metadata={"help": "further arguments of ray.remote"})


# By the name that is given as hydra/launcher=.
LAUNCHERS = {
    "basic": SerialOptions,
    "joblib": ProcessOptions,
    "submitit_local": LocalSubmitOptions,
    "submitit_slurm": SlurmOptions,
    "ray": RayOptions,
}
