"""Rows and shards for the tests of results."""

from __future__ import annotations

from pathlib import Path

from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCORE_ORDER, SCORES
from resi.results.shards import Shard
from resi.results.tables import table

MANIFEST = {"counts": {"ok": 1, "failed": 0, "undefined": 0}}


def comparison(key: str, value: float | None = 1.0, status: str = "ok", **changes) -> dict:
    row = dict.fromkeys(COMPARISONS, "x")
    numbers = {"seed_a": 0, "seed_b": 1, "seconds": 0.1, "prepare_seconds": 0.1, "measure_version": 1, "note": ""}
    nothing = dict.fromkeys(("raw", "null_mean", "null_95", "p_value"))
    error = "" if status == "ok" else "why"
    return {**row, **numbers, **nothing, "key": key, "value": value, "status": status, "error": error, **changes}


def score(key: str, value: float | None = 0.5, failed_pairs: int = 0) -> dict:
    row = dict.fromkeys(SCORES, "x")
    nothing = dict.fromkeys(("seed", "low", "high", "p_value", "normalised", "smallest_p"))
    counts = {"groups": 3, "models": 15, "pairs": 105, "failed_pairs": failed_pairs, "chance": 0.2, "note": ""}
    return {**row, **nothing, **counts, "key": key, "value": value}


def finish(root: Path, name: str, rows: list[dict], scores: list[dict] = ()) -> Shard:
    shard = Shard(root / "shards" / name)
    comparisons = table(rows, COMPARISONS, COMPARISON_ORDER)
    shard.finish(comparisons, table(scores, SCORES, SCORE_ORDER), MANIFEST)
    return shard
