"""How many workers a run has: its share of the machine, as far as there is work and memory for them."""

from __future__ import annotations

import os
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

WORKER_BYTES = 10**9
"""Of a worker with a small model and its data, beside the libraries, which workers share."""


def workers_for(config: RunConfig, tasks: Iterable[Task]) -> int:
    """Return how many workers make tasks of small models; 1 stands for none: this process makes them.

    Raises
    ------
    UsageError
        If ``workers`` asks for what this system does not have.
    """
    models = len({task.model for task in tasks})
    if models < 2 or config.workers == 1:  # noqa: PLR2004 - nothing to share
        return 1
    return min(models, most_workers(config, os.environ))


def most_workers(config: RunConfig, environment: Mapping[str, str]) -> int:
    """Return how many workers a run may have, however much there is to do.

    That is ``workers`` where it is set. Else it is one for each thread of the job, of which a launcher,
    ``compare.threads`` and ``OMP_NUM_THREADS`` may leave it fewer than there are cores, as far as there is memory. On
    CUDA it is one, which keeps the device busy.
    """
    if config.workers is not None:
        if config.workers > 1 and not can_fork():
            raise UsageError(f"workers={config.workers}: this system cannot fork processes; use workers=1")
        return config.workers
    if not can_fork() or _is_on_cuda(config.device, environment):
        return 1
    threads = min(job_threads(environment), config.compare.threads or job_threads(environment))
    return max(1, min(threads, machine_memory() // WORKER_BYTES))


def _is_on_cuda(device: str, environment: Mapping[str, str]) -> bool:
    """Return whether a device is a GPU; torch, which takes a second to load, is asked only where there may be one."""
    if device == "cpu" or (device == "auto" and visible_devices(environment) == 0):
        return False
    return resolve_device(device).type == "cuda"
