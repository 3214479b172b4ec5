"""The tables of scores that a run prints."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from resi.cli.list import print_rows
from resi.cli.score_tables import print_scores
from resi.cli.tables import print_result
from resi.console.columns import Column
from resi.console.tables import Section, print_table
from resi.pipeline.run import RunResult
from resi.results.schema import COMPARISONS, SCORES


def row(metric: str, value: float | None, **changes) -> dict:
    texts = {"test": "augmentation", "architecture": "gcn", "measure": "cka", "parameters": "{}", "metric": metric}
    numbers = {"value": value, "groups": 3, "models": 15, "pairs": 105, "failed_pairs": 0}
    found = {**dict.fromkeys(SCORES), "functional": "", **texts, **numbers, **changes}
    return {"key": repr(sorted(found.items(), key=str)), **{name: found[name] for name in SCORES if name != "key"}}


def printed(rows: list[dict], capsys, **options) -> list[str]:
    print_scores(pl.DataFrame(rows, schema=SCORES), "title", **options)
    return capsys.readouterr().out.splitlines()


def shown(rows: list[dict], capsys, **options) -> list[list[str]]:
    """Return the cells of the printed table, its header first."""
    lines = printed(rows, capsys, **options)[1:]
    return [re.split(r"  +", line.strip()) for line in lines if "  " in line]


def test_the_ranking_metric_stands_first_with_its_interval_p_value_and_chance(capsys) -> None:
    rows = [
        row("violation_rate", 0.1, low=0.05, high=0.2, p_value=0.001, chance=0.5),
        row("auprc", 0.7, low=0.61, high=0.8, p_value=0.0002, chance=0.219),
    ]
    header, line = shown(rows, capsys)
    assert header == ["measure", "AUPRC ↑", "95 %", "p", "chance", "violations ↓", "chance"]
    assert line == ["cka", "0.700", "0.61..0.80", "0.0002", "0.219", "0.100", "0.500"]
    assert printed(rows, capsys)[-1] == "in all lines: 3 groups, 15 models, 105 pairs, 0 failed"


def test_columns_that_would_be_empty_are_left_out_and_undefined_scores_say_so(capsys) -> None:
    rows = [row("auprc", None, failed_pairs=105, pairs=0), row("violation_rate", None, failed_pairs=105, pairs=0)]
    header, line = shown(rows, capsys)
    assert header == ["measure", "AUPRC ↑", "violations ↓"]
    assert line == ["cka", "undefined", "undefined"]
    header, *lines = shown([*rows, row("auprc", 0.5, measure="rsa")], capsys)
    assert header == ["measure", "AUPRC ↑", "violations ↓", "pairs", "failed"]
    assert lines == [["rsa", "0.500", "-", "105", "0"], ["cka", "undefined", "undefined", "0", "105"]]


def test_each_function_of_outputs_has_a_heading_and_single_models_have_no_line(capsys) -> None:
    rows = [
        row("spearman", value, test="output_correlation", functional=name, chance=0.0)
        for name, value in (("jsd", 0.5), ("disagreement", 0.25))
    ]
    lines = printed(rows, capsys)
    assert [line for line in lines if "against" in line] == ["gcn, against jsd", "gcn, against disagreement"]
    assert [line[1] for line in shown(rows, capsys)] == ["Spearman ↑", "0.500", "0.250"]
    rows = [row("spearman", 0.5, test="layer_monotonicity", seed=seed) for seed in (None, 0, 1)]
    assert len(shown(rows, capsys)) == 2


def test_notes_are_counted_and_said_and_no_note_is_no_line(capsys) -> None:
    config = cast("Any", SimpleNamespace(test=SimpleNamespace(name="augmentation"), dataset="d", protocol="corrected"))
    noted = [("svcca", "fewer samples than features")] * 3 + [
        ("cka", "a collapsed \x1b[31mrepresentation"),
        ("rsa", ""),
    ]
    rows = [{"measure": measure, "note": note, "status": "ok", "value": 1.0, "error": ""} for measure, note in noted]
    comparisons = pl.DataFrame([{**dict.fromkeys(COMPARISONS), **each} for each in rows], schema=COMPARISONS)
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
    undefined = [row("auprc", None, measure=name, reason="two pairs are needed") for name in ("a", "b", "b")]
    print_result(config, RunResult(pl.DataFrame(undefined, schema=SCORES), comparisons, Path("shard"), reused=True))
    assert capsys.readouterr().err.splitlines()[0] == "scores of a, b are undefined: two pairs are needed"
    print_result(config, RunResult(result.scores.clear(), comparisons.filter(note=""), Path("shard"), reused=True))
    assert "note" not in capsys.readouterr().err


NAMES = ("cka", "permutation_procrustes", "concentricity_difference", "jaccard (k=20, variant=published)")


@pytest.mark.parametrize("wide", [40, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_every_name_and_digit_is_whole_at_every_width(wide: int, encoding: str, capsys, monkeypatch) -> None:
    import io
    import sys

    monkeypatch.setenv("COLUMNS", str(wide))
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    intervals = {"low": 0.611, "high": 0.799, "p_value": 0.0002, "chance": 0.219, "influences": "[0.01, 0.02]"}
    rows = [
        line
        for architecture in ("gcn", "an_architecture_of_a_long_name")
        for place, name in enumerate(NAMES)
        for line in (
            row("auprc", 0.678 - place / 10, measure=name, architecture=architecture, failed_pairs=place, **intervals),
            row("violation_rate", 0.123, measure=name, architecture=architecture, failed_pairs=place, chance=0.5),
        )
    ]
    print_scores(pl.DataFrame(rows, schema=SCORES), "title")
    sys.stdout.flush()
    lines = written.getvalue().decode(encoding).splitlines()
    needed = max(len(name) for name in NAMES) + len("  " + "  AUPRC ^")
    assert max(map(len, lines)) <= max(wide, needed)
    text = "\n".join(lines)
    assert not re.search(r"…|\.\.\.|\\u", text)
    for name in NAMES:
        assert len([line for line in lines if line[2:].startswith(f"{name} ")]) == 2
    for number in ("0.678", "0.578", "0.478", "0.378"):
        assert text.count(f" {number}") == 2
    for number, least in (("0.61..0.80", 80), ("0.0002", 80), ("0.219", 80), ("0.123", 200)):
        assert text.count(f" {number}") == (8 if wide >= least else 0)
    assert ("left out" in text) == (wide < 200)


def test_the_best_are_marked_and_what_that_means_is_said(capsys) -> None:
    shared = {"p_value": 0.001, "chance": 0.2}
    rows = [
        row("auprc", 0.3, measure="cka", influences="[0.01, 0.0]", **shared),
        row("auprc", 0.9, measure="jaccard", influences="[0.01, 0.0]", **shared),
        row("auprc", 0.89, measure="rsa", influences="[0.0, 0.01]", **shared),
    ]
    lines = printed(rows, capsys)
    assert [line.split("  ")[0].strip() for line in lines if line.startswith("* ")][:2] == ["* jaccard", "* rsa"]
    assert [line for line in lines if line.startswith("  cka")]
    assert lines[-3].startswith("* better than chance, not distinguishable from the best")
    assert lines[-2] == "better than chance: p <= 0.025 and the interval above chance"
    few = "with 2 groups of 3 models no p-value can be below 0.1"
    lines = printed([{**one, "note": few} for one in rows], capsys)
    assert not [line for line in lines if line.startswith("*")]
    assert f"{few}: too few models to tell which measure is best" in " ".join(lines)
    # Readers expect 0.05.
    lines = printed([{**one, "p_value": 0.026} for one in rows], capsys)
    rule = "(p <= 0.025 and the interval above chance)"
    assert f"no score can be distinguished from chance {rule}, so none is marked" in " ".join(lines)


def test_why_a_score_is_undefined_is_said_below_the_table(capsys) -> None:
    nothing = {"p_value": None, "low": None, "high": None}
    rows = [row("auprc", 0.3, measure="cka"), row("auprc", None, measure="rsa", reason="all fail", **nothing)]
    assert "undefined: all fail (rsa)" in printed(rows, capsys)
    rows = [row("auprc", None, measure=name, reason="all fail", **nothing) for name in ("cka", "rsa")]
    assert "undefined: all fail" in printed(rows, capsys)
    rows += [row("auprc", None, measure=name, reason="too large", **nothing) for name in "abcd"]
    lines = printed(rows, capsys)
    assert {"undefined: all fail (cka, rsa)", "undefined: too large (a, b, c and 1 more)"} <= set(lines)


def shard(**more: object) -> dict[str, object]:
    about = {"name": "vision-digits-label_randomization-30507d225c00", "domain": "vision", "dataset": "digits"}
    about |= {"test": "label_randomization", "measures": ["cka", "rsa"], "rows": 210, "failed": 0, "noted": 0}
    return {**about, "when": "2026-01-02T03:04:05+00:00", "state": "finished", **more}


def listed_shards(rows: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_rows("shards", rows)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_shards_in_80_columns_show_what_is_not_in_their_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    heading, _, row, *_ = listed_shards([shard()], capsys)
    assert heading.split() == ["name", "measures", "when"]
    assert row.endswith("cka, rsa  2026-01-02 03:04")
    short = listed_shards([shard(name="mine", failed=3)], capsys)[0].split()
    assert {"dataset", "test", "measures", "failed", "when"} <= set(short)
    broken = listed_shards([shard(), shard(state="damaged: the hash of comparisons.parquet is another one")], capsys)
    assert "state" in broken[0]


def test_the_hint_to_show_more_is_a_command_to_copy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = "resi show vision-digits-label_randomization-30507d225c00 --wide"
    columns = [Column("name", rank=0), *(Column(f"column {number}") for number in range(9))]
    print_table(
        columns, [Section([["x" * 40] + ["cell of the table"] * 9])], more=f"{command}, or COLUMNS=160 shows them"
    )
    lines = capsys.readouterr().out.splitlines()
    assert f"{command}," in lines
    assert lines[-1] == "or COLUMNS=160 shows them"
