"""The tables of scores that a run prints."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import polars as pl

from resi.cli.tables import print_result, print_scores
from resi.pipeline.run import RunResult
from resi.results.schema import COMPARISONS, SCORES


def row(metric: str, value: float | None, **changes) -> dict:
    texts = {"test": "augmentation", "architecture": "gcn", "measure": "cka", "parameters": "{}", "metric": metric}
    numbers = {"value": value, "groups": 3, "models": 15, "pairs": 105, "failed_pairs": 0}
    return {**dict.fromkeys(SCORES), "functional": "", **texts, **numbers, **changes}


def shown(rows: list[dict], capsys) -> list[list[str]]:
    """Return the cells of the printed table, its header first."""
    print_scores(pl.DataFrame(rows, schema=SCORES), "title")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("┃", "│"))]
    return [[cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")] for line in lines]


def test_the_ranking_metric_stands_first_with_its_interval_p_value_and_chance(capsys) -> None:
    rows = [
        row("violation_rate", 0.1, low=0.05, high=0.2, p_value=0.001, chance=0.5),
        row("auprc", 0.7, low=0.61, high=0.8, p_value=0.0002, chance=0.219),
    ]
    header, line = shown(rows, capsys)
    assert header[:8] == ["architecture", "measure", "AUPRC ↑", "95 %", "p", "chance", "violations ↓", "chance"]
    assert line == ["gcn", "cka", "0.700", "0.61..0.80", "0.0002", "0.219", "0.100", "0.500", "3", "15", "105", "0"]


def test_columns_that_would_be_empty_are_left_out_and_undefined_scores_say_so(capsys) -> None:
    header, line = shown([row("auprc", None, failed_pairs=105, pairs=0), row("violation_rate", None)], capsys)
    assert header[:4] == ["architecture", "measure", "AUPRC ↑", "violations ↓"]
    assert line == ["gcn", "cka", "undefined", "undefined", "3", "15", "0", "105"]


def test_each_function_of_outputs_has_a_line_and_single_models_have_none(capsys) -> None:
    rows = [
        row("spearman", value, test="output_correlation", functional=name, chance=0.0)
        for name, value in (("jsd", 0.5), ("disagreement", 0.25))
    ]
    header, *lines = shown(rows, capsys)
    assert header[:4] == ["architecture", "measure", "against", "Spearman ↑"]
    assert [line[2:4] for line in lines] == [["jsd", "0.500"], ["disagreement", "0.250"]]
    rows = [row("spearman", 0.5, test="layer_monotonicity", seed=seed) for seed in (None, 0, 1)]
    assert len(shown(rows, capsys)) == 2


def test_notes_are_counted_and_said_and_no_note_is_no_line(capsys) -> None:
    config = cast("Any", SimpleNamespace(test=SimpleNamespace(name="augmentation"), dataset="d", protocol="corrected"))
    noted = [("svcca", "fewer samples than features")] * 3 + [
        ("cka", "a collapsed \x1b[31mrepresentation"),
        ("rsa", ""),
    ]
    rows = [{"measure": measure, "note": note, "status": "ok", "value": 1.0, "error": ""} for measure, note in noted]
    comparisons = pl.DataFrame([{**dict.fromkeys(COMPARISONS), **row} for row in rows], schema=COMPARISONS)
    scores = [
        row("auprc", 0.5, measure=name, note="all values are equal", reason="")
        for name in ("a", "b", "c", "d", "e", "f")
    ]
    result = RunResult(pl.DataFrame(scores, schema=SCORES), comparisons, Path("shard"), reused=True)
    print_result(config, result)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "4 comparisons with a note on what the value says:",
        "  3 x svcca: fewer samples than features",
        "  1 x cka: a collapsed \\x1b[31mrepresentation",
        "scores of a, b, c, d and 2 more: all values are equal",
        "finished before; read from shard",
    ]
    assert result.noted == 4
    print_result(config, RunResult(result.scores.clear(), comparisons.filter(note=""), Path("shard"), reused=True))
    assert "note" not in capsys.readouterr().err


def test_at_80_columns_every_digit_is_there(capsys, monkeypatch) -> None:
    from resi import console
    from resi.cli import tables

    monkeypatch.setattr(tables, "output", lambda: console._console(sys.stdout, width=80))
    intervals = {"low": 0.611, "high": 0.799, "p_value": 0.0002, "chance": 0.219}
    rows = [
        line
        for name in ("cka", "permutation_procrustes")
        for line in (row("auprc", 0.678, measure=name, **intervals), row("violation_rate", 0.123, measure=name))
    ]
    print_scores(pl.DataFrame(rows, schema=SCORES), "title")
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for number in ("0.678", "0.0002", "0.219", "0.123"):
        assert text.count(number) == 2
    assert "in all lines: 3 groups, 15 models, 105 pairs, 0 failed" in text
