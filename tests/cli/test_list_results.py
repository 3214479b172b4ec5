"""``resi list scores``, ``resi list comparisons`` and ``resi show`` as a user types them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest

from resi.cli.main import run_command
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCORE_ORDER, SCORES
from resi.results.shards import Shard
from resi.results.tables import table
from tests.results.rows import comparison, score

ABOUT = {"test": "augmentation", "metric": "auprc", "parameters": "{}", "functional": "", "protocol": "corrected"}
ABOUT |= {"origin": "resi", "model_source": "trained", "setting": "", "reason": "", "influences": ""}
MODELS = {"setting_a": "standard", "setting_b": "augmentation_100", "layer_a": "1", "layer_b": "1", "parameters": "{}"}


def write(root: Path, dataset: str, measures: dict[str, float], failed: int = 0, **changes) -> Shard:
    """Write a finished shard with a score and a comparison of each measure."""
    where = {"domain": "graph", "dataset": dataset, "architecture": "gcn"}
    scores, comparisons = [], []
    for measure, value in measures.items():
        key = f"{dataset}-{measure}"
        scores.append({**score(key, value), **ABOUT, **where, "measure": measure, "compared": dataset, **changes})
        comparisons.append(comparison(key, value / 2, measure=measure, **where, **MODELS))
    comparisons += [
        comparison(f"{dataset}-f{n}", None, "failed", measure="rsa", **where, **MODELS, error="no memory")
        for n in range(failed)
    ]
    shard = Shard(root / "shards" / f"graph-{dataset}-augmentation-0123456789ab")
    config = {"domain": "graph", "seeds": [0, 1], "groups": 2, "device": None}
    about = {"kind": "run", "domain": "graph", "dataset": dataset, "test": "augmentation", "config": config}
    about |= {"measures": list(measures), "resi": "0.1.0", "packages": {"torch": "2.9"}, "seconds": {"compare": 90.0}}
    counts = {"ok": len(measures), "failed": failed, "undefined": 0}
    rows = table(comparisons, COMPARISONS, COMPARISON_ORDER)
    shard.finish(rows, table(scores, SCORES, SCORE_ORDER), {**about, "counts": counts})
    return shard


@pytest.fixture
def filled(root: Path) -> Path:
    write(root, "cora", {"cka": 0.3, "jaccard": 0.9, "rsa": 0.5}, failed=3)
    write(root, "flickr", {"cka": 0.4, "rank_similarity": 0.2})
    return root


def read(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict]:
    assert run_command([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def measures(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    return sorted((row["dataset"], row["measure"]) for row in read(words, capsys))


@pytest.mark.parametrize("is_merged", [False, True])
def test_scores_are_filtered_by_values_and_patterns(
    filled: Path, is_merged: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if is_merged:
        assert run_command(["merge"]) == 0
        capsys.readouterr()
    both = [("cora", "cka"), ("flickr", "cka")]
    assert len(read(["list", "scores"], capsys)) == 5
    assert measures(["list", "scores", "measure=cka"], capsys) == both
    assert measures(["list", "scores", "cka"], capsys) == both
    assert measures(["list", "scores", "r*", "dataset=cora"], capsys) == [("cora", "rsa")]
    assert measures(["list", "scores", "measure=jaccard,r*"], capsys) == [
        ("cora", "jaccard"), ("cora", "rsa"), ("flickr", "rank_similarity"),
    ]  # fmt: skip
    assert measures(["list", "scores", "measure=jaccard", "dataset=flickr"], capsys) == []
    assert len(read(["list", "comparisons", "setting=augmentation_*"], capsys)) == 8
    assert len(read(["list", "comparisons", "setting_a=standard", "status=failed"], capsys)) == 3
    assert read(["list", "comparisons", "dataset=flickr", "status=failed"], capsys) == []
    assert read(["list", "comparisons", "status=undefined"], capsys) == []
    assert len(read(["list", "comparisons", "--limit", "2"], capsys)) == 2
    values = [row["value"] for row in read(["list", "comparisons", "status=ok", "--sort=-value"], capsys)]
    assert values == [0.45, 0.25, 0.2, 0.15, 0.1]


def test_tables_show_the_best_first_and_say_how_much_is_left(
    filled: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run_command(["list", "scores"]) == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if "0." in line and "  " in line]
    assert lines == [
        ["jaccard", "0.900"],
        ["rsa", "0.500"],
        ["cka", "0.300"],
        ["cka", "0.400"],
        ["rank_similarity", "0.200"],
    ]
    assert run_command(["list", "scores", "--limit", "1"]) == 0
    found = capsys.readouterr()
    assert "augmentation on cora (corrected protocol)" in found.out
    assert found.err.startswith("and 2 more; --limit 0 shows all")
    assert run_command(["list", "comparisons", "--limit", "3"]) == 0
    found = capsys.readouterr()
    assert max(map(len, found.out.splitlines())) <= 80
    assert found.err.startswith("and 5 more")
    assert run_command(["list", "comparisons", "status=failed"]) == 0
    assert capsys.readouterr().out.count("no memory") == 3
    assert run_command(["list", "comparisons", "dataset=cora", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == list(COMPARISONS)
    assert len(rows) == 6
    assert run_command(["list", "comparisons", "status=failed", "--wide"]) == 0
    assert capsys.readouterr().out.count("no memory") == 3


def test_shards_that_are_not_merged_are_named(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["merge"]) == 0
    write(filled, "late", {"cka": 0.5})
    capsys.readouterr()
    assert run_command(["list", "scores"]) == 0
    found = capsys.readouterr()
    assert (
        "1 shard is missing from the merged tables or newer (first: graph-late-augmentation-0123456789ab)" in found.err
    )
    assert "late" not in found.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["measure=ckaa"], "no scores with measure=ckaa; there is measure=cka, jaccard, rank_similarity, rsa"),
        (["mesure=cka"], "unknown column 'mesure'; did you mean measure"),
        (["root=x"], "unknown column 'root'"),
        (["--limit", "-1"], "--limit -1: expected a number of lines"),
        (["--root", "nowhere"], "nowhere holds no finished runs"),
    ],
)
def test_a_mistake_is_one_line(
    filled: Path, words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["list", "scores", *words]) == 2
    found = capsys.readouterr()
    assert found.err.startswith(f"resi: {expected}")
    assert found.err.count("\n") == 1
    assert found.out == ""


def test_a_damaged_table_is_named_or_left_out(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = filled / "shards" / "graph-cora-augmentation-0123456789ab" / "scores.parquet"
    path.write_bytes(b"nothing")
    assert run_command(["list", "scores"]) == 0
    found = capsys.readouterr()
    assert found.err.startswith(f"left out: {path} is damaged")
    assert "rank_similarity" in found.out


@pytest.mark.parametrize("wide", ["40", "80", "200"])
def test_a_shard_is_shown_with_its_scores_and_failures(
    filled: Path, wide: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", wide)
    name = "graph-cora-augmentation-0123456789ab"
    shown = []
    for word in (name, "graph-cora", str(filled / "shards" / name)):
        assert run_command(["show", word]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] == shown[2]
    words = " ".join(shown[0].split())
    assert name in words
    for text in ("config domain=graph groups=2 seeds=[0, 1]", "3 ok, 3 failed", "compare 90.0 s", "torch 2.9"):
        assert text in words
    assert words.index("jaccard 0.900") < words.index("rsa 0.500") < words.index("cka 0.300")
    assert "3 failed, rsa: no memory" in words


def test_a_shard_as_json_and_csv_and_one_that_is_not_there(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = read(["show", "graph-cora"], capsys)
    assert shard["problems"] == [{"kind": "failed", "measure": "rsa", "reason": "no memory", "count": 3}]
    assert [row["measure"] for row in shard["scores"]] == ["cka", "jaccard", "rsa"]
    assert run_command(["show", "graph-cora", "--csv"]) == 0
    assert pl.read_csv(io.StringIO(capsys.readouterr().out))["value"].to_list() == [0.3, 0.9, 0.5]
    assert run_command(["show", "graph-"]) == 2
    assert "graph- matches 2 shards: graph-cora" in capsys.readouterr().err
    assert run_command(["show", "other"]) == 2
    assert "see resi list shards" in capsys.readouterr().err
    begun = Shard(filled / "shards" / "begun")
    begun.add(comparison("a"))
    begun.flush()
    assert run_command(["show", "begun"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "state unfinished; the same command resumes it" in words
    assert "comparisons 1 so far" in words


@pytest.mark.parametrize("words", [["correct=holm"], ["--correct", "holm"]])
def test_p_values_are_corrected_on_request_for_all_measures_of_the_tables(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    shard = write(root, "cora", {"cka": 0.3, "jaccard": 0.9, "rsa": 0.5}, p_value=0.012, smallest_p=0.0001)
    stored = (shard.folder / "scores.parquet").read_bytes()
    found = read(["list", "scores", "measure=cka", *words], capsys)
    assert [(row["p_value"], row["smallest_p"]) for row in found] == [pytest.approx((0.036, 0.0003))]
    assert found[0]["correction"] == "holm"
    assert run_command(["list", "scores", "measure=cka", *words]) == 0
    printed = capsys.readouterr().out
    assert "p (Holm)" in printed
    assert "p at least 0.0003" in printed
    assert run_command(["show", shard.folder.name, "--correct", "holm"]) == 0
    assert "0.0360" in capsys.readouterr().out
    assert (shard.folder / "scores.parquet").read_bytes() == stored


def test_one_known_correction_is_asked_for(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["list", "scores", "correct=holm", "correct=fdr_bh"]) == 2
    assert "by one method, not by holm and fdr_bh" in capsys.readouterr().err
    assert run_command(["list", "scores", "correct=x"]) == 2
    assert "unknown correction 'x'. Known: bonferroni, fdr_bh, holm" in " ".join(capsys.readouterr().err.split())
