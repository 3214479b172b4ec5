"""Scores as leaderboards take them, and shards of them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCORE_ORDER, SCORES
from resi.results.shards import Shard
from resi.results.tables import table


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


def finish(folder: Path, scores: list[dict], comparisons: list[dict], **manifest) -> Shard:
    """Write a finished shard of scores and comparisons."""
    shard = Shard(folder)
    rows = table(comparisons, COMPARISONS, COMPARISON_ORDER)
    shard.finish(rows, table(scores, SCORES, SCORE_ORDER), {"kind": "run", **manifest})
    return shard
