"""How many workers a run has: its share of the machine, as far as there is work and memory for them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from resi.errors import UsageError
from resi.machine.devices import resolve_device
from resi.machine.forkserver import can_fork
from resi.machine.memory import machine_memory
from resi.machine.resources import job_threads, visible_devices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from resi.config.schema import RunConfig
    from resi.pipeline.making import Task

FEWEST_MODELS = 2
"""Of one there is nothing to share."""
WORKER_BYTES = 5 * 10**8
"""Of a worker with a small model: five times what one on ``digits_knn`` has beside the libraries, which all share."""


def workers_for(config: RunConfig, tasks: Iterable[Task]) -> int:
    """Return how many workers make tasks of small models; 1 stands for none: this process makes them.

    Raises
    ------
    UsageError
        If ``workers`` asks for what this system does not have, or the device is not there.
    """
    models = len({task.model for task in tasks})
    if models < FEWEST_MODELS or config.workers == 1:
        return 1
    on_gpu = may_be_on_gpu(config.device, os.environ) and resolve_device(config.device).type == "cuda"
    return min(models, most_workers(config, os.environ, on_gpu))


def most_workers(config: RunConfig, environment: Mapping[str, str], on_gpu: bool) -> int:
    """Return how many workers a run may have, however much there is to do.

    That is ``workers`` where it is set. Else it is one for each thread of the job, of which a launcher,
    ``compare.threads`` and ``OMP_NUM_THREADS`` may leave it fewer than there are cores, as far as there is memory. On a
    GPU it is one, which keeps it busy; and on macOS, where libraries of the system may not work in a forked process.
    """
    if config.workers is not None:
        if config.workers > 1 and not can_fork():
            raise UsageError(f"workers={config.workers}: this system cannot fork processes; use workers=1")
        return config.workers
    if not can_fork() or on_gpu or sys.platform == "darwin":
        return 1
    threads = job_threads(environment)
    return max(1, min(threads, config.compare.threads or threads, machine_memory() // WORKER_BYTES))


def may_be_on_gpu(device: str, environment: Mapping[str, str]) -> bool:
    """Return whether a device may be a GPU, as far as it can be known without torch, which takes a second to load."""
    return device.startswith("cuda") or (device == "auto" and visible_devices(environment) > 0)
