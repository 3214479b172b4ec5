"""Seconds a comparison takes, by measure: what ``resi plan`` estimates with where a data root has no rates of its own.

    python benchmarks/rates.py src/resi/rates.json      about half an hour

Random representations of three sizes are compared by each measure alone, in one thread. Seconds are those of the
processor, preparing included, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

import torch

from resi import registry
from resi.engine.execute import OK, Engine
from resi.engine.plan import all_pairs
from resi.measures.functional import FUNCTIONAL
from resi.representations.base import Representation

SIZES = ((1000, 64), (1000, 768), (5000, 512))
REPRESENTATIONS = 3
MEMORY = 8 << 30


def seconds(measure: str, size: tuple[int, int]) -> float | None:
    """Return the mean time of a comparison, or None if one failed."""
    items = {}
    for number in range(REPRESENTATIONS):
        matrix = torch.randn(size, generator=torch.Generator().manual_seed(number))
        items[str(number)] = Representation(str(number), size, "nd", "", lambda matrix=matrix: matrix)
    measures = {measure: registry.measures().get(measure)()}
    tasks = all_pairs(list(items), measures)
    start = time.process_time()
    outcomes = list(Engine(measures, MEMORY, torch.device("cpu"), 1).run(tasks, items))
    spent = time.process_time() - start
    return spent / len(tasks) if all(outcome.status == OK for outcome in outcomes) else None


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("measures", nargs="*", help="only these; the file keeps the others")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    known = json.loads(arguments.out.read_text()) if arguments.out.is_file() else {}
    rates = known.get("seconds", {})
    for name in arguments.measures or [name for name in registry.measures() if name not in FUNCTIONAL]:
        seconds(name, (100, 8))  # compiles what is compiled at its first use
        rates[name] = []
        for size in SIZES:
            spent = seconds(name, size)
            sys.stdout.write(f"{name} {size}: {spent}\n")
            sys.stdout.flush()
            if spent is not None:
                rates[name].append([*size, float(f"{spent:.3g}")])
        content = {"machine": f"{platform.machine()}, one thread, {os.cpu_count()} cores", "seconds": rates}
        arguments.out.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
