"""How fast comparisons are: cka beside the card's rate of products, all measures beside the CPU, both at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

import resi
from on_gpu.inputs import related
from on_gpu.machine import product_rate
from resi.measures import MEASURES
from resi.measures.shared import gram

if TYPE_CHECKING:
    from on_gpu.report import Run

COUNT = 15
GOAL = 0.7
BLOCKS = ((256, 512), (512, 1024), (1024, 2048), (2048, 4096))
"""Rows and columns of the blocks of Gram matrices: those that there are, and larger ones."""


def section(run: Run) -> None:
    """Time what a benchmark's comparisons take."""
    for dtype in (torch.float32, torch.float64):
        with run.part(f"cka in {dtype}"):
            time_cka(run, dtype)
    with run.part("all measures over 105 pairs"):
        time_measures(run)
    if run.has(15.0, "both kinds of measures at once"):
        with run.part("both kinds of measures at once"):
            time_beside(run)


def time_cka(run: Run, dtype: torch.dtype) -> None:
    """Print the rate of cka over all pairs as a share of that of a large product, by the size of blocks."""
    n_samples, n_features = (400, 64) if not run.full else (10_000, 1024)
    given = {name: array.to(dtype).to(run.device) for name, array in noise(COUNT, n_samples, n_features).items()}
    best = product_rate(run, dtype, 8192 if run.on_gpu else 512)
    # Half of every Gram matrix, two operations for each entry and feature.
    operations = COUNT * n_samples**2 * n_features
    known = gram.BLOCK_ROWS, gram.BLOCK_COLUMNS
    rows = []
    try:
        for sizes in BLOCKS:
            gram.BLOCK_ROWS, gram.BLOCK_COLUMNS = sizes
            resi.pairwise(given, measures="cka")  # loads what it needs
            seconds = run.timed(lambda: resi.pairwise(given, measures="cka"), times=3)
            share = operations / seconds / best
            rows.append((f"{sizes[0]} x {sizes[1]}", seconds, operations / seconds / 1e12, share))
    finally:
        gram.BLOCK_ROWS, gram.BLOCK_COLUMNS = known
    name = f"cka, {COUNT} x {n_samples} x {n_features}, {str(dtype).removeprefix('torch.')}"
    header = ("blocks of Gram matrices", "seconds, all of it", "TFlop/s", f"share of {best / 1e12:.1f} TFlop/s")
    run.table(name, header, rows)
    if run.full:
        run.say(f"the goal is {GOAL:.0%}; the blocks that there are reach {rows[0][3]:.0%}")


def noise(count: int, n_samples: int, n_features: int) -> dict[str, torch.Tensor]:
    """Return random representations, drawn fast."""
    draws = torch.Generator().manual_seed(0)
    return {f"r{i}": torch.randn(n_samples, n_features, generator=draws) for i in range(count)}


def time_measures(run: Run) -> None:
    """Print seconds of each measure over all pairs on the card and on the CPU, and of all of them in one call."""
    n_samples, n_features = (60, 12) if run.quick else (1000, 64)
    count = 5 if run.quick else COUNT
    here = {name: array.float() for name, array in related(count, n_samples, n_features).items()}
    there = {name: array.to(run.device) for name, array in here.items()}
    names = [measure.name for measure in MEASURES if measure.benchmark]
    rows = []
    for name in names:
        if not run.has(2.0 if run.on_gpu else 0.5, name):
            break
        # Of what computes on the CPU either way, one time says it; compiling is left out.
        on_cpu = any(measure.on_cpu for measure in MEASURES if measure.name == name)
        compile_first(name)
        card = None if on_cpu else best_of_two(run, there, [name])
        cpu = best_of_two(run, here, [name])
        rows.append((name, card, cpu, "computes on the CPU" if card is None else f"{cpu / card:.1f}"))
    if run.has(20.0 if run.on_gpu else 5.0, "all in one call"):
        card, cpu = (run.timed(lambda g=given: resi.pairwise(g, measures=names)) for given in (there, here))
        rows.append(("all in one call", card, cpu, f"{cpu / card:.1f}"))
    title = f"{count * (count - 1) // 2} pairs of {n_samples} x {n_features}, float32, {os.cpu_count()} cores"
    run.table(title, ("measure", "seconds on the card", "on the CPU", "ratio"), rows)


def compile_first(name: str) -> None:
    """Compare small representations, so that what is compiled is not timed."""
    resi.pairwise(related(2, 20, 4), measures=[name])


def best_of_two(run: Run, given: Any, names: list[str]) -> float:
    """Return the time of a call, the shorter of two if it is short."""
    first = run.timed(lambda: resi.pairwise(given, measures=names))
    return first if first > 1.0 else min(first, run.timed(lambda: resi.pairwise(given, measures=names)))


def time_beside(run: Run) -> None:
    """Print how long measures of the card and of the CPU take each for themselves, and in one call."""
    n_samples, n_features, count = (80, 16, 4) if not run.full else (2000, 256, 8)
    given = {name: array.to(run.device) for name, array in related(count, n_samples, n_features).items()}
    card, cpu = ["procrustes", "pwcca", "rsa", "second_order_cosine"], ["imd", "permutation_procrustes"]
    for names in (card, cpu):
        resi.pairwise(dict(list(given.items())[:2]), measures=names)
    alone = [run.timed(lambda names=names: resi.pairwise(given, measures=names)) for names in (card, cpu)]
    both = run.timed(lambda: resi.pairwise(given, measures=[*card, *cpu]))
    header = ("measures", "seconds")
    rows = [(" ".join(card), alone[0]), (" ".join(cpu), alone[1]), ("all of these", both)]
    run.table(f"both kinds of measures at once, {count} x {n_samples} x {n_features}", header, rows)
    if run.full:
        run.check("both at once take less than one after the other", both < 0.9 * sum(alone), f"{both:.1f} s")
