"""Which device computes, and with how many threads."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from resi.errors import UsageError
from resi.share import device_index, read_slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
else:
    from resi.lazy import torch


def resolve_device(name: str) -> torch.device:
    """Return the device for a config value: ``auto`` is CUDA where there is one, else the CPU.

    Of several CUDA devices, jobs of a sweep that run on one machine at the same time take one after the other, unless
    told ``cuda:N``. Which devices a job can see is left to ``CUDA_VISIBLE_DEVICES``, as Slurm and Ray set it.

    Raises
    ------
    UsageError
        If the name is no device, or a device this machine does not have; there is no silent fallback.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and (count := torch.cuda.device_count()) > 1:
        return torch.device("cuda", device_index(read_slot(os.environ)[0], count))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"device={name}: not a device; use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise UsageError(f"device={name}: this machine has {count} CUDA devices; use device=cpu or device=auto")
    elif device.type != "cpu":
        raise UsageError(f"device={name}: only cpu and cuda are supported")
    return device


@contextlib.contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Limit torch to ``count`` threads for a while; None leaves its own choice."""
    if count is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
