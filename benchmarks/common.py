"""What several benchmarks share: representations, the seconds of a call and of this machine's products, a console."""

from __future__ import annotations

import gc
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console

import resi
from resi.registry import measures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Arrays = Mapping[str, np.ndarray[Any, Any]]

CONSOLE = Console(width=120)
PRODUCT = 2000
"""Rows and columns of the matrices whose product gives the machine's rate."""


def benchmark() -> list[str]:
    """Return the names of the benchmark's 24 measures."""
    return [name for name in measures() if measures().get(name).benchmark]


def related(count: int, rows: int, columns: int, dtype: str = "float32") -> Arrays:
    """Return representations that have most of their variance in common."""
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(rows, columns))
    return {f"r{i}": (shared + 0.5 * generator.normal(size=(rows, columns))).astype(dtype) for i in range(count)}


def warm_up(given: Arrays, names: list[str], **more: Any) -> None:
    """Import and compile beforehand, also what further arguments of ``resi.pairwise`` need."""
    resi.pairwise({name: array[:50] for name, array in itertools.islice(given.items(), 2)}, names, **more)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of a call, which other work on the machine changes little, and what it returns."""
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def cpu_seconds(call: Callable[[], object], times: int = 1) -> float:
    """Return the CPU seconds of a call, the least of some."""
    return min(timed(call)[0] for _ in range(times))


def grown_bytes(call: Callable[[], object]) -> int:
    """Return by how many bytes the process grows while something is called, at its largest; Linux alone says so."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _memory("VmRSS")
    call()
    return _memory("VmHWM") - before


def _memory(kind: str) -> int:
    """Return a size that the system has of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(kind))


def product_rate(precision: str) -> float:
    """Return the floating-point operations a second of a large matrix product."""
    a = torch.randn(PRODUCT, PRODUCT, dtype=getattr(torch, precision))
    return 2 * PRODUCT**3 / cpu_seconds(lambda: a @ a, times=5)
