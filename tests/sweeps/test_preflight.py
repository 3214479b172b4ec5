"""What a sweep looks at before it starts: each cause is told once, and jobs that can run do."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from resi.cli.main import run_command
from resi.config.compose import compose
from resi.domains.vision.domain import VisionDomain
from resi.errors import UsageError
from resi.sweeps.preflight import check_jobs
from tests.conftest import TINY

if TYPE_CHECKING:
    from pathlib import Path

SMALL = [*TINY, "measure=cka", "workers=1"]


def outcomes(root: Path) -> list[tuple[str, str, int]]:
    """Return the job, the outcome and the exit code that a sweep has noted for those that were not started."""
    (folder,) = (root / "sweeps").iterdir()
    lost = [json.loads(line) for line in (folder / "lost.jsonl").read_text().splitlines()]
    return [(row["number"], row["detail"], row["exit_code"]) for row in lost]


def test_models_that_are_missing_are_one_cause_and_the_other_jobs_run(
    root: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = root / "models"
    shutil.copytree(data / "published-cora" / "models" / "graphs" / "cora" / "GAT", zoo / "graphs" / "cora" / "GAT")
    words = ["-m", "dataset=cora", f"dataset.root={data / 'cora'}", "groups=2", "seeds=[0,1]", "measure=cka"]
    words += ["models.source=published", "stage=models", "workers=1"]
    assert run_command([*words, "model=gat,gcn", "test=augmentation,shortcut"]) == 1
    found = capsys.readouterr().err
    # Of the published shortcuts none is here, of GCN nothing.
    assert found.count("3 of 4 jobs cannot run: published models of gat, gcn on cora are missing; the first: ") == 1
    assert found.count("is missing: with models.source=published") == 1
    assert [(number, code) for number, _, code in outcomes(root)] == [(1, 1), (2, 1), (3, 1)]
    assert all("with models.source=published it holds" in detail for _, detail, _ in outcomes(root))
    assert len(list((root / "models" / "graph").rglob("*.safetensors"))) == 4


def test_a_missing_package_blocks_the_jobs_that_run_here(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(_self: VisionDomain) -> None:
        raise UsageError("domain=vision needs the package timm")

    jobs = [
        (f"domain={domain}", f"test={test}") for domain in ("vision", "graph") for test in ("augmentation", "shortcut")
    ]
    configs = [compose([*job, "measure=cka"]) for job in jobs]
    monkeypatch.setattr(VisionDomain, "check_installed", absent)
    assert list(check_jobs(jobs, configs, runs_here=True)) == jobs[:2]
    assert capsys.readouterr().err == "2 of 4 jobs cannot run: domain=vision needs the package timm\n"
    # On a cluster's machines it may be there.
    assert check_jobs(jobs, configs, runs_here=False) == {}
    assert (
        capsys.readouterr().err
        == "2 of 4 jobs may not run where they are started: domain=vision needs the package timm\n"
    )
    with pytest.raises(UsageError, match="none of the 2 jobs can run: domain=vision needs the package timm"):
        check_jobs(jobs[:2], configs[:2], runs_here=True)


def test_a_test_that_a_model_does_not_have_is_told_before_the_sweep(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["-m", "model=gcn,pgnn", "model.gcn.epochs=1", *SMALL[3:], "stage=models"]
    assert run_command(words) == 2
    found = capsys.readouterr()
    assert found.err.count("1 of 2 jobs cannot run: model=pgnn has no test=augmentation") == 1
    assert len(list((root / "models").rglob("*.safetensors"))) == 4


def test_a_disk_that_is_too_small_is_told_and_the_jobs_run(
    root: Path, trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resi.estimates.disk.free_bytes", lambda _: 1000)
    shutil.copytree(trained, root)
    assert run_command(["-m", *SMALL, "test=augmentation"]) == 0
    assert "free, and the jobs" not in capsys.readouterr().err  # all of it is there
    shutil.rmtree(root / "representations")
    assert run_command(["-m", *SMALL, "test=augmentation", "compare.overwrite=always"]) == 0
    assert capsys.readouterr().err.count("has 1 kB free, and the jobs will write about representations") == 1
