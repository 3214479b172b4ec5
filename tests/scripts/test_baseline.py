"""Results are kept with their models and runs, and what differs is found."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from scripts.baseline import differences, main

import resi
from resi.results.embedded import RUNS, RUNS_FILE, earlier_versions, models_of, runs_of
from resi.results.manifests import COMPARISONS_FILE, SCORES_FILE, write_manifest
from resi.results.shards import Shard
from resi.results.tables import write_table
from tests.conftest import TINY


@pytest.fixture(scope="module")
def kept(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what is kept of a small run by two measures."""
    root, folder = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("kept")
    shutil.copytree(trained_once, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("shards", "results"))
    resi.run([*TINY, "measure=[cka,rsa]", f"root={root}"])
    main(["keep", str(root), "--to", str(folder)])
    return folder


def test_what_is_kept_names_its_models_and_runs_and_no_machine(kept: Path) -> None:
    tables = Shard(kept)
    assert tables.verify()["kind"] == "merged"
    models = models_of(kept)
    sides = [tables.comparisons().select(setting=f"setting_{side}", seed=f"seed_{side}") for side in "ab"]
    compared = set(pl.concat(sides).unique().iter_rows())
    assert set(models.select("setting", "seed").iter_rows()) == compared
    assert models["weights"].n_unique() == models.height == 4
    assert all(0 < json.loads(text)["test"] < 1 for text in models["accuracies"])
    ((name, about),) = runs_of(kept)
    assert name.startswith("graph-digits_knn-augmentation-")
    assert about["config"]["seeds"] == [0, 1]
    assert not {"host", "platform"} & about.keys()
    assert not re.search(r"/(tmp|home|work|root)\b", json.dumps(about))
    assert sorted(path.name for path in kept.iterdir()) == [
        "comparisons.parquet",
        "manifest.json",
        "models.parquet",
        "runs.parquet",
        "scores.parquet",
    ]


def test_results_that_are_the_same_do_not_differ(kept: Path) -> None:
    found = list(differences(Shard(kept), Shard(kept)))
    assert found[0].endswith(" in both")
    assert found[1].startswith("  0 of these differ by more than a millionth")
    assert found[2] == "models: 4 new, 4 kept, 4 made the same way, 4 bit by bit"
    assert " 0 of them with another value" in found[3]


def test_what_differs_is_named(kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept, tmp_path / "other")
    other = Shard(tmp_path / "other")
    rows = other.comparisons()
    changed = rows.with_columns(value=pl.when(measure="rsa").then(pl.col("value") * 0.5).otherwise("value"))
    write_table(other.folder / COMPARISONS_FILE, changed)
    write_manifest(other.folder, {"kind": "merged", "shards": {}})
    found = list(differences(other, Shard(kept)))
    assert f"  rsa: {rows.filter(measure='rsa').height}, by up to 0.5 of their size" in found
    assert not any(line.startswith("  cka") for line in found)


def test_its_report_has_models_and_runs(kept: Path, tmp_path: Path, said: Callable[..., tuple[int, str, str]]) -> None:
    assert said("report", str(kept), "--out", str(tmp_path / "page.html"))[0] == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.search(r"\b4 models (behind these results learned|learned next to nothing)", page)
    assert "resi domain=graph dataset=digits_knn model=gcn model.gcn.epochs=2 " in page


def test_scores_of_an_earlier_version_are_computed_again_from_what_is_kept(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "earlier"
    shutil.copytree(kept, folder)
    known = Shard(kept).scores()
    earlier = known.with_columns(key=pl.lit("of version 1 ") + pl.col("key"), p_value=pl.col("p_value") / 2)
    write_table(folder / SCORES_FILE, earlier)
    ((name, run),) = runs_of(folder)
    run["versions"]["scores"] = 1
    write_table(folder / RUNS_FILE, pl.DataFrame([(name, json.dumps(run))], schema=RUNS, orient="row"))
    write_manifest(folder, {"kind": "merged", "shards": {}})
    assert earlier_versions(Shard(folder))
    main(["rescore", "--folder", str(folder)])
    assert f"{known.height} scores; changed: p_value of {known['p_value'].count()}" in capsys.readouterr().out
    assert Shard(folder).verify()["kind"] == "merged"
    assert Shard(folder).scores().equals(known)
    assert earlier_versions(Shard(folder)) == []
