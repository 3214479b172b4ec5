"""What measures take of the card's memory, beside what they say beforehand and what they were allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import resi
from on_gpu.inputs import related
from resi.measures import MEASURES

if TYPE_CHECKING:
    from on_gpu.report import Run

MOST = 1.3
"""So many times its estimate a measure may take, small numbers aside."""
SMALL = 2**25
COUNT = 6


def section(run: Run) -> None:
    """Measure the peak of each measure by itself, and of all of them within a limit."""
    n_samples, n_features = (80, 16) if not run.full else (4000, 512)
    given = {name: array.to(run.device) for name, array in related(2, n_samples, n_features).items()}
    resi.pairwise(given, measures=["cka", "procrustes", "rsa"])  # loads the libraries, which keep memory of their own
    rows = []
    for measure in MEASURES:
        if measure.on_cpu:
            continue  # it takes main memory
        if not run.has(1.0, measure.name):
            break
        with run.part(measure.name):
            estimate = 2 * measure().prepared_bytes(n_samples, n_features)
            # The given arrays, which count as a part of what is prepared, are there already.
            own = sum(array.nbytes for array in given.values())
            peak = run.peak(lambda name=measure.name: resi.pairwise(given, measures=name)) + own
            rows.append((measure.name, estimate / 1e6, peak / 1e6, peak / estimate))
            if run.on_gpu:
                allowed = max(MOST * estimate, estimate + SMALL)
                run.check(
                    f"memory of {measure.name}", peak <= allowed, f"{peak / 1e6:.0f} MB, {estimate / 1e6:.0f} said"
                )
    run.table(f"two of {n_samples} x {n_features}", ("measure", "said, MB", "peak, MB", "ratio"), rows)
    with run.part("all measures within a limit"):
        within_limit(run)


def within_limit(run: Run) -> None:
    """Compare more than a limit holds, and measure the peak."""
    n_samples, n_features = (200, 32) if not run.full else (3000, 512)
    # Arrays on the CPU, as a run has them: what goes to the card is prepared there.
    given = related(COUNT, n_samples, n_features)
    there = {name: array.to(run.device) for name, array in given.items()}
    names = [measure.name for measure in MEASURES if measure.benchmark and not measure.on_cpu]
    largest = max(2 * m().prepared_bytes(n_samples, n_features) for m in MEASURES if m.name in names)
    rows = []
    for factor in (1.5, 4.0):
        limit = int(factor * largest)
        peak = run.peak(lambda limit=limit: resi.pairwise(there, measures=names, memory=limit))
        rows.append((limit / 1e6, peak / 1e6, peak / limit))
        if run.on_gpu:
            run.check(f"peak within {limit / 1e6:.0f} MB", peak <= MOST * limit + SMALL, f"{peak / 1e6:.0f} MB")
    title = f"{len(names)} measures over {COUNT} of {n_samples} x {n_features}"
    run.table(title, ("memory=, MB", "peak beyond the arrays, MB", "ratio"), rows)
