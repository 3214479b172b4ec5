"""Shards are whole or unfinished, are found again, and merge into the same tables in any order."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resi.errors import ArtifactError, StoreError, UsageError
from resi.results.merge import merge_shards
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCHEMA_VERSION, SCORE_ORDER, SCORES
from resi.results.shards import Shard, find_comparisons, find_shards
from resi.results.tables import read_table, table

MANIFEST = {"counts": {"ok": 1, "failed": 0, "undefined": 0}}


def comparison(key: str, value: float | None = 1.0, status: str = "ok", **changes) -> dict:
    row = dict.fromkeys(COMPARISONS, "x")
    numbers = {"seed_a": 0, "seed_b": 1, "seconds": 0.1, "prepare_seconds": 0.1, "measure_version": 1}
    error = "" if status == "ok" else "why"
    return {**row, **numbers, "key": key, "value": value, "status": status, "error": error, **changes}


def score(key: str, value: float = 0.5) -> dict:
    row = dict.fromkeys(SCORES, "x")
    counts = {"groups": 3, "models": 15, "pairs": 105, "failed_pairs": 0, "seed": None}
    numbers = {"low": 0.4, "high": 0.6, "p_value": 0.01, "chance": 0.2, "normalised": 0.375}
    return {**row, **counts, **numbers, "key": key, "value": value}


def finish(root: Path, name: str, rows: list[dict], scores: list[dict] = ()) -> Shard:
    shard = Shard(root / "shards" / name)
    comparisons = table(rows, COMPARISONS, COMPARISON_ORDER)
    shard.finish(comparisons, table(scores, SCORES, SCORE_ORDER), MANIFEST)
    return shard


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


def test_one_shard_can_be_merged_by_its_folder_and_a_root_without_any_is_a_problem(tmp_path: Path) -> None:
    shard = finish(tmp_path, "one", [comparison("a")])
    assert merge_shards([shard.folder], tmp_path / "out").comparisons == 1
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no shards" in merge_shards([empty], tmp_path / "out").problems[0]


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
    with pytest.raises(ArtifactError, match=r"schema version 2; this resi reads up to 1: upgrade"):
        shard.scores()


def test_merging_keeps_one_row_a_comparison_and_is_idempotent(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a"), comparison("b", None, "failed")], [score("s")])
    gone = finish(tmp_path, "gone", [comparison("z")])
    merge_shards([tmp_path], tmp_path / "results")
    shutil.rmtree(gone.folder)  # what is no longer there is not in the next tables
    finish(tmp_path, "two", [comparison("a"), comparison("b", 3.0)], [score("s"), score("t")])
    out = tmp_path / "results"
    merged = merge_shards([tmp_path], out)
    assert (merged.shards, merged.comparisons, merged.failed, merged.scores, merged.problems) == (2, 2, 0, 2, [])
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    merge_shards([tmp_path], out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first


def test_contradictions_are_reported_and_kept(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a", 1.0), comparison("b", 1.0)])
    finish(tmp_path, "two", [comparison("a", 1.0 + 1e-9), comparison("b", 1.1)])
    merged = merge_shards([tmp_path], tmp_path / "results")
    assert merged.comparisons == 2
    assert len(merged.problems) == 1
    assert "1 comparisons have different values in different shards" in merged.problems[0]
    conflicts = pl.read_parquet(tmp_path / "results" / "conflicts.parquet")
    assert [Path(shard).name for shard in conflicts["shard"]] == ["one", "two"]
    assert conflicts["key"].to_list() == ["b", "b"]
    assert sorted(conflicts["value"]) == [1.0, 1.1]


def test_an_unfinished_shard_is_left_out_with_a_word(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "shards" / "one")
    shard.add(comparison("a"))
    shard.flush()
    merged = merge_shards([tmp_path], tmp_path / "results")
    assert merged.comparisons == 0
    assert "unfinished" in merged.problems[0]


def test_a_root_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere is no folder"):
        merge_shards([tmp_path / "nowhere"], tmp_path)


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.sampled_from(["ok", "failed", "undefined"]), st.sampled_from([1.0, 2.0, 3.0])
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=20, deadline=None)
@given(ROWS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_any_split_and_order_of_shards_merges_into_the_same_table(tmp_path_factory, rows, shards, random) -> None:
    given_rows = [comparison(key, value if status == "ok" else None, status) for key, status, value in rows]
    tables = []
    for shuffle in (False, True):
        root = tmp_path_factory.mktemp("root")
        order = random.sample(given_rows, len(given_rows)) if shuffle else given_rows
        for number, part in itertools.groupby(enumerate(order), key=lambda item: item[0] % shards if shuffle else 0):
            name = (
                f"{number}-{sum(1 for _ in (root / 'shards').glob('*'))}" if (root / "shards").is_dir() else f"{number}"
            )
            finish(root, name, [row for _, row in part])
        merge_shards([root], root / "results")
        tables.append(read_table(root / "results" / "comparisons.parquet", COMPARISONS))
    assert tables[0].equals(tables[1])
