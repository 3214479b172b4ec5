"""The tables of scores that a run prints."""

from __future__ import annotations

import polars as pl

from resi.cli.tables import print_scores
from resi.results.schema import SCORES


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
