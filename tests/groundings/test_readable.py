"""Scores in the order of their goodness, and which measures are marked as the best."""

from __future__ import annotations

import json
import math
from typing import Any

import polars as pl

from resi.groundings.readable import ALONE, BEST_BY_CHANCE, CHANCE, UNKNOWN, read_scores, score_frame
from resi.results.schema import SCORES


def score(measure: str, value: float | None, influences: list[float] | None = None, **changes: Any) -> dict[str, Any]:
    texts = {
        "test": "augmentation",
        "architecture": "gcn",
        "parameters": "{}",
        "metric": "auprc",
        "protocol": "corrected",
    }
    texts |= {"domain": "graph", "dataset": "cora", "origin": "resi", "functional": "", "setting": "", "note": ""}
    numbers = {"groups": 3, "models": 15, "pairs": 105, "failed_pairs": 0, "chance": 0.2, "p_value": 0.001}
    key = f"{measure}{changes}"
    share = "" if influences is None else json.dumps(influences)
    goodness = None if value is None else (value - 0.2) / 0.8
    row = {**dict.fromkeys(SCORES), **texts, **numbers, "measure": measure, "value": value, "influences": share}
    return {**row, "normalised": goodness, "key": key, **changes}


def blocks(*rows: dict[str, Any]) -> list:
    return list(read_scores(pl.DataFrame(rows, schema=SCORES)))


def marks(*rows: dict[str, Any]) -> dict[str, bool | None]:
    (block,) = blocks(*rows)
    return {row["label"]: row["best"] for row in block.rows}


def test_the_best_comes_first_and_what_is_undefined_last() -> None:
    (block,) = blocks(score("cka", 0.3), score("rsa", None), score("jaccard", 0.9), score("gulp", 0.5))
    assert [row["label"] for row in block.rows] == ["jaccard", "gulp", "cka", "rsa"]


def test_a_measure_is_marked_within_the_uncertainty_of_its_difference_to_the_best() -> None:
    # Two models; the standard error of a difference is the length of the difference of influences.
    best = score("jaccard", 0.9, [0.1, 0.1])
    moved = 0.1 / math.sqrt(2)
    for gap, is_best in ((1.95 * 0.1, True), (1.97 * 0.1, False)):
        other = score("cka", 0.9 - gap, [0.1 + moved, 0.1 - moved])
        assert marks(best, other) == {"jaccard": True, "cka": is_best}
    # What moves both alike does not blur their difference.
    assert marks(score("jaccard", 0.9, [0.3, 0.3]), score("cka", 0.89, [0.3, 0.3])) == {"jaccard": True, "cka": False}


def test_a_measure_that_cannot_be_told_from_chance_is_never_marked() -> None:
    best = score("jaccard", 0.9, [0.1, 0.1])
    for unsure in ({"p_value": 0.03}, {"low": -0.8, "high": 1.0}, {"p_value": None, "low": 0.2, "high": 1.0}):
        assert marks(best, score("gulp", 0.5, [0.9, -0.9], **unsure)) == {"jaccard": True, "gulp": False}
    # Nor is the best score; then those are marked that it cannot be told from, if they differ from chance.
    wild = score("gulp", 0.95, [0.9, -0.9], low=-0.8, high=1.0)
    assert marks(best, wild) == {"jaccard": True, "gulp": False}


def test_it_is_said_why_none_is_marked() -> None:
    note = "no interval: a group has fewer than 4 models; with 2 groups of 3 models no p-value can be below 0.1"
    pair: dict[str, Any] = {"influences": [0.1]}
    cases = [
        ([score("cka", 0.9, note=note), score("rsa", 0.5, note=note)], note.partition("; ")[2]),
        ([score("cka", 0.3, p_value=0.2, **pair), score("rsa", 0.2, p_value=0.5, **pair)], CHANCE),
        ([score("cka", 0.9, p_value=0.2, **pair), score("rsa", 0.5, **pair)], BEST_BY_CHANCE),
        ([score("cka", 0.9), score("rsa", 0.5)], UNKNOWN),
        ([score("cka", 0.9, [0.1]), score("rsa", 0.5, [0.1, 0.2])], UNKNOWN),
        ([score("cka", 0.9, [0.1])], ALONE),
    ]  # fmt: skip
    for rows, expected in cases:
        (block,) = blocks(*rows)
        assert block.why_unmarked.startswith(expected)
        assert bool(block.why_unmarked) == bool(expected)
        assert [row["best"] for row in block.rows] == [None] * len(rows)


def test_scores_on_other_models_are_other_blocks_and_single_models_none() -> None:
    rows = [
        score("cka", 0.9),
        score("cka", 0.8, architecture="gat"),
        score("cka", 0.7, seed=3),
        score("cka", 0.1, test="?"),
    ]
    found = blocks(*rows)
    assert [(block.about["architecture"], len(block.rows)) for block in found] == [("gcn", 1), ("gat", 1)]


def test_the_frame_has_one_row_a_measure_and_the_values_of_all_metrics() -> None:
    rows = [
        score("cka", 0.3, [0.1]),
        score("cka", 0.4, [0.1], metric="violation_rate", chance=0.5),
        score("jaccard", 0.9, [0.1], parameters='{"k":20,"variant":"corrected"}'),
        score("jaccard", 0.2, [0.1], metric="violation_rate", parameters='{"k":20,"variant":"corrected"}'),
        score("rsa", math.nan, reason="why"),
    ]
    frame = score_frame(pl.DataFrame(rows, schema=SCORES))
    shown = frame.select("measure", "best", "value", "chance", "violation_rate").rows()
    assert shown == [
        ("jaccard (k=20)", True, 0.9, 0.2, 0.2),
        ("cka", False, 0.3, 0.2, 0.4),
        ("rsa", None, None, 0.2, None),
    ]
    assert score_frame(pl.DataFrame(schema=SCORES)).is_empty()
