"""Stages of one run on different machines, which share nothing but the data root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import resi
from resi.cli.main import run_command
from resi.errors import DatasetError
from tests.conftest import changed
from tests.domains.graph.test_large_data import flickr_folder  # noqa: F401 - a fixture

COMMAND = [sys.executable, "-c", "from resi.cli.main import main; main()"]
WORDS = [
    "dataset=flickr",
    "model=gcn",
    "model.gcn.epochs=2",
    "model.gcn.hidden_channels=8",
    "seeds=[0,1,2]",
    "groups=2",
]
WORDS += ["measure=[cka,jaccard]", "test=output_correlation"]


def on_a_machine(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process and a folder of its own, without settings of this one's data root."""
    folder.mkdir(exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key not in ("RESI_HOME", "REP_SIM")}
    return subprocess.run(
        [*COMMAND, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def test_machines_that_share_the_data_root_alone_do_one_stage_each(
    flickr_folder: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = tmp_path / "shared"
    words = [*WORDS, f"root={root}"]
    whole = resi.run([*WORDS, f"root={tmp_path / 'alone'}", f"dataset.root={flickr_folder}"])

    resi.run([*words, f"dataset.root={flickr_folder}", "stage=representations"])
    # Neither the dataset nor the models are on the next machine, which says nothing about them either.
    shutil.rmtree(flickr_folder)
    shutil.rmtree(root / "models")
    second = on_a_machine(tmp_path / "cpu", *words, "stage=compare")
    assert second.returncode == 0, second.stderr
    shutil.rmtree(root / "representations")
    third = on_a_machine(tmp_path / "laptop", *words, "stage=score")
    assert third.returncode == 0, third.stderr

    (shard,) = (root / "shards").iterdir()
    columns = ["measure", "setting_a", "seed_a", "setting_b", "seed_b", "value", "status", "key"]
    compared = pl.read_parquet(shard / "comparisons.parquet").select(columns)
    assert compared.equals(whole.comparisons.select(columns))
    assert pl.read_parquet(shard / "scores.parquet").drop("resi_version").equals(whole.scores.drop("resi_version"))
    # A finished run needs nothing at all.
    assert run_command([*words, f"dataset.root={flickr_folder}"]) == 0
    assert "finished before" in capsys.readouterr().err


def test_what_needs_the_dataset_still_asks_for_it(flickr_folder: Path, tmp_path: Path) -> None:  # noqa: F811
    root = tmp_path / "shared"
    words = [*WORDS, f"root={root}", f"dataset.root={flickr_folder}"]
    resi.run([*words, "stage=models"])
    shutil.rmtree(flickr_folder)
    with pytest.raises(DatasetError, match=str(flickr_folder)):
        resi.run([*words, "stage=representations"])
    with pytest.raises(DatasetError, match=str(flickr_folder)):
        resi.run(changed(words, "model.gcn.epochs=3", "stage=models"))


def test_of_two_versions_of_a_dataset_none_is_guessed(flickr_folder: Path, tmp_path: Path) -> None:  # noqa: F811
    words = [*WORDS, f"root={tmp_path / 'shared'}", f"dataset.root={flickr_folder}"]
    resi.run([*words, "stage=models"])
    classes = flickr_folder / "raw" / "class_map.json"
    classes.write_text(classes.read_text().replace(": 1,", ": 2,", 1))
    resi.run([*words, "stage=models"])
    shutil.rmtree(flickr_folder)
    with pytest.raises(DatasetError, match="has records of 2 versions"):
        resi.run([*words, "stage=compare"])


def test_comparing_downloads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import urllib.request

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("something was downloaded"))
    with pytest.raises(DatasetError, match="Flickr is not in"):
        resi.run([*WORDS, f"root={tmp_path}", "stage=compare"])
