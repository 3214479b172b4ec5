"""Tables as figures take them, with numbers that can be checked by hand."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl

from resi.results.schema import COMPARISONS, PAIRWISE
from tests.report.rows import frame, score

BEST_TO_WORST = ["cka", "procrustes", "jaccard", "svcca", "rsa"]


def pairwise(values: dict[tuple[str, str], float | None], measure: str = "cka") -> pl.DataFrame:
    rows = [
        (a, b, measure, value, 0.1, "ok" if value is not None else "failed", "", "", None)
        for (a, b), value in values.items()
    ]
    return pl.DataFrame(rows, schema=PAIRWISE, orient="row")


def comparisons(measure: str, value, groups: int = 2, seeds: int = 3, **changes) -> pl.DataFrame:
    """Return comparisons between all models; ``value`` takes two models (group, seed)."""
    models = list(itertools.product(["standard", "augmentation_25", "augmentation_50"][:groups], range(seeds)))
    rows = []
    for a, b in itertools.combinations(models, 2):
        row = dict.fromkeys(COMPARISONS) | {
            "domain": "graph",
            "dataset": "cora",
            "architecture": "gcn",
            "parameters": "{}",
        }
        row |= {"setting_a": a[0], "seed_a": a[1], "layer_a": "1", "setting_b": b[0], "seed_b": b[1], "layer_b": "1"}
        row |= {"measure": measure, "value": value(a, b), "seconds": 0.25, "prepare_seconds": 0.75, "origin": "resi"}
        rows.append(row | changes)
    return pl.DataFrame(rows, schema=COMPARISONS)


def scores(columns: int = 8, **changes) -> pl.DataFrame:
    """Return scores whose order is that of :data:`BEST_TO_WORST` everywhere, but for the first column."""
    rows = []
    for column in range(columns):
        order = BEST_TO_WORST if column else [BEST_TO_WORST[1], BEST_TO_WORST[0], *BEST_TO_WORST[2:]]
        for place, name in enumerate(order):
            value = 0.9 - 0.1 * place
            about = {"normalised": (value - 0.2) / 0.8, "low": value - 0.05, "high": value + 0.04}
            about["influences"] = f"[{0.001 * (place + 1)}, 0.002]"
            rows.append(score(name, value, f"arch{column}", **about) | changes)
    return frame(rows)


def random_square(count: int, seed: int = 0) -> np.ndarray:
    half = np.random.default_rng(seed).uniform(0.1, 0.9, (count, count))
    square = (half + half.T) / 2
    np.fill_diagonal(square, 1.0)
    return square
