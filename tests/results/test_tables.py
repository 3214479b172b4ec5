"""Tables of other versions, of other programs, and damaged ones: read as they should be, or named in one line."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resi.cli.list_work import list_shards
from resi.errors import ArtifactError, ResiError
from resi.fingerprints import hash_file
from resi.published.results import import_published
from resi.results.merge import merge_shards
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, LATER_COLUMNS, SCHEMA_VERSION, SCORES
from resi.results.stored import Scope, find_comparisons
from resi.results.tables import PACKED_ROWS, VERSION_KEY, TableBuilder, read_batches, read_table, table, write_table
from tests.results.rows import comparison, finish, score

FIRST_COMPARISONS = [
    "domain", "dataset", "architecture", "setting_a", "seed_a", "layer_a", "setting_b", "seed_b", "layer_b", "measure",
    "value", "status", "error", "seconds", "prepare_seconds", "device", "measure_version", "parameters", "shape_a",
    "shape_b", "key", "resi_version",
]  # fmt: skip
FIRST_SCORES = [
    "test", "domain", "dataset", "architecture", "measure", "parameters", "metric", "functional", "value", "chance",
    "protocol", "groups", "models", "pairs", "failed_pairs", "key", "resi_version",
]  # fmt: skip


def make_first_version(folder: Path) -> None:
    """Turn a shard into what the first version of the schema wrote: fewer columns, no version in the tables."""
    for name, columns in (("comparisons.parquet", FIRST_COMPARISONS), ("scores.parquet", FIRST_SCORES)):
        pl.read_parquet(folder / name).select(columns).write_parquet(folder / name)
    files = {path.name: hash_file(path) for path in folder.glob("*.parquet")}
    (folder / "manifest.json").write_text(json.dumps({"schema_version": 1, "files": files}))


def test_a_shard_of_the_first_schema_version_is_read_and_merged_with_a_new_one(tmp_path: Path) -> None:
    old = finish(tmp_path, "old", [comparison("a", origin="x")], [score("s")])
    make_first_version(old.folder)
    finish(tmp_path, "new", [comparison("b", origin="published")], [score("t")])
    assert merge_shards([tmp_path], tmp_path / "results").problems == []
    rows = read_table(tmp_path / "results" / "comparisons.parquet", COMPARISONS)
    assert dict(zip(rows["key"], rows["origin"], strict=True)) == {"a": "resi", "b": "published"}
    found = read_table(tmp_path / "results" / "scores.parquet", SCORES).filter(key="s").row(0, named=True)
    assert (found["value"], found["low"], found["reason"], found["setting"]) == (0.5, None, "", "")
    assert set(find_comparisons(tmp_path, ["a", "b"], pytest.fail)) == {"a", "b"}


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ({"kind": "run", "config": {"models": {"source": "train", "root": None}}}, "trained"),
        ({"kind": "run", "config": {"models": {"source": "published", "root": "zoo"}}}, "published"),
        ({"config": {"seeds": [0]}}, "trained"),  # of the first version, which read no published models
        ({"kind": "published"}, "published"),
        ({"kind": "merged"}, None),
    ],
)
def test_where_models_of_older_shards_are_from_is_read_from_their_manifest(
    tmp_path: Path, manifest: dict, expected: str | None
) -> None:
    shard = finish(tmp_path, "old", [comparison("a")], [score("s")])
    for name in ("comparisons.parquet", "scores.parquet"):
        pl.read_parquet(shard.folder / name).drop("model_source").write_parquet(
            shard.folder / name, metadata={VERSION_KEY: "2"}
        )
    files = {path.name: hash_file(path) for path in shard.folder.glob("*.parquet")}
    (shard.folder / "manifest.json").write_text(json.dumps({"schema_version": 2, "files": files, **manifest}))
    scores, batches = shard.tables()
    for rows in (shard.comparisons(), shard.scores(), scores, *batches):
        assert rows["model_source"].to_list() == [expected]


def test_every_column_since_the_first_version_can_be_filled() -> None:
    assert set(COMPARISONS) - set(FIRST_COMPARISONS) <= set(LATER_COLUMNS)
    assert set(SCORES) - set(FIRST_SCORES) <= set(LATER_COLUMNS)


def test_every_column_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
    for heading, schema in (("## Comparisons", COMPARISONS), ("## Scores", SCORES)):
        section = text.split(f"{heading}\n")[1].split("\n## ")[0]
        rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
        named = [name.strip(" `") for row in rows for name in row.split(",")]
        assert named == list(schema), heading


def test_a_table_says_its_version_and_a_later_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, table([comparison("a")], COMPARISONS, COMPARISON_ORDER))
    assert pl.read_parquet_metadata(path)[VERSION_KEY] == str(SCHEMA_VERSION)
    pl.read_parquet(path).write_parquet(path, metadata={VERSION_KEY: str(SCHEMA_VERSION + 1)})
    with pytest.raises(ArtifactError, match=f"schema version {SCHEMA_VERSION + 1}; this resi reads up to .*: upgrade"):
        read_table(path, COMPARISONS)


def test_a_table_of_another_kind_or_type_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(path)
    with pytest.raises(ArtifactError, match=rf"{path} lacks the columns \['architecture', .*it is not a table of resi"):
        read_table(path, COMPARISONS)
    rows = table([comparison("a")], COMPARISONS, COMPARISON_ORDER)
    rows.with_columns(value=pl.lit("high")).write_parquet(path)
    with pytest.raises(ArtifactError, match=rf"{path} holds String in column value, not Float64"):
        read_table(path, COMPARISONS)


def test_batches_are_the_table_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table([comparison(f"{number:02}") for number in range(10)], COMPARISONS, COMPARISON_ORDER)
    write_table(tmp_path / "t.parquet", rows)
    monkeypatch.setattr("resi.results.tables.BATCH_ROWS", 3)
    batches = list(read_batches(tmp_path / "t.parquet", COMPARISONS))
    assert [batch.height for batch in batches] == [3, 3, 3, 1]
    assert pl.concat(batches).equals(rows)


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if how == "directory":
        path.unlink()
        path.mkdir()
    elif how == "missing":
        path.unlink()
    elif how == "foreign":
        pl.DataFrame({"a": [1]}).write_parquet(path)
    else:
        changed = {
            "empty": b"",
            "truncated": content[:middle],
            "without its end": content[:-2],
            "zeros": bytes(len(content)),
            "text": b"not a table",
        }
        path.write_bytes(changed[how])


DAMAGE = ["directory", "missing", "foreign", "empty", "truncated", "without its end", "zeros", "text"]


@pytest.mark.parametrize("name", ["comparisons.parquet", "scores.parquet", "manifest.json"])
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_of_a_shard_is_named_and_the_others_are_merged(tmp_path: Path, name: str, how: str) -> None:
    bad = finish(tmp_path, "bad", [comparison("a")], [score("s")])
    finish(tmp_path, "good", [comparison("b")], [score("t")])
    damage(bad.folder / name, how)
    merged = merge_shards([tmp_path], tmp_path / "results")
    assert (merged.shards, merged.comparisons, merged.scores) == (1, 1, 1)
    assert len(merged.problems) == 1
    assert str(bad.folder) in merged.problems[0]
    assert "\n" not in merged.problems[0]


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_table_is_named_also_where_nothing_holds_its_hash(tmp_path: Path, how: str) -> None:
    path = tmp_path / "results" / "comparisons.parquet"
    write_table(path, table([comparison("a")], COMPARISONS, COMPARISON_ORDER))
    damage(path, how)
    problems: list[ResiError] = []
    assert find_comparisons(tmp_path, ["a"], problems.append) == {}
    assert [str(path) in str(problem) for problem in problems] == ([] if how in ("missing", "directory") else [True])


def test_flipped_bits_never_pass_for_a_shard_and_never_end_in_anything_but_one_line(tmp_path: Path) -> None:
    shard = finish(tmp_path, "one", [comparison(f"{number}") for number in range(5)], [score("s")])
    for name in ("comparisons.parquet", "scores.parquet"):
        whole = (shard.folder / name).read_bytes()
        for place in range(0, len(whole), 37):
            content = bytearray(whole)
            content[place] ^= 1 << place % 8
            (shard.folder / name).write_bytes(content)
            with pytest.raises(ArtifactError, match="does not match its manifest"):
                shard.tables()
            try:  # as a table that no manifest vouches for
                read_table(shard.folder / name, COMPARISONS if name.startswith("c") else SCORES)
            except ArtifactError as error:
                assert str(shard.folder / name) in str(error)
        (shard.folder / name).write_bytes(whole)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
KEYS = st.sampled_from(
    ["schema_version", "files", "counts", "kind", "domain", "dataset", "measures", "test", "finished"]
)


@settings(max_examples=60, deadline=None)
@given(changes=st.dictionaries(KEYS, JSON, min_size=1, max_size=2))
def test_no_manifest_whatever_it_holds_ends_in_anything_but_one_line(tmp_path_factory, changes: dict) -> None:
    root = tmp_path_factory.mktemp("root")
    shard = finish(root, "one", [comparison("a")])
    path = shard.folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    merged = merge_shards([root], root / "results")
    assert merged.shards + len(merged.problems) == 1
    problems: list[ResiError] = []
    assert len(find_comparisons(root, ["a"], problems.append, scope=Scope("x", "x"))) <= 1
    (row,) = list_shards(Namespace(root=root)) or [{"name": "one"}]
    assert row["name"] == "one"


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_published_file_is_named(tmp_path: Path, how: str) -> None:
    path = tmp_path / "results.parquet"
    ids = ["Normal__GCN__cora__0__cora__1___Normal__GCN__cora__1__cora__1___CKA"]
    pl.DataFrame({"id": ids, "metric": ["CKA"], "metric_value": [0.5], "runtime": [0.1]}).write_parquet(path)
    shutil.copy(path, tmp_path / "whole.parquet")
    damage(path, how)
    with pytest.raises(ResiError) as caught:
        import_published(path, tmp_path / "shards")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "shards").exists()


@pytest.mark.parametrize("count", [0, 1, PACKED_ROWS, 2 * PACKED_ROWS + 1])
def test_rows_added_one_by_one_make_the_table_of_all(count: int) -> None:
    rows = [comparison(f"{i:05d}", None if i % 7 == 0 else float(i), seed_a=i % 11) for i in reversed(range(count))]
    builder = TableBuilder(COMPARISONS)
    for row in rows:
        builder.add(row)
    assert builder.table(COMPARISON_ORDER).equals(table(rows, COMPARISONS, COMPARISON_ORDER))
