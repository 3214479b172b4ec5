"""Print the most memory that preparing a representation takes, for measures and sizes given as JSON.

A program of its own: large blocks are handed back to the system as soon as they are free only where the allocator is
told so before the start.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import torch

from resi import measures
from resi.measures.features import Features
from resi.measures.shared.candidates import FEWEST_ROWS

FEW = {"geometry_score": {"draws": 20}, "rtd": {"trials": 3}}
MEASURES = {measure.name: measure(**FEW.get(measure.name, {})) for measure in measures.MEASURES}


def peak(name: str, n_samples: int, n_features: int) -> int:
    """Return the bytes that a representation and preparing it take, or half of what comparing two of them takes."""
    measure = MEASURES[name]
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = memory("VmRSS")
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.empty(n_samples, n_features, dtype=torch.float64) for _ in range(2))
    first = measure.prepare(Features(x.uniform_(-1, 2, generator=generator)))
    alone = memory("VmHWM") - before
    if measure.family == "rsm":  # others take little for a pair
        measure.compare(first, measure.prepare(Features(y.uniform_(-1, 2, generator=generator))))
    return max(alone, (memory("VmHWM") - before) // 2)


def memory(kind: str) -> int:
    """Return a size that the system has of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(kind))


if __name__ == "__main__":
    cases = json.loads(sys.argv[1])
    gc.freeze()  # to search all that is imported for garbage would take a third of the time
    # What is imported or compiled at the first call, with few rows and with many.
    for name, n_samples in {(case[0], 30 if case[1] < FEWEST_ROWS else case[1]) for case in cases}:
        peak(name, n_samples, 5)
    print(json.dumps([peak(*case) for case in cases]))
