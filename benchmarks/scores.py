"""How long the scores of one test take, given its comparisons. See README.md in this folder."""

from __future__ import annotations

import functools
from itertools import combinations, permutations

import numpy as np
import polars as pl
from rich.table import Table

from common import CONSOLE, benchmark, cpu_seconds
from resi.groundings.scores import score_table
from resi.registry import measures


def main() -> None:
    """Time the scores of 24 measures on 3 architectures, given random comparisons in the benchmark's numbers."""
    table = Table(title="scores: 24 measures x 3 architectures, from the table of comparisons", title_justify="left")
    for column in ("test", "comparisons", "corrected", "published", "goal"):
        table.add_column(column, justify="left" if column == "test" else "right")
    groups = [(f"augmentation_{level}", seed, "1") for level in range(3) for seed in range(5)]
    seeds = [("standard", seed, "1") for seed in range(10)]
    layers = [[("standard", seed, str(layer)) for layer in range(5)] for seed in range(5)]
    for test, members, functional in (
        ("augmentation", [groups], []),
        ("output_correlation", [seeds], ["jsd", "disagreement"]),
        ("accuracy_correlation", [seeds], ["accuracy_difference"]),
        ("layer_monotonicity", layers, []),
    ):
        comparisons = _random_comparisons(members, functional)
        seconds = [
            cpu_seconds(functools.partial(score_table, comparisons, test, how)) for how in ("corrected", "published")
        ]
        table.add_row(test, str(comparisons.height), *(f"{time_:.2f}" for time_ in seconds), "under 2 s")
    CONSOLE.print(table)


def _random_comparisons(members: list[list[tuple[str, int, str]]], functional: list[str]) -> pl.DataFrame:
    """Return comparisons of all pairs in each list of (setting, seed, layer), by 24 measures on 3 architectures."""
    draw = np.random.default_rng(0)
    rows = []
    for architecture in ("a", "b", "c"):
        for name in [*benchmark(), *functional]:
            symmetric = name in functional or measures().get(name).symmetric
            for part in members:
                for a, b in (combinations if symmetric else permutations)(part, 2):
                    rows.append(("bench", "random", architecture, *a, *b, name, "{}", draw.normal(), str(len(rows))))
    sides = [f"{name}_{side}" for side in "ab" for name in ("setting", "seed", "layer")]
    columns = ["domain", "dataset", "architecture", *sides, "measure", "parameters", "value", "key"]
    return pl.DataFrame(rows, schema=columns, orient="row")


if __name__ == "__main__":
    main()
