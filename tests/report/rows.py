"""Scores as leaderboards take them."""

from __future__ import annotations

import polars as pl

from resi.results.schema import SCORES


def score(measure: str, value: float | None, architecture: str = "gcn", **changes) -> dict:
    texts = {"test": "augmentation", "domain": "graph", "dataset": "cora", "metric": "auprc", "functional": ""}
    about = {"setting": "", "parameters": "{}", "protocol": "corrected", "origin": "resi", "pooling": "none"}
    numbers = {"chance": 0.2, "groups": 3, "models": 15, "pairs": 105, "failed_pairs": 0, "reason": ""}
    names = {
        "measure": measure,
        "architecture": architecture,
        "model_source": "trained",
        "value": value,
        "compared": "same",
    }
    unique = f"{measure} {architecture} {value} {sorted(changes.items())}"
    return {**dict.fromkeys(SCORES), **texts, **about, **numbers, **names, "key": unique, **changes}


def frame(rows: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCORES)
