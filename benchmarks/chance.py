"""Time of 200 permutations: all pairs beside the authors' package, and every fast measure beside one plain call."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import resi
from resi import registry
from resi.engine.chance import Null
from resi.engine.execution import Engine
from resi.engine.tiles import Task, all_pairs
from resi.registry import make_measure
from resi.representation import Representation

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, COLUMNS, COUNT, PERMUTATIONS = 1000, 64, 15, 200
GOAL_OF_PAIRS, GOAL_OF_MEASURES = 10, 100
CONSOLE = Console(width=120)


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    bench_pairs()
    bench_measures()


def bench_pairs() -> None:
    """Time linear CKA of all pairs beside the package calibrated-similarity, with a CKA of three products."""
    from calibrated_similarity import calibrate

    table = Table(
        title=f"cka, {PERMUTATIONS} permutations, {ROWS}x{COLUMNS}, one thread, CPU seconds, best of 3",
        title_justify="left",
    )
    for column in ("precision", "calibrated-similarity, a pair", "105 pairs at that", "resi, 105 pairs", "ratio"):
        table.add_column(column, justify="left" if column == "precision" else "right")
    for precision in ("float32", "float64"):
        given = related(precision)
        first, second = (torch.from_numpy(given[name]) for name in ("r0", "r1"))
        pair = best(lambda first=first, second=second: calibrate(first, second, three_products, K=PERMUTATIONS))
        warm_up("cka", given)
        ours = best(functools.partial(permuted, given))
        count = COUNT * (COUNT - 1) // 2
        table.add_row(precision, f"{pair:.3f}", f"{count * pair:.2f}", f"{ours:.2f}", f"{count * pair / ours:.1f}x")
    CONSOLE.print(table)
    CONSOLE.print(f"goal: {GOAL_OF_PAIRS}x of 105 times 0.104 s, which is 1.09 s")


def bench_measures() -> None:
    """Time one pair of every fast measure: the permutations beside one plain call."""
    table = Table(
        title=f"{PERMUTATIONS} permutations of one pair, {ROWS}x{COLUMNS}, float64, one thread, CPU milliseconds",
        title_justify="left",
    )
    for column in ("measure", "one call", "permutations", "ratio", f"under {GOAL_OF_MEASURES}"):
        table.add_column(column, justify="left" if column == "measure" else "right")
    given = {name: array for name, array in related("float64").items() if name in ("r0", "r1")}
    items = wrapped(given)
    for name in registry.measure_sets()["fast"]:
        warm_up(name, given)
        measure = {name: make_measure(name, {})}
        task = [Task("r0", "r1", name)]

        def compare(null: Null | None, measure: Any = measure, task: Any = task) -> None:
            list(Engine(measure, 10**10, torch.device("cpu"), 1, null=null).run(task, items))

        one = best(functools.partial(resi.compare, given["r0"], given["r1"], name), 5)
        permuting = best(functools.partial(compare, Null(PERMUTATIONS))) - best(functools.partial(compare, None))
        ratio = permuting / one
        table.add_row(
            name,
            f"{1000 * one:.2f}",
            f"{1000 * permuting:.0f}",
            f"{ratio:.0f}",
            "yes" if ratio < GOAL_OF_MEASURES else "NO",
        )
    CONSOLE.print(table)


def permuted(given: dict[str, np.ndarray[Any, Any]]) -> None:
    """Permute all pairs, and make sure that it was done."""
    found = resi.pairwise(given, "cka", null=PERMUTATIONS, threads=1)
    if found["p_value"].null_count():
        raise RuntimeError(found["note"][0])


def three_products(R: torch.Tensor, S: torch.Tensor) -> torch.Tensor:
    """Return linear CKA."""
    R, S = R - R.mean(0), S - S.mean(0)
    return (R.T @ S).square().sum() / ((R.T @ R).norm() * (S.T @ S).norm())


def related(precision: str) -> dict[str, np.ndarray[Any, Any]]:
    """Return representations that have most of their variance in common."""
    draws = np.random.default_rng(0)
    shared = draws.normal(size=(ROWS, COLUMNS))
    return {f"r{i}": (shared + draws.normal(size=shared.shape) / 2).astype(precision) for i in range(COUNT)}


def wrapped(given: dict[str, np.ndarray[Any, Any]]) -> dict[str, Representation]:
    """Return arrays as the engine takes them."""
    return {
        name: Representation(name, array.shape, "nd", "", functools.partial(torch.from_numpy, array))
        for name, array in given.items()
    }


def warm_up(name: str, given: dict[str, np.ndarray[Any, Any]]) -> None:
    """Import and compile beforehand."""
    measure = {name: make_measure(name, {})}
    items = wrapped({key: array[:50] for key, array in given.items()})
    list(Engine(measure, 10**10, torch.device("cpu"), 1, null=Null(2)).run(all_pairs(list(items), measure), items))


def best(call: Callable[[], object], times: int = 3) -> float:
    """Return the least CPU seconds of some calls."""
    found = []
    for _ in range(times):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


if __name__ == "__main__":
    main()
