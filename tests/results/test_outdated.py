"""Numbers of earlier versions are found, counted and marked, and never stand for those of this version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

import resi
from resi import registry
from resi.cli.main import run_command
from resi.config.compose import compose
from resi.fingerprints import hash_file
from resi.pipeline.planner import make_plan
from resi.results import outdated
from resi.results.merge import merge_shards
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCORE_ORDER, SCORE_VERSION, SCORES
from resi.results.shards import Shard
from resi.results.tables import read_table, table
from resi.store.representations import EXTRACTION_VERSION
from tests.conftest import TINY
from tests.results.rows import comparison, finish, score
from tests.results.test_manifests import rewrite

if TYPE_CHECKING:
    import pytest

CKA = registry.measures().get("cka").version
OLD = f"computed by version {CKA - 1} of cka, which is now at {CKA}"


def finish_run(root: Path, name: str, rows: list[dict], scores: list[dict], **changes: object) -> Shard:
    versions = {"scores": SCORE_VERSION, "extraction": EXTRACTION_VERSION}
    about = {"kind": "run", "domain": "graph", "dataset": "x", "versions": versions, **changes}
    shard = Shard(root / "shards" / name)
    comparisons = table([{**row, "resi_version": resi.__version__} for row in rows], COMPARISONS, COMPARISON_ORDER)
    shard.finish(comparisons, table(scores, SCORES, SCORE_ORDER), about)
    return shard


def listed(root: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    capsys.readouterr()
    assert run_command(["list", "shards", "--outdated", "--root", str(root), "--json"]) == 0
    return {row["name"]: row["outdated"] for row in json.loads(capsys.readouterr().out)}


def test_outdated_shards_are_listed_with_what_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, old = (
        comparison("a", measure="cka", measure_version=CKA),
        comparison("b", measure="cka", measure_version=CKA - 1),
    )
    cka = {**score("s"), "measure": "cka"}
    finish_run(tmp_path, "current", [new], [cka])
    finish_run(tmp_path, "measure", [old, {**old, "key": "c"}, new], [cka])
    finish_run(tmp_path, "scores", [new], [cka], versions={"scores": 1, "extraction": EXTRACTION_VERSION})
    finish_run(tmp_path, "extraction", [new], [cka], versions={"scores": SCORE_VERSION, "extraction": 1})
    finish_run(tmp_path, "training", [new], [cka], versions={"training": 0})
    read = {"config": {"models": {"source": "published"}}, "versions": {"training": 1}}
    finish_run(tmp_path, "published", [new], [cka], **read)
    finish_run(tmp_path, "torch", [new], [cka], packages={"torch": "1.0"})
    rewrite(finish_run(tmp_path, "earlier", [new], [], versions={}).folder, schema_version=4)
    Shard(tmp_path / "shards" / "begun").add(new)
    assert run_command(["report", str(tmp_path / "shards" / "measure")]) == 0
    assert f"Of earlier versions: 2 comparisons {OLD}." in capsys.readouterr().err
    found = listed(tmp_path, capsys)
    torch = outdated._torch_version()
    training = outdated._model_versions()["graph"][0]
    extraction = f"computed from representations of version 1 of the extraction, which is now at {EXTRACTION_VERSION}"
    trained = f"computed from models of version 1 of their training, which is now at {training}"
    assert found == {
        "measure": [f"2 comparisons {OLD}"],
        "scores": [f"1 score computed by version 1 of the tests, which is now at {SCORE_VERSION}"],
        "extraction": [f"1 comparison {extraction}"],
        "training": [f"1 comparison computed from models of version 0 of their training, which is now at {training}"],
        "torch": [f"1 comparison computed with torch 1.0, which is now {torch}; runs use them as they are"],
        "earlier": [f"1 comparison {extraction}; {trained}"],
    }


def test_comparisons_of_another_resi_are_listed_as_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finish(tmp_path, "one", [comparison("a", resi_version="0.0.1")])
    words = f"1 comparison computed by resi 0.0.1, which is now {resi.__version__}; runs use them as they are"
    assert listed(tmp_path, capsys) == {"one": [words]}


def test_a_merge_counts_and_marks_what_is_of_earlier_versions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        comparison("a", measure="cka", measure_version=CKA - 1, note="few samples"),
        comparison("b", measure="cka", measure_version=CKA - 1),
        comparison("c", measure="rsa", measure_version=registry.measures().get("rsa").version),
        comparison("d", measure="of a plugin that is not installed", measure_version=7),
    ]
    scores = [{**score("s"), "measure": "cka"}, {**score("t"), "measure": "rsa"}]
    finish_run(tmp_path, "one", rows, scores)
    out = tmp_path / "results"
    for _ in range(2):
        assert run_command(["merge", str(tmp_path)]) == 0
        line = f"from earlier versions, kept with a note: 2 comparisons {OLD}; resi list shards --outdated names"
        assert line in capsys.readouterr().err
    merge_shards([out], tmp_path / "again")
    for folder in (out, tmp_path / "again"):
        notes = dict(read_table(folder / "comparisons.parquet", COMPARISONS).select("key", "note").iter_rows())
        assert notes == {"a": f"few samples; {OLD}", "b": OLD, "c": "", "d": ""}
        notes = dict(read_table(folder / "scores.parquet", SCORES).select("key", "note").iter_rows())
        assert notes == {"s": OLD, "t": ""}
    assert run_command(["report", str(tmp_path)]) == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert OLD in page
    assert "few samples" in page


def test_scores_and_representations_of_earlier_versions_are_marked_in_all_tables(tmp_path: Path) -> None:
    rows = [comparison("a", measure="cka", measure_version=CKA)]
    shard = finish_run(tmp_path, "one", rows, [score("s")])
    rewrite(shard.folder, schema_version=4, versions={})
    training = outdated._model_versions()["graph"][0]
    rewrite(shard.folder, versions={"scores": 1, "extraction": 1, "training": training})
    merged = merge_shards([tmp_path], tmp_path / "results")
    extraction = f"computed from representations of version 1 of the extraction, which is now at {EXTRACTION_VERSION}"
    scored = f"computed by version 1 of the tests, which is now at {SCORE_VERSION}"
    assert dict(merged.outdated) == {f"comparisons {extraction}": 1, f"scores {scored}": 1}
    assert read_table(tmp_path / "results" / "comparisons.parquet", COMPARISONS)["note"].to_list() == [extraction]
    assert read_table(tmp_path / "results" / "scores.parquet", SCORES)["note"].to_list() == [f"{extraction}; {scored}"]


def test_a_measure_whose_version_rises_has_other_keys(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, shards = [], []
    for version in (CKA, CKA + 1):
        monkeypatch.setattr(registry.measures().get("cka"), "version", version)
        plan = make_plan(compose([*TINY, "measure=[cka,rsa]"]))
        keys.append({(comparison.measure, comparison.key) for comparison in plan.comparisons})
        shards.append(plan.shard.folder)
    assert sorted(measure for measure, _ in keys[0] & keys[1]) == ["rsa"] * 6
    assert shards[0] != shards[1]


def test_notes_stay_through_merges_whatever_row_is_kept(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a", 1.0, note="few samples"), comparison("b", 1.0, note="x")], [score("s")])
    finish(
        tmp_path,
        "two",
        [comparison("a", 1.0, seconds=0.01), comparison("b", 1.0, note="y")],
        [{**score("s"), "note": "z"}],
    )
    merged = merge_shards([tmp_path], tmp_path / "results")
    assert merged.problems == []  # notes contradict nothing
    rows = read_table(tmp_path / "results" / "comparisons.parquet", COMPARISONS)
    assert dict(rows.select("key", "note").iter_rows()) == {"a": "few samples", "b": "y"}
    assert read_table(tmp_path / "results" / "scores.parquet", SCORES)["note"].to_list() == ["z"]


def test_tables_before_notes_have_empty_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = finish(tmp_path, "one", [comparison("a")], [score("s")])
    for name in ("comparisons.parquet", "scores.parquet"):
        pl.read_parquet(shard.folder / name).drop("note").write_parquet(shard.folder / name)
    rewrite(shard.folder, files={path.name: hash_file(path) for path in shard.folder.glob("*.parquet")})
    assert shard.comparisons()["note"].to_list() == shard.scores()["note"].to_list() == [""]
    assert run_command(["report", str(shard.folder)]) == 0
    assert "<h2>Notes</h2>" not in (shard.folder / "report.html").read_text(encoding="utf-8")
