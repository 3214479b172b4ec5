"""``resi-merge`` and ``resi list shards`` as a user types them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl
import pytest

from resi.cli.main import run_command
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCORES
from resi.results.shards import Shard
from resi.results.tables import table
from tests.results.rows import comparison, finish


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Return a results file of the published benchmark: two settings, two seeds, one failed comparison."""
    models = [(setting, seed) for setting in ("Normal", "Augmentation_100") for seed in (0, 1)]
    sides = [f"{setting}__GCN__cora__{seed}__cora__1" for setting, seed in models]
    pairs = [(a, b) for i, a in enumerate(sides) for b in sides[i + 1 :]]
    values = [0.9, 0.1, 0.2, 0.3, math.nan, 0.8]
    columns = {"id": [f"{a}___{b}___CKA" for a, b in pairs], "metric": "CKA", "metric_value": values, "runtime": 0.5}
    path = tmp_path / "results.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return path


def listed(root: Path, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    assert run_command(["list", "shards", "--root", str(root), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_list_shards_tells_what_is_in_each_and_when_it_was_written(
    root: Path, published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table([comparison("a", note="few samples"), comparison("b", None, "failed")], COMPARISONS, COMPARISON_ORDER)
    about = {"domain": "graph", "dataset": "cora", "test": "shortcut", "measures": ["cka", "rsa"]}
    done = {"counts": {"ok": 1, "undefined": 0, "failed": 1}, "finished": "2026-01-02T03:04:05+00:00"}
    Shard(root / "shards" / "a-run").finish(rows, pl.DataFrame(schema=SCORES), {"kind": "run", **about, **done})
    shard = Shard(root / "shards" / "begun")
    shard.add(comparison("a", domain="graph", dataset="flickr", measure="rsa"))
    shard.flush()
    broken = finish(root, "broken", [comparison("a")])
    (broken.folder / "comparisons.parquet").write_bytes(b"")
    run_command(["merge", str(root), "--published", str(published)])
    capsys.readouterr()
    run, begun, damaged, imported = listed(root, capsys)
    assert run == {
        "name": "a-run",
        **about,
        "rows": 2,
        "failed": 1,
        "noted": 1,
        "when": done["finished"],
        "state": "finished",
    }
    assert (begun["dataset"], begun["measures"], begun["rows"], begun["failed"]) == ("flickr", ["rsa"], 1, 0)
    assert begun["state"].startswith("unfinished")
    assert begun["when"][:2] == "20"
    assert "comparisons.parquet is damaged" in damaged["state"]
    assert (imported["domain"], imported["test"]) == ("graph", "augmentation")
    assert (imported["rows"], imported["failed"]) == (6, 1)
    assert run_command(["list", "shards", "--root", str(root)]) == 0
    shown = capsys.readouterr().out
    for heading in ("domain", "dataset", "test", "measures", "rows", "failed", "when", "state"):
        assert heading in shown.splitlines()[0]


def test_published_results_are_imported_scored_printed_and_merged(
    root: Path, published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["merge", "--published", str(published)]) == 0
    shown = capsys.readouterr()
    assert "augmentation on cora (published results, published protocol)" in shown.out
    assert "1 shard: 6 comparisons (1 failed) and 4 scores" in shown.err
    rows = pl.read_parquet(root / "results" / "comparisons.parquet")
    assert rows["origin"].unique().to_list() == ["published"]
    assert rows.filter(status="failed")["error"].to_list() == ["no value in results.parquet, which keeps no reasons"]
    assert run_command(["merge", "--published", str(published)]) == 0
    assert "1 shard: 6 comparisons" in capsys.readouterr().err


def test_a_file_that_is_no_published_result_is_named_and_the_rest_is_merged(
    root: Path, published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = published.with_name("other.parquet")
    pl.DataFrame({"a": [1]}).write_parquet(other)
    assert run_command(["merge", "--published", str(other), "--published", str(published)]) == 1
    shown = capsys.readouterr().err
    assert f"left out: {other} is not a results file of the published benchmark: it has no column id of type" in shown
    assert "1 shard: 6 comparisons" in shown
    assert run_command(["merge", "--published", str(published), "--pooling", "max"]) == 2
    assert "unknown pooling 'max'" in capsys.readouterr().err


def test_tables_go_to_the_data_root_also_where_a_folder_of_shards_or_a_shard_is_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = finish(root, "one", [comparison("a")])
    for named in (root, root / "shards", shard.folder):
        assert run_command(["merge", str(named)]) == 0
        assert f"1 shard: 1 comparison (0 failed) and 0 scores in {root / 'results'}" in capsys.readouterr().err
    assert run_command(["merge", str(root / "nothing")]) == 2
    assert "nothing does not exist" in capsys.readouterr().err
