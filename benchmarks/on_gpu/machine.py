"""What the machine is, and what its card can do: the rates that other sections are measured by."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from typing import TYPE_CHECKING

import torch

from resi.machine.memory import format_bytes, machine_memory
from resi.machine.resources import available_cores

if TYPE_CHECKING:
    from on_gpu.report import Run

PACKAGES = ("torch", "numpy", "scipy", "numba", "torch_geometric", "transformers", "timm", "torchvision", "polars")


def section(run: Run) -> None:
    """Describe the machine and measure its rates."""
    rows = [("processor", platform.processor() or platform.machine()), ("cores", available_cores())]
    rows += [("torch's threads", torch.get_num_threads()), ("main memory", format_bytes(machine_memory()))]
    if run.on_gpu:
        card = torch.cuda.get_device_properties(run.device)
        rows += [("card", card.name), ("multiprocessors", card.multi_processor_count)]
        rows += [("memory of the card", format_bytes(card.total_memory)), ("CUDA", torch.version.cuda)]
        rows.append(("driver", driver()))
    rows += [(name, version(name)) for name in PACKAGES]
    rows.append(("CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES", "not set")))
    run.table("machine", ("what", "is"), [(name, str(value)) for name, value in rows])
    with run.part("rates of products"):
        run.table("rates of products", ("precision", "size", "TFlop/s"), products(run))
    with run.part("rates of copies"):
        run.table("rates of copies", ("copy", "GB/s"), copies(run))


def version(name: str) -> str:
    """Return the version of a package."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def driver() -> str:
    """Return the version of the card's driver."""
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown ({type(error).__name__})"


def products(run: Run) -> list[tuple[str, int, float]]:
    """Return the rates of products of square matrices."""
    size = 8192 if run.on_gpu else 512
    return [(name, size, product_rate(run, dtype, size) / 1e12) for name, dtype in PRECISIONS.items()]


PRECISIONS = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}


def product_rate(run: Run, dtype: torch.dtype, size: int) -> float:
    """Return the operations a second of a product of square matrices, single precision in full."""
    from resi.machine.devices import plain_arithmetic

    with plain_arithmetic(run.device):
        a, b = (torch.randn(size, size, device=run.device, dtype=torch.float32).to(dtype) for _ in range(2))
        out = torch.empty_like(a)
        torch.mm(a, b, out=out)  # loads the library
        seconds = run.timed(lambda: torch.mm(a, b, out=out), times=5)
    return 2 * size**3 / seconds


def copies(run: Run) -> list[tuple[str, float]]:
    """Return the rates of copies to the card, from it, and within it (bytes read and written)."""
    size = 2**28 if run.on_gpu else 2**22
    here = torch.empty(size, dtype=torch.uint8)
    there = torch.empty(size, dtype=torch.uint8, device=run.device)
    other = torch.empty_like(there)
    found = [
        ("to the card, pageable", size / run.timed(lambda: there.copy_(here), times=3) / 1e9),
        ("from the card, pageable", size / run.timed(lambda: here.copy_(there), times=3) / 1e9),
        ("within the card", 2 * size / run.timed(lambda: other.copy_(there), times=3) / 1e9),
    ]
    if run.on_gpu:
        pinned = here.pin_memory()
        found.append(("to the card, pinned", size / run.timed(lambda: there.copy_(pinned), times=3) / 1e9))
    return found
