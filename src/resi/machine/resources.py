"""A job's share of a machine that it shares with others: threads, a GPU, memory; set in its environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resi.lazy import loaded

if TYPE_CHECKING:
    from collections.abc import Mapping

# Read when a library is loaded: OpenMP (torch's, too), the BLAS libraries, numba, Polars and the tokenizers.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
SLOT = "RESI_SLOT"
CORES = "RESI_CORES"
MEMORY = "RESI_MEMORY"
DEVICES = Path("/dev")


@dataclass(frozen=True)
class JobResources:
    """One job's part of the machine it runs on.

    Attributes
    ----------
    threads : int
        Threads it computes with.
    memory : int or None
        Bytes of main memory it may use; None: all there is.
    slot, slots : int
        Which of so many places for jobs on this machine it has; no two jobs have the same place at the same time.
    cores : int or None
        Cores it may use, by processes that read data for it as well; None: as many as threads.
    """

    threads: int
    memory: int | None = None
    slot: int = 0
    slots: int = 1
    cores: int | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment variables that state the resources of a process."""
        given = {
            **dict.fromkeys(THREAD_VARIABLES, str(self.threads)),
            SLOT: f"{self.slot}/{self.slots}",
            CORES: str(self.cores or self.threads),
        }
        return given if self.memory is None else {**given, MEMORY: str(self.memory)}


def read_slot(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return this process's place and how many there are; 0 of 1 where no launcher has given it one."""
    found = re.fullmatch(r"(\d+)/([1-9]\d*)", environment.get(SLOT, ""))
    return (int(found[1]), int(found[2])) if found else (0, 1)


def allotted_memory(environment: Mapping[str, str]) -> int | None:
    """Return the bytes of main memory that a launcher or Slurm allots to this process; None where neither does."""

    def read(name: str) -> int:
        text = environment.get(name, "")
        return int(text) if text.isdigit() else 0

    per_cpu = read("SLURM_MEM_PER_CPU") * read("SLURM_CPUS_ON_NODE")
    mebibytes = read("SLURM_MEM_PER_NODE") or per_cpu
    return min((size for size in (read(MEMORY), mebibytes * 2**20) if size), default=None)


def device_index(slot: int, devices: int) -> int:
    """Return which of the visible CUDA devices a job in a place takes: jobs go round them."""
    return slot % max(devices, 1)


def jobs_per_device(slots: int, devices: int) -> int:
    """Return how many jobs share one of the visible CUDA devices at most."""
    return -(-slots // max(devices, 1))


def visible_devices(environment: Mapping[str, str]) -> int:
    """Return the number of CUDA devices, as far as it can be known without loading torch."""
    given = environment.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return sum(1 for path in DEVICES.glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name))
    # CUDA itself ends the list at the first name that is none.
    names = [name.strip() for name in given.split(",")]
    return next((number for number, name in enumerate(names) if name in ("", "-1")), len(names))


def available_cores() -> int:
    """Return the cores this process may use: affinity and the limits of containers count."""
    from joblib import cpu_count

    return int(cpu_count())


def job_cores(environment: Mapping[str, str]) -> int:
    """Return the cores of this job: what a launcher has allotted to it, else all that are available."""
    given = environment.get(CORES, "")
    return min(available_cores(), int(given)) if given.isdigit() and int(given) > 0 else available_cores()


def threads_per_job(cores: int, jobs: int, environment: Mapping[str, str]) -> int:
    """Return the threads of each of some jobs on one machine; a smaller ``OMP_NUM_THREADS`` of the user's wins."""
    share = max(1, cores // max(jobs, 1))
    given = environment.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(share, int(given)) if given.isdigit() and int(given) > 0 else share


def job_threads(environment: Mapping[str, str]) -> int:
    """Return the threads of this job: one for each of its cores, unless ``OMP_NUM_THREADS`` says fewer."""
    return threads_per_job(job_cores(environment), 1, environment)


def limit_threads(count: int) -> None:
    """Let this process compute with ``count`` threads: libraries that are loaded, and those that will be."""
    from threadpoolctl import threadpool_limits

    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(count)))
    threadpool_limits(count)
    if (torch := loaded("torch")) is not None:
        torch.set_num_threads(count)
    if (numba := loaded("numba")) is not None:
        # More than it was started with numba cannot have.
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
