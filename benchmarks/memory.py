"""The memory that comparing representations takes, beside what each measure says it needs.

    python benchmarks/memory.py                      all measures, as a markdown table; exit code 1 outside of 1.3
    python benchmarks/memory.py --measures rsa cka   some measures
    python benchmarks/memory.py --shapes 5000x512    other shapes
    python benchmarks/memory.py --growth             how what they say grows with samples

Two representations go through the engine on one thread, and fifteen, of which all pairs are compared, on two. A peak is
the largest resident size of the process, beyond that before the arrays are made. A budget (``compare.memory``) is kept
by what measures say: where that is too low a process may be killed, and where it is too high, work is refused that
fits.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import math
import os
import subprocess
import sys
import warnings
from functools import partial
from typing import Any, NamedTuple

import torch

from common import grown_bytes
from resi import measures
from resi.engine.execution import Engine
from resi.engine.tiles import Task
from resi.machine.devices import plain_arithmetic
from resi.measures.guard import needed_bytes, needs_of
from resi.measures.needs import Size, total
from resi.measures.shapes import pair_views
from resi.measures.shared.candidates import FEWEST_ROWS
from resi.measures.shared.tiles import MOST_HELD
from resi.representation import Representation

FEW: dict[str, dict[str, Any]] = {
    "geometry_score": {"draws": 20},
    "rtd": {"trials": 2, "rows": 200},
    "imd": {"exact_rows": 1000, "probes": 128},
}
"""Fewer repetitions where they take time, and hardly any memory."""
MEASURES = {measure.name: measure(**FEW.get(measure.name, {})) for measure in measures.MEASURES}
TALL, SQUARE, WIDE, MAPS = (30_000, 128), (1000, 1000), (400, 8000), (400, 64, 14, 14)
OF_FEATURES = (TALL, SQUARE, WIDE, MAPS)
OF_PAIRS = ((2500, 100), (4200, 500), (8300, 200), WIDE)
SHAPES = {
    "cca": OF_FEATURES,
    "kernel": OF_FEATURES,
    "alignment": OF_FEATURES,
    "regression": OF_FEATURES,
    "statistics": OF_FEATURES,
    "rsm": OF_PAIRS,
    "neighbours": OF_PAIRS,
    "topology": ((2500, 100), (4200, 500), WIDE),
}
ASSIGNED = {"hard_correlation_match": 2500, "permutation_procrustes": 2500}
"""The most features of measures that match them, which takes long."""
MANY, OF_MANY = 15, (1000, 400)
MOST = 1.3
NOTED = 50e6
"""Ratios of smaller needs are left out: a process takes a few megabytes more or less from one run to the next."""
PLENTY = 10**12
GROWTH = (1000, 2000, 4000, 8000, 16_000, 32_000)
DTYPES = {"float64": torch.float64, "float32": torch.float32}


class Case(NamedTuple):
    """So many representations of a shape and a type, compared by a measure."""

    measure: str
    shape: tuple[int, ...]
    dtype: str
    count: int = 2


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measures", nargs="+", default=list(MEASURES), choices=list(MEASURES), metavar="NAME")
    parser.add_argument("--shapes", nargs="+", metavar="NxD")
    parser.add_argument("--dtypes", nargs="+", choices=list(DTYPES), default=list(DTYPES))
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--cases", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.cases:
        print(json.dumps(measured([Case(*case) for case in json.loads(given.cases)])))  # noqa: T201
    elif given.growth:
        _print_growth(given.measures)
    else:
        shapes = [tuple(int(size) for size in shape.split("x")) for shape in given.shapes or ()]
        sys.exit(_print_peaks(given.measures, shapes, given.dtypes))


def said(case: Case) -> int:
    """Return the bytes that a measure says a case takes."""
    measure, shape = MEASURES[case.measure], tuple(case.shape)
    layout = _layout(shape)
    view, _ = pair_views(case.measure, (shape, shape), (layout, layout), measure.spatial)
    size = view.needed(shape, DTYPES[case.dtype].itemsize)
    return total([needs_of(measure, size)], case.count, _threads(case))


def peaks(cases: list[Case]) -> list[int]:
    """Return the peaks of cases, as measured in a process that hands back large blocks as soon as they are free."""
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--cases", json.dumps(cases)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
    found: list[int] = json.loads(output)
    return found


def measured(cases: list[Case]) -> list[int]:
    """Return the peaks of cases in this process."""
    warnings.simplefilter("ignore")  # of rows that are left out
    with plain_arithmetic():
        # What is imported or compiled at the first call is not the measure's.
        for name, dtype in {(case.measure, case.dtype) for case in cases}:
            for n_samples in (300, FEWEST_ROWS + 8, MOST_HELD + 8):
                if n_samples == 300 or any(case.measure == name and case.shape[0] >= n_samples for case in cases):
                    _run(Case(name, (n_samples, 6), dtype))
        gc.collect()
        gc.freeze()
        return [peak(case) for case in cases]


def peak(case: Case) -> int:
    """Return the bytes by which the process grows while representations are made, prepared and compared."""
    items = _items(case)
    return grown_bytes(lambda: _run(case, items))


def _items(case: Case) -> dict[str, Representation]:
    """Return representations whose arrays are made when they are loaded; maps that become fewer rows are there."""
    shape, dtype = tuple(case.shape), DTYPES[case.dtype]
    items = {}
    for number in range(case.count):
        make: Any = partial(_array, shape, dtype, number)
        if len(shape) == 4 and MEASURES[case.measure].spatial == "align":
            make = partial(_same, make())
        items[str(number)] = Representation(str(number), shape, _layout(shape), "", make, itemsize=dtype.itemsize)
    return items


def _array(shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype).uniform_(-1, 2, generator=torch.Generator().manual_seed(seed))


def _same(array: torch.Tensor) -> torch.Tensor:
    return array


def _threads(case: Case) -> int:
    return 1 if case.count == 2 else 2


def _run(case: Case, items: dict[str, Representation] | None = None) -> None:
    """Compare all pairs."""
    items = _items(case) if items is None else items
    engine = Engine({case.measure: MEASURES[case.measure]}, PLENTY, torch.device("cpu"), threads=_threads(case))
    tasks = [Task(one, other, case.measure) for one, other in itertools.combinations(items, 2)]
    for outcome in engine.run(tasks, items):
        if outcome.value is None and case.shape[0] > 300:
            raise SystemExit(f"{case}: {outcome.error}")


def _layout(shape: tuple[int, ...]) -> Any:
    return "nchw" if len(shape) == 4 else "nd"


def _cases(name: str, shapes: list[tuple[int, ...]], dtypes: list[str]) -> list[Case]:
    chosen = []
    for shape in shapes or SHAPES[MEASURES[name].family]:
        of_one = (shape[0], min(shape[1], ASSIGNED.get(name, shape[1])), *shape[2:])
        # Tiles of many samples take long, and are the same for both.
        chosen += [
            Case(name, of_one, dtype) for dtype in (dtypes if shape[0] <= MOST_HELD or shape[1] < 200 else dtypes[-1:])
        ]
    return chosen + [Case(name, OF_MANY, dtype, MANY) for dtype in dtypes if not shapes]


def _print_peaks(names: list[str], shapes: list[tuple[int, ...]], dtypes: list[str]) -> int:
    """Print what measures say beside the peaks; return 1 where any is further off than allowed."""
    print("| measure | representations | says, MB | peak, MB | ratio |\n|---|---|---|---|---|")  # noqa: T201
    worst, worst_case = 1.0, ""
    for name in names:
        cases = _cases(name, shapes, dtypes)
        for case, found in zip(cases, peaks(cases), strict=True):
            expected = said(case)
            what = f"{case.count} of {' x '.join(map(str, case.shape))}, {case.dtype}"
            is_noted = max(expected, found) >= NOTED
            ratio = expected / found
            row = f"| `{name}` | {what} | {expected / 1e6:.0f} | {found / 1e6:.0f} |"
            print(row, f"{ratio:.2f} |" if is_noted else "|", flush=True)  # noqa: T201
            if is_noted and abs(math.log(ratio)) > abs(math.log(worst)):
                worst, worst_case = ratio, f"`{name}`, {what}"
    print(f"\nThe worst ratio is {worst:.2f}: {worst_case}")  # noqa: T201
    return int(not 1 / MOST <= worst <= MOST)


def _print_growth(names: list[str]) -> None:
    """Print what measures say for more and more samples, and the exponent of the last doubling."""
    print("| measure |" + "".join(f" {count} |" for count in GROWTH) + " exponent | cost |")  # noqa: T201
    print("|---|" + "---|" * (len(GROWTH) + 2))  # noqa: T201
    for name in names:
        needs = [needed_bytes(MEASURES[name], *[Size(count, 256, 4)] * 2) for count in GROWTH]
        exponent = math.log2(needs[-1] / needs[-2])
        cells = "".join(f" {count / 1e6:.0f} |" for count in needs)
        print(f"| `{name}` |{cells} {exponent:.2f} | {MEASURES[name].cost} |")  # noqa: T201


if __name__ == "__main__":
    main()
