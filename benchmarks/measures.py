"""Measures beside the published code and other tools, on one thread; bench.py runs this in a process of its own."""

from __future__ import annotations

import functools
import resource
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.table import Table

import resi
from common import CONSOLE, benchmark, cpu_seconds, product_rate, related, timed, warm_up
from resi.console import progress
from resi.engine.execution import Engine
from resi.engine.tiles import all_pairs
from resi.machine.memory import parse_memory
from resi.registry import make_measure
from resi.representation import Representation

if TYPE_CHECKING:
    from common import Arrays

SIZES = {"1000x64": (1000, 64), "5000x512": (5000, 512)}
# Seconds a pair of the published code, in the order of SIZES, on two cores with one thread, arrays of single precision.
PUBLISHED: dict[str, tuple[float, float]] = {
    "imd": (41.0, 150.0),
    "rtd": (30.0, 12.0),
    "rsm_norm_difference": (0.24, 30.0),
    "rsa": (0.22, 4.6),
    "eigenspace_overlap": (0.09, 13.0),
    "uniformity_difference": (0.05, 3.9),
    "distance_correlation": (0.06, 3.1),
    "second_order_cosine": (0.09, 0.90),
    "pwcca": (0.01, 1.4),
    "svcca": (0.01, 1.9),
    "jaccard": (0.07, 0.69),
    "rank_similarity": (0.08, 0.63),
    "cka": (0.006, 0.09),
}
PUBLISHED_ALL_24 = 88.0  # of 1000x64
# netrep cannot be installed from a package index; these are its seconds (fit and score of every pair) on two cores with
# one thread.
NETREP = {
    "1000x64": (15, {"normalized_procrustes": 0.12, "cka": 0.49, "permutation_procrustes": 0.06}),
    "5000x512": (8, {"normalized_procrustes": 5.5, "cka": 8.6, "permutation_procrustes": 1.6}),
}
# Measures of which a pair is one product of matrices, and little else.
PRODUCTS = ("cka", "eigenspace_overlap", "gulp", "linear_regression", "soft_correlation_match")
LARGE = (50_000, 256)
LARGE_MEMORY = "8GB"


def bench_measures(sizes: list[str]) -> None:
    """Time every measure alone over 105 pairs, preparing included."""
    for size in sizes:
        given = related(15, *SIZES[size])
        names = sorted(benchmark(), key=lambda name: (name not in PUBLISHED, name))
        warm_up(given, names)
        seconds = {}
        with progress(f"measures on {size}", len(names) + 1) as advance:
            for name in names:
                seconds[name] = cpu_seconds(functools.partial(resi.pairwise, given, [name]))
                advance()
            together = cpu_seconds(functools.partial(resi.pairwise, given, names))
            advance()
        table = Table(title=f"measures: 15 representations of {size}, 105 pairs, one thread, float32")
        for column in ("measure", "seconds", "ms a pair", "published ms a pair", "ratio"):
            table.add_column(column, justify="left" if column == "measure" else "right")
        index = list(SIZES).index(size)
        for name, time_ in seconds.items():
            table.add_row(name, *per_pair(time_, PUBLISHED[name][index] if name in PUBLISHED else None))
        table.add_section()
        table.add_row("sum of these", *per_pair(sum(seconds.values()), None))
        table.add_row("all in one call", *per_pair(together, PUBLISHED_ALL_24 if size == "1000x64" else None))
        CONSOLE.print(table)
    bench_rates()


def bench_rates() -> None:
    """Compare pairs that are one product of matrices with the rate of the machine's own matrix product."""
    rows, columns = SIZES["5000x512"]
    table = Table(title=f"rate of comparing, both sides prepared: 15 representations of {rows}x{columns}, one thread")
    for column in ("measure", "precision", "GFlop/s of 2ND² a pair", "matrix product", "share"):
        table.add_column(column, justify="left" if column in ("measure", "precision") else "right")
    for dtype in ("float32", "float64"):
        given = related(15, rows, columns, dtype)
        for name in PRODUCTS:
            # All but cka compute in double precision whatever they are given.
            precision = dtype if name == "cka" else "float64"
            if precision != dtype:
                continue
            seconds = seconds_of_comparing(given, name)
            rate = 105 * 2 * rows * columns**2 / seconds / 1e9
            product = product_rate(precision) / 1e9
            table.add_row(name, precision, f"{rate:.0f}", f"{product:.0f}", f"{rate / product:.0%}")
    CONSOLE.print(table)


def bench_tools() -> None:
    """Compare with other tools on the same arrays."""
    table = Table(title="other tools: same arrays, one thread")
    for column in ("tool", "job", "its seconds", "our seconds", "ratio", "largest difference"):
        table.add_column(column, justify="left" if column in ("tool", "job") else "right")
    for size, (count, figures) in NETREP.items():
        given = related(count, *SIZES[size])
        warm_up(given, list(figures))
        jobs = {name: ([name], theirs) for name, theirs in figures.items()}
        jobs["all three"] = (list(figures), sum(figures.values()))
        for label, (names, theirs) in jobs.items():
            ours = cpu_seconds(functools.partial(resi.pairwise, given, names), times=3)
            job = f"{label}, {count * (count - 1) // 2} pairs of {size}"
            table.add_row("netrep (quoted)", job, f"{theirs:.2f}", f"{ours:.2f}", f"{theirs / ours:.1f}x", "")
    table.add_section()
    given = related(15, *SIZES["1000x64"], "float64")
    warm_up(given, ["rsa"])
    theirs, values = timed(functools.partial(rsatoolbox_spearman, given))
    ours, frame = timed(functools.partial(resi.pairwise, given, ["rsa"]))
    names = list(given)
    difference = max(
        abs(values[names.index(a), names.index(b)] - value)
        for a, b, value in frame.select("source", "target", "value").iter_rows()
    )
    job = "rsa, 15 RDMs of 1000x64"
    table.add_row("rsatoolbox", job, f"{theirs:.2f}", f"{ours:.2f}", f"{theirs / ours:.1f}x", f"{difference:.0e}")
    for size, shape in SIZES.items():
        given = related(15, *shape)
        warm_up(given, ["cka"])
        theirs = cpu_seconds(functools.partial(unbiased_cka, given), times=3)
        ours = cpu_seconds(functools.partial(resi.pairwise, given, ["cka"]), times=3)
        job = f"cka, 15 of {size} (its one is the unbiased)"
        table.add_row("pytorch-cka", job, f"{theirs:.2f}", f"{ours:.2f}", f"{theirs / ours:.1f}x", "")
    CONSOLE.print(table)


def bench_large() -> None:
    """Compare two representations of many samples in limited memory."""
    rows, columns = LARGE
    given = related(2, rows, columns)
    table = Table(title=f"one pair of {rows}x{columns}, compare.memory={LARGE_MEMORY}, one thread, float32")
    for column in ("measure", "seconds", "peak memory so far", "status"):
        table.add_column(column, justify="left" if column in ("measure", "status") else "right")
    names = [name for name in benchmark() if name not in ("imd", "rtd")]
    with progress(f"measures on {rows}x{columns}", len(names)) as advance:
        for name in names:
            seconds, frame = timed(functools.partial(resi.pairwise, given, [name], memory=LARGE_MEMORY))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            status = frame["status"][0] + (f": {frame['error'][0]}" if frame["error"][0] else "")
            table.add_row(name, f"{seconds:.1f}", f"{peak:.2f} GB", status)
            advance()
    CONSOLE.print(table)


def seconds_of_comparing(given: Arrays, name: str) -> float:
    """Return the time of comparing alone."""
    measure = {name: make_measure(name, {})}
    items = {
        key: Representation(key, array.shape, "nd", "", lambda array=array: torch.as_tensor(array))  # type: ignore[misc]
        for key, array in given.items()
    }
    engine = Engine(measure, parse_memory("auto"), torch.device("cpu"), 1)
    return sum(outcome.seconds for outcome in engine.run(all_pairs(list(items), measure), items))


def rsatoolbox_spearman(given: Arrays) -> np.ndarray[Any, Any]:
    """Return the Spearman correlations of all correlation distances, shape (n, n), as rsatoolbox computes them."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm, compare, concat

    rdms = concat([calc_rdm(Dataset(array), method="correlation") for array in given.values()])
    return np.asarray(compare(rdms, rdms, method="spearman"))


def unbiased_cka(given: Arrays) -> torch.Tensor:
    """Return the matrix of unbiased CKA, shape (n, n), as pytorch-cka computes it from features."""
    from cka import cka_from_features

    features = [torch.from_numpy(array) for array in given.values()]
    matrix: torch.Tensor = cka_from_features(features, features)
    return matrix


def per_pair(seconds: float, published: float | None) -> tuple[str, ...]:
    """Return the cells of a row of the table of measures."""
    ours = seconds / 105
    shown = ("", "") if published is None else (f"{1000 * published:.0f}", f"{published / ours:.1f}x")
    return (f"{seconds:.2f}", f"{1000 * ours:.2f}", *shown)


if __name__ == "__main__":
    torch.set_num_threads(1)
    chosen, *words = sys.argv[1:]
    if chosen == "measures":
        bench_measures(words)
    else:
        {"tools": bench_tools, "large": bench_large}[chosen]()
