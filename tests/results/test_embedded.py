"""Results that come with resi: whole, small, and found by their name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import resi
from resi.config.many import open_configs
from resi.errors import UsageError
from resi.registry import measures
from resi.results.embedded import FOLDER, embedded_names, embedded_results, models_of, named_root, runs_of
from resi.sweeps.suite_files import load_suite
from resi.sweeps.suites import expand

NAMES = ["domain", "dataset", "architecture"]


@pytest.fixture(scope="module")
def comparisons() -> pl.DataFrame:
    return embedded_results("baseline").comparisons()


def test_they_are_whole_and_below_five_megabytes() -> None:
    assert embedded_names() == ["baseline"]
    tables = embedded_results("baseline")
    assert tables.verify()["kind"] == "merged"
    assert sum(path.stat().st_size for path in tables.folder.iterdir()) < 5e6
    assert {path.name for path in tables.folder.iterdir()} == {
        "manifest.json", "comparisons.parquet", "scores.parquet", "models.parquet", "runs.parquet",
    }  # fmt: skip


def test_every_run_by_which_they_were_made_is_noted() -> None:
    tables = embedded_results("baseline")
    runs = dict(runs_of(tables.folder))
    assert runs.keys() == tables.manifest()["shards"].keys()
    assert all(about["resi"] and about["packages"]["torch"] and about["git"] for about in runs.values())
    assert not any(about["git"].endswith("-dirty") for about in runs.values())
    assert sum(sum(about["counts"].values()) for about in runs.values()) >= tables.comparisons().height


def test_they_are_those_of_the_whole_suite() -> None:
    loader = open_configs(None)
    jobs = [dict(word.split("=", 1) for word in words) for words in expand((), load_suite("baseline", loader), loader)]
    runs = [about for _, about in runs_of(FOLDER / "baseline")]
    done = sorted((about["dataset"], about["test"], *about["architectures"]) for about in runs)
    assert done == sorted((job["dataset"], job["test"], job["model"]) for job in jobs)


def test_every_model_that_is_compared_is_noted_with_its_weights(comparisons: pl.DataFrame) -> None:
    models = models_of(FOLDER / "baseline")
    sides = [comparisons.select(*NAMES, setting=f"setting_{side}", seed=f"seed_{side}") for side in "ab"]
    compared = pl.concat(sides).unique()
    assert set(compared.iter_rows()) == set(models.select(*NAMES, "setting", "seed").iter_rows())
    assert models.height == compared.height == models["fingerprint"].n_unique()
    assert models.filter(pl.col("weights").str.len_chars() == 64).height == models.height
    assert all(json.loads(text) for text in models["hyperparameters"])


def test_all_measures_of_the_benchmark_are_in_every_test() -> None:
    scores = embedded_results("baseline").scores().filter(pl.col("seed").is_null())
    benchmark = {name for name in measures() if measures().get(name).benchmark}
    assert len(benchmark) == 24
    for _, part in scores.group_by("test", *NAMES):
        assert set(part["measure"]) == benchmark


@pytest.mark.parametrize("test", ["shortcut", "layer_monotonicity", "output_correlation"])
def test_scores_are_those_of_the_comparisons(test: str, comparisons: pl.DataFrame) -> None:
    few = pl.col("measure").is_in(["cka", "linear_regression", "jsd", "disagreement"])
    rows = comparisons.filter(few, architecture="gcn")
    known = embedded_results("baseline").scores().filter(few, architecture="gcn", test=test)
    again = resi.score_table(rows, test)
    assert_frame_equal(again.drop("resi_version"), known.drop("resi_version"), rel_tol=1e-12, abs_tol=1e-12)


def test_a_name_is_a_root_unless_there_is_such_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert named_root(Path("baseline")) == FOLDER / "baseline"
    assert named_root(Path("elsewhere")) == Path("elsewhere")
    (tmp_path / "baseline").mkdir()
    assert named_root(Path("baseline")) == Path("baseline")
    with pytest.raises(UsageError, match=r"unknown results that come with resi 'base'; did you mean baseline\?"):
        embedded_results("base")


def test_they_are_listed_and_read_without_a_data_root(
    root: Path, said: Callable[..., tuple[int, str, str]], comparisons: pl.DataFrame
) -> None:
    (row,) = json.loads(said("list", "results", "--json")[1])
    assert row["name"] == "baseline"
    assert row["comparisons"] == comparisons.height
    assert row["measures"] == 24
    assert row["outdated"] == []
    code, text, _ = said("list", "scores", "--root", "baseline", "test=shortcut", "architecture=gcn", "--json")
    assert code == 0
    assert len({score["measure"] for score in json.loads(text)}) == 24
    assert not root.exists()
