"""One reader of stored comparisons: it opens what holds them, leaves out what is damaged or contradicts itself."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resi.estimates.rates import measured_rates
from resi.results import manifests
from resi.results.merge import merge_shards
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCORES
from resi.results.shards import Shard
from resi.results.stored import Scope, find_comparisons, read_stored
from resi.results.summary import KeySet, summarize
from resi.results.tables import table
from tests.results.rows import comparison, finish

if TYPE_CHECKING:
    from resi.errors import ResiError

CORA = Scope("graph", "cora")


def finish_run(root: Path, number: int, dataset: str = "cora", keys: tuple[str, ...] = ("a",)) -> Shard:
    """Write a shard under the name that a run gives it."""
    about = {"kind": "run", "domain": "graph", "dataset": dataset, "test": "augmentation", "measures": ["cka"]}
    rows = [comparison(key, domain="graph", dataset=dataset) for key in keys]
    shard = Shard(root / "shards" / f"graph-{dataset}-augmentation-{number:012x}")
    shard.finish(table(rows, COMPARISONS, COMPARISON_ORDER), pl.DataFrame(schema=SCORES), about)
    return shard


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count which manifests are read, and of which folders the tables are hashed."""
    counts: Counter[str] = Counter()
    plain = manifests.check_files, manifests.json.loads

    def check_files(folder: Path, manifest: dict) -> None:
        counts[f"hashed {folder.name}"] += 1
        plain[0](folder, manifest)

    def loads(text: str | bytes) -> object:
        counts["manifests"] += 1
        return plain[1](text)

    monkeypatch.setattr("resi.results.shards.check_files", check_files)
    monkeypatch.setattr("resi.results.manifests.json.loads", loads)
    return counts


def test_a_run_hashes_only_the_shards_that_hold_its_comparisons(tmp_path: Path, opened: Counter[str]) -> None:
    shards = [finish_run(tmp_path, number, keys=(f"k{number}",)) for number in range(20)]
    for number in range(20, 40):
        finish_run(tmp_path, number, "flickr", keys=("k3",))  # no dataset shares a key, so nobody looks there
    opened.clear()
    assert set(find_comparisons(tmp_path, ["k3", "new"], pytest.fail, scope=CORA)) == {"k3"}
    assert opened == {f"hashed {shards[3].folder.name}": 1, "manifests": 1}


def test_shards_that_were_renamed_are_found_by_their_manifest(tmp_path: Path) -> None:
    shard = finish_run(tmp_path, 1)
    shard.folder.rename(tmp_path / "shards" / "mine")
    other = finish_run(tmp_path, 2, "flickr", keys=("b",))
    other.folder.rename(tmp_path / "shards" / "copy-of-graph-cora-augmentation-000000000002")
    assert set(find_comparisons(tmp_path, ["a", "b"], pytest.fail, scope=CORA)) == {"a"}
    assert read_stored(tmp_path, pytest.fail, {CORA}).has(["a", "b"]).tolist() == [True, False]


@pytest.mark.parametrize("content", [b"", b"PAR1 and no table PAR1", None])
def test_one_damaged_table_among_many_costs_itself_alone(tmp_path: Path, content: bytes | None) -> None:
    shards = [finish_run(tmp_path, number, keys=(f"k{number}",)) for number in range(9)]
    path = shards[4].folder / "comparisons.parquet"
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    keys = [f"k{number}" for number in range(9)]
    for scope in (CORA, None):
        problems: list[ResiError] = []
        assert set(find_comparisons(tmp_path, keys, problems.append, scope=scope)) == {*keys} - {"k4"}
        told: list[ResiError] = []
        assert read_stored(tmp_path, told.append, scope and {scope}).has(keys).tolist() == [key != "k4" for key in keys]
        assert [str(problem) for problem in problems] == [str(problem) for problem in told]
        (line,) = map(str, problems)
        assert line == f"{path} is damaged: it does not match its manifest. Its run recomputes it."


def test_of_an_unfinished_run_each_damaged_part_is_left_out_and_no_other(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "shards" / "graph-cora-augmentation-000000000001")
    for key in "abcd":
        shard.add(comparison(key, domain="graph", dataset="cora"))
        shard.flush()
    parts = sorted((shard.folder / "parts").iterdir())
    for part in parts[1:3]:
        part.write_bytes(part.read_bytes()[:-1])
    problems: list[ResiError] = []
    assert set(find_comparisons(tmp_path, "abcd", problems.append, scope=CORA)) == {"a", "d"}
    told: list[ResiError] = []
    assert read_stored(tmp_path, told.append, {CORA}).has(["a", "b", "c", "d"]).tolist() == [True, False, False, True]
    assert (
        sorted(map(str, problems))
        == sorted(map(str, told))
        == [f"{part} is damaged: it does not match the hash in its name. Its run recomputes it." for part in parts[1:3]]
    )


def test_what_contradicts_itself_is_not_stored(tmp_path: Path) -> None:
    finish(tmp_path, "right", [comparison("a", 1.0), comparison("b", 1.0)])
    wrong = finish(tmp_path, "wrong", [comparison("a", 2.0), comparison("c", 2.0)])
    merge_shards([tmp_path], tmp_path / "results")
    shutil.rmtree(wrong.folder)
    problems: list[ResiError] = []
    found = find_comparisons(tmp_path, ["a", "b", "c"], problems.append)
    # Of c nobody knows that it is right, either: it came from the shard that was wrong.
    assert {key: row["value"] for key, row in found.items()} == {"a": 1.0, "b": 1.0}
    (line,) = map(str, problems)
    assert line.endswith("conflicts.parquet. Delete the shard that is wrong, and merge again.")
    told: list[ResiError] = []
    assert read_stored(tmp_path, told.append).has(["a", "b", "c"]).tolist() == [True, True, False]
    assert [str(problem) for problem in told] == [line]
    assert merge_shards([tmp_path], tmp_path / "results").problems == []
    assert set(find_comparisons(tmp_path, ["a", "b", "c"], pytest.fail)) == {"a", "b"}


def test_a_contradiction_that_a_run_has_taken_over_is_made_again(tmp_path: Path) -> None:
    text = "different values, from 1.0 to 2.0, see conflicts.parquet"
    finish(tmp_path, "one", [comparison("a", None, "failed", error=text), comparison("b", None, "failed")])
    assert set(find_comparisons(tmp_path, ["a", "b"], pytest.fail)) == {"b"}
    assert read_stored(tmp_path, pytest.fail).failed.has(["a", "b"]).tolist() == [False, True]


def test_merged_tables_are_asked_only_for_what_no_shard_has(tmp_path: Path) -> None:
    finish(tmp_path, "one", [comparison("a")])
    merge_shards([tmp_path], tmp_path / "results")
    (tmp_path / "results" / "comparisons.parquet").write_bytes(b"")
    assert set(find_comparisons(tmp_path, ["a"], pytest.fail)) == {"a"}
    problems: list[ResiError] = []
    assert find_comparisons(tmp_path, ["b"], problems.append) == {}
    assert [str(problem) for problem in problems] == [
        f"{tmp_path / 'results' / 'comparisons.parquet'} is damaged: it does not match its manifest. "
        "Merge again to replace it."
    ]


KEYS = st.lists(st.text("0123456789abcdef", min_size=1, max_size=3), max_size=30)


@settings(max_examples=40, deadline=None)
@given(stored=KEYS, asked=KEYS, failed=KEYS)
def test_a_summary_knows_the_same_keys_as_a_set(stored: list[str], asked: list[str], failed: list[str]) -> None:
    rows = [comparison(key) for key in stored] + [comparison(key, None, "failed") for key in failed]
    found = summarize(pl.LazyFrame(rows, schema=COMPARISONS))
    assert found.made.has(asked).tolist() == [key in set(stored) for key in asked]
    assert found.has(asked).tolist() == [key in {*stored, *failed} for key in asked]
    assert found.without(failed=True, others=False).has(asked).tolist() == [key in set(stored) for key in asked]
    assert not found.without(failed=True, others=True).has(asked).any()


def test_a_summary_has_the_sizes_and_rates_of_its_rows(tmp_path: Path) -> None:
    sizes = ["1000x64", "1000x64", "500x32", None]
    rows = [
        comparison(f"{i}", None if i == 2 else 1.0, "failed" if i == 2 else "ok", shape_a=size, seconds=float(i))
        for i, size in enumerate(sizes)
    ]
    finish(tmp_path, "one", rows[:2])
    finish(tmp_path, "two", [*rows[2:], comparison("of outputs", shape_a="9x9", prepare_seconds=0.0)])
    found = read_stored(tmp_path, pytest.fail)
    assert found.size(("x", "x", "x")) == (1000, 64)
    assert found.measures(("x", "x", "x")) == {"x"}
    rates = {
        (rate.samples, rate.features): rate.seconds for rate in measured_rates(found, None, ())["cpu"].comparisons["x"]
    }
    assert rates == {(1000, 64): pytest.approx(0.6), (9, 9): pytest.approx(0.1)}


def test_millions_of_keys_take_eight_bytes_each() -> None:
    keys = pl.int_range(200_000, eager=True).cast(pl.String)
    rows = pl.LazyFrame({"key": keys}).with_columns(
        **{
            name: pl.lit("x")
            for name in ("domain", "dataset", "architecture", "measure", "shape_a", "error", "parameters", "device")
        },
        status=pl.lit("ok"),
        seconds=pl.lit(0.1),
        prepare_seconds=pl.lit(0.1),
    )
    found = summarize(rows)
    assert found.made.hashes.nbytes == 8 * 200_000
    assert found.made.has(["0", "199999", "200000"]).tolist() == [True, True, False]
    assert KeySet().has(["a"]).tolist() == [False]
