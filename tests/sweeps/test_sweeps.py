"""What became of the jobs of a sweep, read from what they, their launcher and their absence tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from resi.sweeps.records import Job, note_job, note_lost, note_planned, note_start, read_jobs
from resi.sweeps.report import print_report
from resi.sweeps.sweep import Sweep, SweepReport

JOBS = [Job(number, ("domain=graph", f"measure={name}", "hydra.x=1")) for number, name in enumerate("abcd")]
DONE = {"counts": {"ok": 6, "failed": 0}, "outcome": "done", "detail": "shard", "exit_code": 0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a sweep of four jobs: done, told to be lost, broken off in silence, never begun."""
    note_planned(tmp_path, JOBS[:3])
    note_planned(tmp_path, JOBS[3:])
    for job in JOBS[:3]:
        output = tmp_path / str(job.number)
        output.mkdir()
        note_start(output, {"number": job.number, "job": job.label, "counts": {}})
    note_job(tmp_path / "0", {"number": 0, "job": JOBS[0].label, **DONE})
    note_lost(tmp_path, JOBS[1], "killed")
    note_lost(tmp_path, JOBS[0], "its process died after the job")
    return tmp_path


def test_every_planned_job_is_told_of(folder: Path) -> None:
    records = read_jobs(folder)
    assert [record["job"] for record in records] == [f"domain=graph measure={name}" for name in "abcd"]
    assert [record["outcome"] for record in records] == ["done", "failed", "not finished", "not run"]
    assert [record["exit_code"] for record in records] == [0, 1, 1, 1]
    assert records[1]["detail"] == "killed"
    assert "did not record how it ended" in records[2]["detail"]


def test_the_report_gives_every_job_and_the_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = Sweep(folder=folder)
    sweep.report()
    found = capsys.readouterr()
    for text in ("measure=a", "measure=d", "6 ok", "killed", "not run"):
        assert text in found.out
    assert "4 jobs: 1 done, 1 failed, 1 not finished, 1 not run" in found.err
    assert sweep.exit_code == 1
    sweep.report()
    assert capsys.readouterr() == ("", "")  # told once


def test_of_many_jobs_those_that_failed_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    records = [{"number": n, "job": f"job={n}", **DONE, "exit_code": int(n == 77)} for n in range(100)]
    print_report(records)
    found = capsys.readouterr()
    assert "job=77" in found.out
    assert "job=76" not in found.out
    assert "100 jobs: 100 done" in found.err


def test_the_table_fits_the_terminal_and_breaks_no_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    words = ["domain=graph", "model=gcn", "model.gcn.epochs=20", "test=accuracy_correlation", "seeds=[0]"]
    shard = "graph-digits_knn-accuracy_correlation-8ac985c7c0a8"
    done = {**DONE, "outcome": "comparisons failed", "job": " ".join(words), "detail": shard}
    lost = {**DONE, "outcome": "failed", "job": "model=gat", "detail": "dataset.root=/a holds no Cora", "counts": {}}
    print_report([done, lost])
    found = capsys.readouterr()
    lines = found.out.splitlines()
    assert max(map(len, lines)) <= 80
    for word in (*words, "comparisons failed", "model=gat", "1 x dataset.root=/a holds no Cora", "left out: shard"):
        assert any(word in line for line in lines), word
    assert "2 jobs: 1 with failed comparisons, 1 failed" in found.err
    monkeypatch.setenv("COLUMNS", "200")
    print_report([done, lost])
    wide = capsys.readouterr().out.splitlines()
    assert any(" ".join(words) in line and line.endswith(shard) for line in wide)


def test_a_sweep_broken_off_before_its_first_job_has_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = Sweep(folder=tmp_path)
    note_planned(tmp_path, JOBS)
    with pytest.raises(RuntimeError), sweep.running():
        raise RuntimeError
    assert capsys.readouterr() == ("", "")
    assert sweep.exit_code == 1


def test_what_hydra_creates_finds_the_sweep_of_the_command_and_no_other(folder: Path) -> None:
    sweep = Sweep()
    with sweep.running():
        assert Sweep.current() is SweepReport().sweep is sweep
        with Sweep().running():
            assert Sweep.current() is not sweep
        assert Sweep.current() is sweep
    assert Sweep.current() is None
    alone = SweepReport()
    assert alone.sweep is not SweepReport().sweep
    alone.on_multirun_start(OmegaConf.create({"hydra": {"sweep": {"dir": str(folder)}}}))
    assert read_jobs(folder) == []  # those of an earlier sweep in the same folder
