"""Time of 200 permutations: all pairs beside the authors' package, and every fast measure beside one plain call."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from rich.table import Table

import resi
from common import CONSOLE, cpu_seconds, related, warm_up
from resi import registry
from resi.engine.chance import Null
from resi.engine.execution import Engine
from resi.engine.tiles import Task
from resi.registry import make_measure
from resi.representation import Representation

if TYPE_CHECKING:
    from common import Arrays

ROWS, COLUMNS, COUNT, PERMUTATIONS = 1000, 64, 15, 200
GOAL_OF_PAIRS, GOAL_OF_MEASURES = 10, 100


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
        given = related(COUNT, ROWS, COLUMNS, precision)
        first, second = (torch.from_numpy(given[name]) for name in ("r0", "r1"))
        pair = cpu_seconds(
            lambda first=first, second=second: calibrate(first, second, three_products, K=PERMUTATIONS), times=3
        )
        warm_up(given, ["cka"], null=2)
        ours = cpu_seconds(functools.partial(permuted, given), times=3)
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
    given = related(2, ROWS, COLUMNS, "float64")
    items = wrapped(given)
    for name in registry.measure_sets()["fast"]:
        warm_up(given, [name], null=2)
        measure = {name: make_measure(name, {})}
        task = [Task("r0", "r1", name)]

        def compare(null: Null | None, measure: Any = measure, task: Any = task) -> None:
            list(Engine(measure, 10**10, torch.device("cpu"), 1, null=null).run(task, items))

        one = cpu_seconds(functools.partial(resi.compare, given["r0"], given["r1"], name), times=5)
        with_permutations, without = (
            cpu_seconds(functools.partial(compare, null), times=3) for null in (Null(PERMUTATIONS), None)
        )
        permuting = with_permutations - without
        ratio = permuting / one
        table.add_row(
            name,
            f"{1000 * one:.2f}",
            f"{1000 * permuting:.0f}",
            f"{ratio:.0f}",
            "yes" if ratio < GOAL_OF_MEASURES else "NO",
        )
    CONSOLE.print(table)


def permuted(given: Arrays) -> None:
    """Permute all pairs, and make sure that it was done."""
    found = resi.pairwise(given, "cka", null=PERMUTATIONS, threads=1)
    if found["p_value"].null_count():
        raise RuntimeError(found["note"][0])


def three_products(R: torch.Tensor, S: torch.Tensor) -> torch.Tensor:
    """Return linear CKA."""
    R, S = R - R.mean(0), S - S.mean(0)
    return (R.T @ S).square().sum() / ((R.T @ R).norm() * (S.T @ S).norm())


def wrapped(given: Arrays) -> dict[str, Representation]:
    """Return arrays as the engine takes them."""
    return {
        name: Representation(name, array.shape, "nd", "", functools.partial(torch.from_numpy, array))
        for name, array in given.items()
    }


if __name__ == "__main__":
    main()
