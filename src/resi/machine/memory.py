"""The available memory, and sizes in readable form."""

from __future__ import annotations

import contextlib
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from resi.errors import UsageError
from resi.machine.resources import allotted_memory, jobs_per_device, read_slot

if TYPE_CHECKING:
    import torch
else:
    from resi.lazy import torch

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
AUTO_SHARE = 0.5
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def parse_memory(text: str | int, device: torch.device | None = None, name: str = "compare.memory") -> int:
    """Return a number of bytes from ``"4GB"``, ``"512 MiB"``, a plain number, or ``"auto"``.

    ``auto`` is half the memory of the machine, or of the CUDA device, divided by the jobs of a sweep that share it.
    """
    return memory_budget(parse_size(text, name), device)


def memory_budget(size: int | None, device: torch.device | None = None) -> int:
    """Return a number of bytes; where none is given, what ``auto`` means on a device."""
    if size is not None:
        return size
    if device is None or device.type != "cuda":
        return int(machine_memory() * AUTO_SHARE)
    jobs = jobs_per_device(read_slot(os.environ)[1], torch.cuda.device_count())
    return int(torch.cuda.mem_get_info(device)[1] * AUTO_SHARE / jobs)


def parse_size(text: str | int, name: str) -> int | None:
    """Return a number of bytes from ``"4GB"``, ``"512 MiB"`` or a plain number; None for ``"auto"``.

    Raises
    ------
    UsageError
        If it is something else; the message begins with ``name``.
    """
    if text == "auto":
        return None
    match = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]I?)?B?\s*", str(text).upper())
    try:
        size = int(float(match[1]) * UNITS[match[2] or ""]) if match else 0
    except ValueError:
        size = 0
    if size <= 0:
        raise UsageError(f"{name}={text}: expected a size such as 4GB or 512MiB, or auto")
    return size


def format_bytes(count: float) -> str:
    """Return a size a person can read, such as ``1.5 GB``."""
    power = min(int(math.log10(max(count, 1)) // 3), 4)
    return f"{count / 10 ** (3 * power):.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def machine_memory() -> int:
    """Return the memory of the machine in bytes, or what a container, a launcher or Slurm allows of it."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), allotted_memory(os.environ)]
    with contextlib.suppress(OSError):
        limit = CGROUP_LIMIT.read_text().strip()
        sizes.append(int(limit) if limit.isdigit() else None)
    return min(size for size in sizes if size is not None)
