"""How time and memory of every measure grow with samples and with representations: fitted exponents beside the formula.

``python benchmarks/growth.py [samples] [representations]``, one thread, float32. Each measure is a process of its own,
so that the peak of memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.table import Table

import resi
from common import CONSOLE, benchmark, cpu_seconds, grown_bytes, related, warm_up
from resi.console import progress

if TYPE_CHECKING:
    from common import Arrays

COLUMNS = 32
SIZES = {"samples": (1000, 2000, 4000, 8000, 16_000, 50_000), "representations": (62, 125, 250, 500, 1000)}
MOST_SECONDS = 10.0
"""Of one size, after which none larger is tried."""
OF_ALL_PAIRS_OF_ROWS = (
    "distance_correlation",
    "imd",
    "jaccard",
    "rank_similarity",
    "rsa",
    "rsm_norm_difference",
    "second_order_cosine",
    "uniformity_difference",
)
"""Measures whose work grows with the square of samples; that of the others grows in proportion."""
PAIR, ROWS = 4, 60
"""How many representations there are where samples grow, and how many samples where representations do."""
TOLERANCE = 0.2
"""An exponent that is fitted to a few doublings scatters by about a tenth."""
LEAST_SECONDS, LEAST_BYTES = 0.05, 5e7
"""What is below is not fitted: other costs prevail there."""


def main() -> None:
    """Print the table of each growth asked for; exit with an error if a measure outgrows its formula."""
    if sys.argv[1:2] == ["--measure"]:
        sys.stdout.write(json.dumps(measure_growth(*sys.argv[2:])))
        return
    outgrown = [name for growth in sys.argv[1:] or SIZES for name in bench_growth(growth)]
    if outgrown:
        raise SystemExit(f"growing faster than their formula: {', '.join(outgrown)}")


def measure_growth(name: str, growth: str) -> list[tuple[float, float]]:
    """Return CPU seconds, and the bytes by which the process grows, size by size."""
    torch.set_num_threads(1)
    warm_up(related(2, 100, COLUMNS), [name])
    found = []
    for size in SIZES[growth]:
        given = related(PAIR, size, COLUMNS) if growth == "samples" else related(size, ROWS, COLUMNS)
        found.append(_cost(given, name))
        if found[-1][0] > MOST_SECONDS:
            break
    return found


def _cost(given: Arrays, name: str) -> tuple[float, int]:
    seconds: list[float] = []
    grown = grown_bytes(lambda: seconds.append(cpu_seconds(lambda: resi.pairwise(given, [name]))))
    return seconds[0], grown


def bench_growth(growth: str) -> list[str]:
    """Print the exponents of all measures; return those that grow faster than their formula."""
    table = Table(title=_title(growth), title_justify="left")
    for column in ("measure", *map(str, SIZES[growth]), "time", "memory", "formula"):
        table.add_column(column, justify="left" if column == "measure" else "right")
    outgrown = []
    names = sorted(benchmark())
    with progress(f"growth with {growth}", len(names)) as advance:
        for name in names:
            command = [sys.executable, str(Path(__file__)), "--measure", name, growth]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            times, peaks = [each for each, _ in found], [each for _, each in found]
            time, memory = exponent(growth, times, LEAST_SECONDS), exponent(growth, peaks, LEAST_BYTES)
            most = formula(name, growth)
            outgrown += [name] if max(time or 0, memory or 0) > most + TOLERANCE else []
            seconds = [f"{each:.2f}" for each in times] + [""] * (len(SIZES[growth]) - len(times))
            exponents = ["" if each is None else f"{each:.2f}" for each in (time, memory)]
            table.add_row(name, *seconds, *exponents, str(most))
            advance()
    CONSOLE.print(table)
    return outgrown


def exponent(growth: str, values: list[float], least: float) -> float | None:
    """Return the slope of the logarithms of the values above ``least``; None if fewer than three are."""
    points = [(size, value) for size, value in zip(SIZES[growth], values, strict=False) if value >= least]
    if len(points) < 3:
        return None
    sizes, found = np.log(np.array(points)).T
    return float(np.polyfit(sizes, found, 1)[0])


def formula(name: str, growth: str) -> int:
    """Return the exponent of what a measure has to do: all pairs, of representations or of rows."""
    return 2 if growth == "representations" or name in OF_ALL_PAIRS_OF_ROWS else 1


def _title(growth: str) -> str:
    given = f"{PAIR} representations" if growth == "samples" else f"{ROWS} samples"
    return f"seconds by {growth}, and exponents: all pairs, {given}, {COLUMNS} features, one thread, float32"


if __name__ == "__main__":
    main()
