"""How much memory the engine may use, and what fits into it."""

from __future__ import annotations

import contextlib
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import BudgetError, UsageError
from resi.machine.resources import allotted_memory, jobs_per_device, read_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch
else:
    from resi.lazy import torch

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
AUTO_SHARE = 0.5
# Families whose measures share products of pairs, which cost more than preparing: they stay together if possible.
SHARED_PRODUCTS_OF = {"cca": "bases", "regression": "bases", "alignment": "alignment"}
SHARED_PRODUCTS = frozenset(SHARED_PRODUCTS_OF.values())
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Limits(NamedTuple):
    """What the one who set the limits calls them.

    Attributes
    ----------
    memory, samples : str
        How much memory may be used, and how many samples are compared.
    """

    memory: str
    samples: str


CONFIG_KEYS = Limits("compare.memory", "compare.subsample")
ARGUMENTS = Limits("memory", "samples")


def parse_memory(text: str | int, device: torch.device | None = None, name: str = CONFIG_KEYS.memory) -> int:
    """Return a number of bytes from ``"4GB"``, ``"512 MiB"``, a plain number, or ``"auto"``.

    The latter is half the memory of the machine, or of the CUDA device, over the jobs of a sweep that share it.
    """
    if text == "auto":
        if device is None or device.type != "cuda":
            return int(machine_memory() * AUTO_SHARE)
        jobs = jobs_per_device(read_slot(os.environ)[1], torch.cuda.device_count())
        return int(torch.cuda.mem_get_info(device)[1] * AUTO_SHARE / jobs)
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


def group_measures(needs: Mapping[str, int], families: Mapping[str, str], count: int, budget: int) -> list[list[str]]:
    """Split measures into groups, each of which is prepared and compared before the next.

    Best is a group of which all representations fit into the budget, so that none is prepared twice; within that, a
    family whose measures share most stays together. A measure that does not fit by itself has a group of its own.

    Parameters
    ----------
    needs, families
        Bytes of preparing one representation, and the family, by measure.
    count : int
        How many representations there are.
    """
    groups: list[list[str]] = []
    room = 0
    for kind in sorted({_sharing(family) for family in families.values()}):
        names = [name for name in needs if _sharing(families[name]) == kind]
        whole = sum(needs[name] for name in names)
        together = count * whole <= budget or (kind in SHARED_PRODUCTS and 2 * whole <= budget)
        for unit in [names] if together else [[name] for name in names]:
            need = count * sum(needs[name] for name in unit)
            if not groups or need > room:
                groups.append([])
                room = budget
            groups[-1] += unit
            room -= need
    return [group for group in groups if group]


def block_size(need: int, count: int, budget: int) -> int:
    """Return how many of ``count`` representations of that many bytes to hold as a block: all, if they fit.

    Otherwise two blocks are held at a time, each of at least one.
    """
    need = max(need, 1)
    return count if count * need <= budget else max(1, budget // (2 * need))


def _sharing(family: str) -> str:
    return SHARED_PRODUCTS_OF.get(family, family)


def largest_sample(need: Callable[[int], int], most: int, budget: int) -> int:
    """Return how many samples, up to ``most``, fit into a budget, given the bytes that a number of them needs."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if need(middle) <= budget else (low, middle - 1)
    return low


def check_budget(
    measure: str, size: tuple[int, ...], bytes_of: Callable[[int], int], budget: int, limits: Limits
) -> None:
    """Raise ``BudgetError``, which says what would fit, if comparing two representations needs more than the budget.

    Parameters
    ----------
    size : tuple of int
        Shape of the first of them.
    bytes_of : callable
        Returns the bytes that so many of their samples need.
    """
    need = bytes_of(size[0])
    if need <= budget:
        return
    fits = largest_sample(bytes_of, size[0], budget)
    advice = f"raise it, or set {limits.samples}={fits} or less" if fits > 1 else "raise it"
    raise BudgetError(
        f"{measure} needs about {format_bytes(need)} for two representations of shape {size}, "
        f"{limits.memory} allows {format_bytes(budget)}; {advice}"
    )


def machine_memory() -> int:
    """Return the memory of the machine in bytes, or what a container, a launcher or Slurm allows of it."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), allotted_memory(os.environ)]
    with contextlib.suppress(OSError):
        limit = CGROUP_LIMIT.read_text().strip()
        sizes.append(int(limit) if limit.isdigit() else None)
    return min(size for size in sizes if size is not None)
