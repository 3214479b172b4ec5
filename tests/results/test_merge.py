"""Merging keeps one row a comparison and score, whatever the order and split of shards, and names what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resi.errors import UsageError
from resi.fingerprints import hash_file
from resi.measures.kernel import CKA
from resi.results import external
from resi.results.merge import merge_shards
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCORE_ORDER, SCORES
from resi.results.shards import Shard, find_shards
from resi.results.stored import find_comparisons
from resi.results.tables import read_table, table
from tests.results.rows import MANIFEST, comparison, finish, score


def tables(folder: Path) -> dict[str, bytes]:
    shown = (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in shown}


def test_merging_keeps_one_row_a_comparison_and_is_idempotent(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a"), comparison("b", None, "failed")], [score("s")])
    gone = finish(tmp_path, "gone", [comparison("z")])
    merge_shards([tmp_path], tmp_path / "results")
    shutil.rmtree(gone.folder)  # what is no longer there is not in the next tables
    finish(tmp_path, "two", [comparison("a"), comparison("b", 3.0)], [score("s"), score("t")])
    out = tmp_path / "results"
    merged = merge_shards([tmp_path], out)
    assert (merged.shards, merged.comparisons, merged.failed, merged.scores, merged.problems) == (2, 2, 0, 2, [])
    first = tables(out)
    assert set(first) == {"comparisons.parquet", "scores.parquet", "manifest.json"}
    merge_shards([tmp_path], out)
    assert tables(out) == first


@pytest.mark.parametrize("worse", ["undefined", "failed"])
def test_ok_beats_every_other_status_also_where_the_pair_stands_the_other_way_round(tmp_path: Path, worse: str) -> None:
    finish(tmp_path, "one", [comparison("a", None, worse, setting_a="first", setting_b="second")])
    finish(tmp_path, "two", [comparison("a", 2.0, setting_a="second", setting_b="first")])
    merged = merge_shards([tmp_path], tmp_path / "results")
    row = read_table(tmp_path / "results" / "comparisons.parquet", COMPARISONS).row(0, named=True)
    assert (merged.comparisons, merged.failed, row["value"], row["status"]) == (1, 0, 2.0, "ok")


def test_undefined_beats_failed(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a", None, "failed")])
    finish(tmp_path, "two", [comparison("a", None, "undefined")])
    merge_shards([tmp_path], tmp_path / "results")
    assert read_table(tmp_path / "results" / "comparisons.parquet", COMPARISONS)["status"].to_list() == ["undefined"]


def test_of_two_values_for_one_comparison_none_is_chosen(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a", 1.0), comparison("b", 1.0)])
    finish(tmp_path, "two", [comparison("a", 1.0 + 1e-9), comparison("b", 1.1)])
    out = tmp_path / "results"
    merged = merge_shards([tmp_path], out)
    assert (merged.comparisons, merged.failed, len(merged.problems)) == (2, 1, 1)
    assert "1 comparison has different values in different shards" in merged.problems[0]
    kept = {row["key"]: row for row in read_table(out / "comparisons.parquet", COMPARISONS).iter_rows(named=True)}
    assert (kept["a"]["value"], kept["a"]["status"], kept["a"]["error"]) == (1.0, "ok", "")
    assert (kept["b"]["value"], kept["b"]["status"]) == (None, "failed")
    assert kept["b"]["error"] == "different values, from 1.0 to 1.1, see conflicts.parquet"
    conflicts = pl.read_parquet(out / "conflicts.parquet")
    assert [Path(shard).name for shard in conflicts["shard"]] == ["one", "two"]
    assert conflicts["key"].to_list() == ["b", "b"]
    assert conflicts["value"].to_list() == [1.0, 1.1]
    shutil.rmtree(tmp_path / "shards" / "two")
    assert merge_shards([tmp_path], out).problems == []
    assert not (out / "conflicts.parquet").exists()


@pytest.mark.parametrize(
    ("first", "second", "agree"),
    [(1e6, 1e6 + 0.5, True), (1e6, 1e6 + 2, False), (0.0, 5e-9, True), (0.0, 5e-8, False), (-1.0, 1.0, False)],
)
def test_values_agree_within_a_millionth_of_their_size_or_near_zero(tmp_path, first, second, agree) -> None:
    finish(tmp_path, "one", [comparison("a", first)])
    finish(tmp_path, "two", [comparison("a", second)])
    assert (merge_shards([tmp_path], tmp_path / "results").problems == []) == agree


def test_the_score_that_lacks_the_fewest_comparisons_is_kept_and_contradictions_are_reported(tmp_path: Path) -> None:
    finish(tmp_path, "one", [], [score("s", 0.4, failed_pairs=2), score("t", 0.5)])
    finish(tmp_path, "two", [], [score("s", 0.6), score("t", 0.7)])
    out = tmp_path / "results"
    merged = merge_shards([tmp_path], out)
    kept = {row["key"]: row["value"] for row in read_table(out / "scores.parquet", SCORES).iter_rows(named=True)}
    assert kept == {"s": 0.6, "t": None}
    assert merged.problems == [
        f"1 score has different values in different shards, see {out / 'score_conflicts.parquet'}; "
        "none of them is chosen"
    ]
    assert pl.read_parquet(out / "score_conflicts.parquet")["value"].to_list() == [0.5, 0.7]


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from(["ok", "failed", "undefined"]),
        st.sampled_from([1.0, 1.0 + 1e-9, 2.0, 3.0]),
        st.sampled_from(["gcn", "gat", None]),
    ),
    min_size=1,
    max_size=12,
)
SPLIT = st.lists(st.integers(0, 3), min_size=12, max_size=12)


@settings(max_examples=15, deadline=None)
@given(rows=ROWS, splits=st.tuples(SPLIT, SPLIT), batch=st.sampled_from([2, 5, 1000]), random=st.randoms())
def test_any_split_and_order_of_shards_merges_into_the_same_tables(
    tmp_path_factory, rows, splits, batch, random
) -> None:
    every = [
        # An architecture belongs to a key, as it does where keys are hashes of what is compared.
        comparison(key, value if status == "ok" else None, status, seconds=place, architecture=f"{key}{architecture}")
        for place, (key, status, value, architecture) in enumerate(rows)
    ]
    scores = [score(key, value, failed) for key, failed, value, _ in ((k, len(s), v, a) for k, s, v, a in rows)]
    found = []
    for split in splits:
        root = tmp_path_factory.mktemp("root")
        order = random.sample(range(len(every)), len(every))
        for number in set(split):
            chosen = [place for place in order if split[place] == number]
            finish(root, f"shard-{number}", [every[i] for i in chosen], [scores[i] for i in chosen])
        merge_shards([root], root / "results", batch)
        found.append([read_table(root / "results" / f"{name}.parquet", schema) for name, schema in TABLES])
    for first, second in zip(*found, strict=True):
        assert first.equals(second)
    kept = {row["key"]: (row["status"], row["value"]) for row in found[0][0].iter_rows(named=True)}
    assert kept == {key: what_to_keep([row for row in every if row["key"] == key]) for key in kept}
    assert len(kept) == found[0][0].height == len({row["key"] for row in every})
    assert found[0][0].equals(found[0][0].sort(COMPARISON_ORDER, nulls_last=True))


def what_to_keep(rows: list[dict]) -> tuple[str, float | None]:
    values = [row["value"] for row in rows if row["status"] == "ok"]
    if values:
        return ("ok", min(values)) if max(values) - min(values) < 0.1 else ("failed", None)
    return ("undefined" if "undefined" in [row["status"] for row in rows] else "failed"), None


TABLES = (("comparisons", COMPARISONS), ("scores", SCORES))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["", "a", "b", None])), max_size=9), min_size=1),
    st.sampled_from([1, 3, 100]),
)
def test_a_table_sorted_in_ranges_is_the_table_sorted_at_once(tmp_path_factory, parts, batch) -> None:
    folder = tmp_path_factory.mktemp("sorted")
    schema = {"number": pl.Int64, "text": pl.String}
    frames = [pl.DataFrame(part, schema=schema, orient="row") for part in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external, "SAMPLES", 2)
        external.write_sorted(folder / "t.parquet", frames, ["text", "number"], folder, batch)
    expected = pl.concat(frames).sort("text", "number", nulls_last=True)
    assert pl.read_parquet(folder / "t.parquet").equals(expected)


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6)), st.sampled_from([1, 4, 100]))
@settings(max_examples=60, deadline=None)
def test_buckets_give_back_every_row_once_and_all_of_one_key_together(tmp_path_factory, parts, batch) -> None:
    buckets = external.Buckets(tmp_path_factory.mktemp("buckets"), batch)
    for part in parts:
        buckets.add(pl.DataFrame({"key": part}, schema={"key": pl.String}))
    found = [part["key"].to_list() for part in buckets.parts()]
    assert sorted(key for part in found for key in part) == sorted(key for part in parts for key in part)
    places = [key for part in found for key in set(part)]
    assert len(places) == len(set(places))


def test_merged_tables_can_be_merged_further_with_their_contradictions(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    finish(a, "one", [comparison("a", 1.0), comparison("b", 1.0)], [score("s")])
    finish(a, "two", [comparison("a", 2.0)])
    finish(b, "three", [comparison("a", 1.0), comparison("c", 1.0)], [score("t")])
    merge_shards([a], a / "results")
    step = merge_shards([a / "results", b], tmp_path / "step")
    once = merge_shards([a, b], tmp_path / "once")
    assert (step.comparisons, step.failed, step.scores) == (once.comparisons, once.failed, once.scores) == (3, 1, 2)
    for name, schema in TABLES:
        found = [read_table(tmp_path / folder / f"{name}.parquet", schema) for folder in ("step", "once")]
        assert found[0].equals(found[1])


def test_merged_tables_among_the_shards_are_not_taken_for_one(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a")])
    merge_shards([tmp_path], tmp_path / "shards" / "merged")
    assert [shard.folder.name for shard in find_shards(tmp_path)] == ["one"]


def test_one_shard_can_be_merged_by_its_folder_and_twice_is_once(tmp_path: Path) -> None:
    shard = finish(tmp_path, "one", [comparison("a")])
    merged = merge_shards([shard.folder, tmp_path, tmp_path / "shards"], tmp_path / "out")
    assert (merged.shards, merged.comparisons, merged.problems) == (1, 1, [])


def test_roots_that_hold_nothing_or_are_no_folder_are_named_and_left_out(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a")])
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    merged = merge_shards([tmp_path, tmp_path / "empty", tmp_path / "file"], tmp_path / "out")
    assert merged.comparisons == 1
    assert [problem.split(";")[0] for problem in merged.problems] == [
        f"{tmp_path / 'empty'} holds no shards",
        f"{tmp_path / 'file'} is not a folder and was left out",
    ]
    with pytest.raises(UsageError, match="nowhere does not exist"):
        merge_shards([tmp_path / "nowhere"], tmp_path)


def test_what_lies_among_the_shards_but_is_none_is_named(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a")])
    (tmp_path / "shards" / "notes.txt").write_text("")
    (tmp_path / "shards" / "half").mkdir()
    (tmp_path / "shards" / "half" / "comparisons.parquet").write_bytes(b"")
    (tmp_path / "shards" / ".hidden").write_text("")
    merged = merge_shards([tmp_path], tmp_path / "results")
    assert merged.problems == [
        f"{tmp_path / 'shards' / name} is not a shard of resi; left out" for name in ("half", "notes.txt")
    ]


def test_an_unfinished_shard_is_left_out_with_a_word(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "shards" / "one")
    shard.add(comparison("a"))
    shard.flush()
    merged = merge_shards([tmp_path], tmp_path / "results")
    assert merged.comparisons == 0
    assert "unfinished" in merged.problems[0]


def test_merged_tables_that_are_damaged_are_named_by_a_run_that_looks_for_its_comparisons(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a")])
    merge_shards([tmp_path], tmp_path / "results")
    shutil.rmtree(tmp_path / "shards")
    assert set(find_comparisons(tmp_path, ["a"], pytest.fail)) == {"a"}
    path = tmp_path / "results" / "comparisons.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    problems: list[Exception] = []
    assert find_comparisons(tmp_path, ["a"], problems.append) == {}
    assert [str(path) in str(problem) for problem in problems] == [True]


def test_a_pair_that_an_earlier_version_did_not_write_is_taken_from_the_row_that_has_it(tmp_path: Path) -> None:
    finish(tmp_path, "old", [comparison("a", seconds=0.1, pair=None), comparison("b", pair=None)])
    finish(tmp_path, "new", [comparison("a", seconds=0.2, pair="both")])
    assert merge_shards([tmp_path], tmp_path / "results").problems == []
    rows = read_table(tmp_path / "results" / "comparisons.parquet", COMPARISONS)
    assert dict(rows.select("key", "pair").iter_rows()) == {"a": "both", "b": None}
    assert rows.filter(key="a")["seconds"].to_list() == [0.1]


def test_the_manifest_of_merged_tables_says_what_they_are_made_of(tmp_path: Path) -> None:
    shard = finish(tmp_path, "one", [comparison("a")])
    broken = finish(tmp_path, "broken", [comparison("b")])
    (broken.folder / "scores.parquet").write_bytes(b"")
    merge_shards([tmp_path], tmp_path / "results")
    manifest = json.loads((tmp_path / "results" / "manifest.json").read_text())
    assert (manifest["kind"], manifest["shards"]) == ("merged", {"one": [hash_file(shard.folder / "manifest.json")]})
    assert set(manifest["files"]) == {"comparisons.parquet", "scores.parquet"}


def test_rows_by_earlier_code_of_a_measure_of_ones_own_are_merged_with_a_note(tmp_path: Path) -> None:
    for name, code, hour in (("later", "b", "12"), ("earlier", "a", "11")):
        shard = Shard(tmp_path / "shards" / name)
        own = [comparison(name, measure="mine"), comparison(f"{name} cka", measure="cka", measure_version=CKA.version)]
        rows = table(own, COMPARISONS, COMPARISON_ORDER)
        about = {"own_measures": {"mine": {"code": code}}, "finished": f"2026-01-01T{hour}:00:00+00:00"}
        scores = table([{**score(name), "measure": "mine", "compared": name}], SCORES, SCORE_ORDER)
        shard.finish(rows, scores, {**MANIFEST, **about})
    merged = merge_shards([tmp_path], tmp_path / "merged")
    noted = Shard(merged.folder).comparisons().filter(pl.col("note") != "")
    assert noted.select("key", "note").rows() == [("earlier", "computed by other code of mine than its last run")]
    assert merged.outdated == {"comparisons computed by other code of mine than its last run": 1}
    assert (
        Shard(merged.folder).scores()["note"].to_list().count("computed by other code of mine than its last run") == 1
    )
