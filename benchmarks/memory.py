"""The memory that comparing two representations takes, beside what each measure says it needs.

    python benchmarks/memory.py                      all measures and shapes, as a markdown table
    python benchmarks/memory.py --measures rsa cka   some measures
    python benchmarks/memory.py --growth             how what they say grows with samples

A peak is the largest resident size of a process of its own, from before the two arrays are made until they have been
prepared, on two threads, and compared; maps that become fewer rows are there before. It differs by a megabyte or so
from one run to the next: ratios of small needs say nothing. The budget
``compare.memory`` is kept by what measures say: a ratio below 1 is a fault, and one above 1.3 refuses work that fits.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from resi import measures
from resi.errors import DegenerateInputError
from resi.measures.features import Features
from resi.measures.guard import needed_bytes
from resi.measures.shapes import pair_views
from resi.measures.shared.tiles import MOST_HELD

MEASURES = {measure.name: measure() for measure in measures.MEASURES}
SHAPES = ((2000, 64), (5000, 512), (2000, 4096), (10_000, 256), (500, 64, 14, 14))
SLOW = {"rtd": 600, "imd": 5000, "geometry_score": 5000, "permutation_procrustes": 5000}
"""The most samples of measures that would take minutes."""
NOTED = 50e6
"""Ratios of smaller needs are left out."""
GROWTH = (1000, 2000, 4000, 8000, 16_000, 32_000)
POOL = ThreadPoolExecutor(2)
DTYPES = {"float64": torch.float64, "float32": torch.float32}


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measures", nargs="+", default=list(MEASURES), choices=list(MEASURES), metavar="NAME")
    parser.add_argument("--shapes", nargs="+", default=["x".join(map(str, shape)) for shape in SHAPES], metavar="NxD")
    parser.add_argument("--dtype", choices=list(DTYPES), default="float64")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--of-one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    shapes = [tuple(int(size) for size in shape.split("x")) for shape in given.shapes]
    if given.of_one:
        print(json.dumps([peak(given.of_one[0], shape, DTYPES[given.dtype]) for shape in shapes]))  # noqa: T201
    elif given.growth:
        _print_growth(given.measures)
    else:
        _print_peaks(given.measures, shapes, given.dtype)


def needs(name: str, shape: tuple[int, ...]) -> int:
    """Return the bytes that a measure says comparing two arrays of a shape takes."""
    measure = MEASURES[name]
    layout = "nchw" if len(shape) == 4 else "nd"
    views = pair_views(name, (shape, shape), (layout, layout), measure.spatial)
    return sum(needed_bytes(measure, *view.size(shape)) for view in views)


def peak(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> int:
    """Return the bytes by which the process grows while two arrays become matrices, are prepared and compared."""
    # What is imported or compiled at the first call, and what products keep for the next one, is not the measure's.
    list(POOL.map(lambda _: torch.ones(1500, 1500, dtype=torch.float64).mm(torch.ones(1500, 1500).double()), range(8)))
    for n_samples in (200, MOST_HELD + 8) if shape[0] > MOST_HELD else (200,):
        _compare(name, _arrays((n_samples, *(min(size, 6) for size in shape[1:])), dtype))
    maps = _arrays(shape, dtype) if len(shape) == 4 and MEASURES[name].spatial == "align" else None
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _memory("VmRSS")
    _compare(name, maps or _arrays(shape, dtype))
    return _memory("VmHWM") - before


def _arrays(shape: tuple[int, ...], dtype: torch.dtype) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.empty(shape, dtype=dtype).uniform_(-1, 2, generator=generator) for _ in range(2)]


def _compare(name: str, arrays: list[torch.Tensor]) -> None:
    """Prepare both sides at once, as on two threads, and compare them."""
    measure, shape = MEASURES[name], tuple(arrays[0].shape)
    layout = "nchw" if len(shape) == 4 else "nd"
    views = pair_views(name, (shape, shape), (layout, layout), measure.spatial)
    features = [
        Features(view.matrix(array), array.dtype, position)
        for position, (view, array) in enumerate(zip(views, arrays, strict=True))
    ]
    with contextlib.suppress(DegenerateInputError):
        measure.compare(*POOL.map(measure.prepare, features))


def _memory(kind: str) -> int:
    """Return a size that the system has of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(kind))


def _print_peaks(names: list[str], shapes: list[tuple[int, ...]], dtype: str) -> None:
    print(f"| measure | shape, {dtype} | says, MB | peak, MB | ratio |\n|---|---|---|---|---|")  # noqa: T201
    for name in names:
        chosen = [shape for shape in shapes if shape[0] <= SLOW.get(name, shape[0])]
        for shape, found in zip(chosen, _peaks(name, chosen, dtype), strict=True):
            said = needs(name, shape)
            ratio = f"{said / found:.2f}" if max(said, found) >= NOTED else ""
            size = " x ".join(map(str, shape))
            print(f"| `{name}` | {size} | {said / 1e6:.0f} | {found / 1e6:.0f} | {ratio} |", flush=True)  # noqa: T201


def _peaks(name: str, shapes: list[tuple[int, ...]], dtype: str) -> list[int]:
    """Return peaks as measured in a process that hands back blocks as soon as they are free."""
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    sizes = ["x".join(map(str, shape)) for shape in shapes]
    command = [sys.executable, __file__, "--of-one", name, "-", "--dtype", dtype, "--shapes", *sizes]
    if not shapes:
        return []
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    found: list[int] = json.loads(output)
    return found


def _print_growth(names: list[str]) -> None:
    """Print what measures say for more and more samples, and the exponent of the last doubling."""
    print("| measure |" + "".join(f" {count} |" for count in GROWTH) + " exponent | cost |")  # noqa: T201
    print("|---|" + "---|" * (len(GROWTH) + 2))  # noqa: T201
    for name in names:
        said = [needs(name, (count, 256)) for count in GROWTH]
        exponent = math.log2(said[-1] / said[-2])
        cells = "".join(f" {count / 1e6:.0f} |" for count in said)
        print(f"| `{name}` |{cells} {exponent:.2f} | {MEASURES[name].cost} |")  # noqa: T201


if __name__ == "__main__":
    main()
