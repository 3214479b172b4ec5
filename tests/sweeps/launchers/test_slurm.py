"""Sweeps on Slurm: the batch script, and how a job that has died is told from one that waits."""

from __future__ import annotations

import pickle
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from resi.errors import UsageError
from resi.machine.resources import available_cores
from resi.sweeps.launchers import slurm
from resi.sweeps.records import FAILED, Job
from tests.sweeps.launchers.sweep import SEEDS, command, environment, sweep

SQUEUE = """#!/bin/sh
# Tells of the jobs in the file beside it, as squeue does; of a job that is not there it knows nothing.
grep "^${4#--jobs=}_" "$(dirname "$0")/queue" || { echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; }
"""


def script_of(home: Path, *words: str) -> list[str]:
    """Return the lines of the script that a dry run prints."""
    found = subprocess.run(
        command(SEEDS, "hydra.launcher.dry_run=true", *words),
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


def test_a_dry_run_prints_the_resources_and_submits_nothing(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    lines = script_of(tmp_path, "hydra/launcher=slurm_gpu", "hydra.launcher.partition=gpu", "hydra.launcher.mem_gb=40")
    for line in (
        "#SBATCH --array=0-3%4",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --gpus-per-node=1",
        "#SBATCH --job-name=resi",
        "#SBATCH --mem=40GB",
        "#SBATCH --partition=gpu",
        "#SBATCH --requeue",
        "#SBATCH --signal=USR2@120",
        "#SBATCH --time=1440",
    ):
        assert line in lines
    assert " --cpus-per-task=8 " in next(line for line in lines if line.startswith("srun "))
    assert not list(tmp_path.glob("sweeps/*/*/job.json"))
    assert not list(tmp_path.rglob("*.pkl"))


def test_many_jobs_become_several_arrays() -> None:
    assert list(slurm.array_sizes(2500, 1000)) == [(1000, 2), (500, 1)]
    assert list(slurm.array_sizes(1000, 1000)) == [(1000, 1)]
    assert list(slurm.array_sizes(3, 1000)) == [(3, 1)]


def test_without_slurm_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    launcher = _launcher(tmp_path)
    with pytest.raises(UsageError, match=r"srun is not on this machine; .*dry_run=true"):
        list(launcher.run([], None))  # type: ignore[arg-type]


def test_a_job_without_result_that_left_the_queue_has_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    import submitit

    monkeypatch.setattr(slurm, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(slurm, "QUEUE_POLL_SECONDS", 0.0)
    (tmp_path / "squeue").write_text(SQUEUE)
    (tmp_path / "squeue").chmod(0o755)
    (tmp_path / "queue").write_text("77_2\n77_3\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    names = ["77_0", "77_1", "77_2", "77_3"]
    handles = [submitit.SlurmJob(tmp_path, name) for name in names]
    running = {name: (Job(number, (name,)), handles[number]) for number, name in enumerate(names)}
    _write_result(handles[1], (0, ""))

    ends = slurm.wait_for(running, ["77"])
    assert [next(ends), next(ends)] == [
        (Job(1, ("77_1",)), 0, ""),
        (
            Job(0, ("77_0",)),
            1,
            "its process ended without a result: killed, out of memory, or out of time; "
            f"its log: {handles[0].paths.stderr}",
        ),
    ]
    _write_result(handles[3], (1, "RuntimeError: told to fail"))
    job, code, reason = next(ends)
    assert (job.number, code) == (3, 1)
    assert reason.startswith("RuntimeError: told to fail; its log: ")
    (tmp_path / "queue").write_text("")  # as when Slurm has forgotten the array
    assert next(ends)[:2] == (Job(2, ("77_2",)), 1)
    assert list(ends) == []


def test_a_queue_that_cannot_be_asked_says_nothing_of_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slurm.queued_jobs(["77"]) is None


@pytest.mark.skipif(shutil.which("sbatch") is None, reason="there is no Slurm on this machine")
def test_on_a_real_cluster_a_job_that_dies_takes_no_other_with_it(tmp_path: Path) -> None:
    threads = 1 if available_cores() > 1 else 2
    words = ("hydra/launcher=submitit_slurm", f"hydra.launcher.cpus_per_task={threads}", "hydra.launcher.mem_gb=2")
    found = sweep(tmp_path, *words, "hydra.launcher.array_size=3", PROBE_KILL="1", PROBE_RAISE="2")
    assert found.outcomes() == ["done", FAILED, FAILED, "done"]
    assert found.code == 1
    for number in (0, 3):
        seen = found.probe(number)
        assert (seen["torch"], seen["polars"], set(seen["pools"].values())) == (threads, threads, {threads})
        assert seen["memory"] == 2**30


def _launcher(folder: Path) -> slurm.SlurmLauncher:
    from omegaconf import OmegaConf

    from hydra_plugins.resi_launchers import SlurmLauncher
    from resi.config.launchers import SlurmOptions

    options = OmegaConf.to_container(OmegaConf.structured(SlurmOptions(submitit_folder=str(folder))))
    assert isinstance(options, dict)
    del options["_target_"]
    launcher = SlurmLauncher(**options)
    launcher.config = OmegaConf.create({})
    return launcher


def _write_result(handle: SimpleNamespace, result: tuple[int, str]) -> None:
    path = handle.paths.result_pickle
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(("success", result)))
