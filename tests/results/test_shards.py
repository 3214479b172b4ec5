"""Shards are whole or unfinished, are found again, and damage to them is named."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from resi.errors import ArtifactError, StoreError
from resi.results.merge import merge_shards
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCHEMA_VERSION, SCORES
from resi.results.shards import Shard, find_shards
from resi.results.stored import Scope, find_comparisons
from resi.results.tables import table
from tests.results.rows import MANIFEST, comparison, finish, score


def test_a_finished_shard_reads_back(tmp_path: Path) -> None:
    shard = finish(tmp_path, "one", [comparison("b"), comparison("a")], [score("s")])
    assert [found.folder for found in find_shards(tmp_path)] == [shard.folder]
    assert shard.comparisons()["key"].to_list() == ["a", "b"]
    assert shard.scores()["key"].to_list() == ["s"]
    assert shard.manifest()["schema_version"] == SCHEMA_VERSION
    assert dict(shard.comparisons().schema) == COMPARISONS


def test_an_unfinished_run_keeps_what_it_has_and_is_not_taken_for_finished(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "shards" / "one")
    shard.add(comparison("a"))
    shard.flush()
    shard.add(comparison("b"))
    shard.flush()
    shard.add(comparison("c"))  # never flushed, as after a kill
    again = next(find_shards(tmp_path))
    assert not again.is_complete
    assert sorted(again.comparisons()["key"]) == ["a", "b"]
    assert set(find_comparisons(tmp_path, ["a", "c"], pytest.fail)) == {"a"}
    again.finish(again.comparisons(), pl.DataFrame(schema=SCORES), MANIFEST)
    assert not (again.folder / "parts").exists()


def test_comparisons_made_again_replace_those_of_a_finished_shard(tmp_path: Path) -> None:
    shard = finish(tmp_path, "one", [comparison("a", None, "failed"), comparison("b", 1.0)], [score("s")])
    shard.add(comparison("a", 2.0))
    shard.add(comparison("b", 3.0))
    shard.flush()
    assert not shard.is_complete
    found = find_comparisons(tmp_path, ["a", "b"], pytest.fail)
    assert {key: row["value"] for key, row in found.items()} == {"a": 2.0, "b": 3.0}


def test_a_finish_that_fails_half_way_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = finish(tmp_path, "one", [comparison("a", 1.0)])
    shard.add(comparison("b", 2.0))
    shard.flush()

    def full_disk(*_arguments: object) -> None:
        raise StoreError("no space")

    both = shard.comparisons()
    with monkeypatch.context() as patch, pytest.raises(StoreError):
        patch.setattr("resi.results.shards.write_table", full_disk)
        shard.finish(both, pl.DataFrame(schema=SCORES), MANIFEST)
    assert set(find_comparisons(tmp_path, ["a", "b"], pytest.fail)) == {"a", "b"}


def test_what_a_kill_leaves_among_the_parts_does_not_hinder(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "shards" / "one")
    shard.add(comparison("a"))
    shard.flush()
    (shard.folder / "parts" / ".000001.parquet.0123.tmp").write_text("half")
    assert shard.comparisons().height == 1
    shard.finish(shard.comparisons(), pl.DataFrame(schema=SCORES), MANIFEST)
    assert {path.name for path in shard.folder.iterdir()} == {"comparisons.parquet", "scores.parquet", "manifest.json"}


def test_reading_while_another_process_finishes_is_no_damage(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "shards" / "one")
    stop = threading.Event()

    def run_again_and_again() -> None:
        while not stop.is_set():
            shard.add(comparison("a"))
            shard.flush()
            shard.finish(table([comparison("a")], COMPARISONS, COMPARISON_ORDER), pl.DataFrame(schema=SCORES), MANIFEST)

    writer = threading.Thread(target=run_again_and_again)
    writer.start()
    try:
        for _ in range(150):
            assert set(find_comparisons(tmp_path, ["a"], pytest.fail)) <= {"a"}
    finally:
        stop.set()
        writer.join()


def test_stored_comparisons_are_found_by_key_and_ok_comes_before_failed(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a", None, "failed"), comparison("b", None, "undefined")])
    finish(tmp_path, "two", [comparison("a", 2.0), comparison("b", None, "failed"), comparison("c")])
    found = find_comparisons(tmp_path, ["a", "b", "z"], pytest.fail)
    assert {key: row["status"] for key, row in found.items()} == {"a": "ok", "b": "undefined"}
    merge_shards([tmp_path], tmp_path / "results")
    shutil.rmtree(tmp_path / "shards")
    assert find_comparisons(tmp_path, ["a"], pytest.fail)["a"]["value"] == 2.0


@pytest.mark.parametrize("name", ["comparisons.parquet", "scores.parquet"])
def test_a_damaged_table_is_named_and_left_out(tmp_path: Path, name: str) -> None:
    shard = finish(tmp_path, "bad", [comparison("a")])
    finish(tmp_path, "good", [comparison("b")])
    path = shard.folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{path} is damaged: it does not match its manifest"):
        shard.scores()
    problems: list[Exception] = []
    assert set(find_comparisons(tmp_path, ["a", "b"], problems.append)) == {"b"}
    merged = merge_shards([tmp_path], tmp_path / "results")
    assert (merged.shards, merged.comparisons) == (1, 1)
    assert len(merged.problems) == len(problems) == 1
    assert str(path) in merged.problems[0]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": {}}'])
def test_a_damaged_manifest_is_named(tmp_path: Path, content: str) -> None:
    shard = finish(tmp_path, "bad", [comparison("a")])
    (shard.folder / "manifest.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"manifest\.json is damaged"):
        shard.comparisons()


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path: Path) -> None:
    shard = finish(tmp_path, "new", [comparison("a")])
    path = shard.folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(
        ArtifactError, match=rf"version {SCHEMA_VERSION + 1}; this resi reads up to {SCHEMA_VERSION}: upgrade"
    ):
        shard.scores()


def test_shards_that_cannot_hold_a_comparison_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = {"kind": "run", "domain": "graph", "dataset": "cora"}
    for name, manifest in {
        "same": about,
        "other": {**about, "dataset": "flickr"},
        "imported": {**about, "kind": "published"},
        "old": {},
    }.items():
        rows = table([comparison(name, domain="graph", dataset="cora")], COMPARISONS, COMPARISON_ORDER)
        Shard(tmp_path / "shards" / name).finish(rows, pl.DataFrame(schema=SCORES), manifest)
    read = []
    plain = Shard.comparisons

    def comparisons(shard: Shard, *given: Any) -> pl.DataFrame:
        read.append(shard.folder.name)
        return plain(shard, *given)

    monkeypatch.setattr(Shard, "comparisons", comparisons)
    found = find_comparisons(tmp_path, ["same", "old"], pytest.fail, scope=Scope("graph", "cora"))
    assert read == ["old", "same"]
    assert set(found) == {"old", "same"}
    assert find_comparisons(tmp_path, ["old"], pytest.fail, scope=Scope("graph", "flickr")) == {}
