"""Sweeps in processes of this machine: what jobs may use, and what becomes of a sweep when a job dies."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resi.machine.memory import machine_memory
from resi.machine.resources import available_cores
from resi.sweeps.records import FAILED
from tests.conftest import REPOSITORY
from tests.faults.running import LONG
from tests.sweeps.launchers.sweep import SEEDS, Sweep, command, environment, sweep

START_SECONDS = 300
# Another number than two jobs would get by themselves, and one that there are cores for.
EXPLICIT_THREADS = 2 if available_cores() in (2, 3) else 1


@pytest.fixture(scope="module")
def joblib_sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    home = tmp_path_factory.mktemp("joblib")
    words = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    return sweep(home, *words, PROBE_KILL="1", PROBE_RAISE="2", CUDA_VISIBLE_DEVICES="5,3")


@pytest.fixture(scope="module")
def submitit_sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    pytest.importorskip("submitit")
    home = tmp_path_factory.mktemp("submitit")
    words = ("hydra/launcher=submitit_local", "hydra.launcher.n_jobs=2", f"compare.threads={EXPLICIT_THREADS}")
    return sweep(home, *words, PROBE_KILL="1", PROBE_RAISE="2", PROBE_PREEMPT="3", CUDA_VISIBLE_DEVICES="5,3")


@pytest.mark.parametrize("name", ["joblib_sweep", pytest.param("submitit_sweep", marks=LONG)])
def test_a_job_that_dies_takes_no_other_with_it(name: str, request: pytest.FixtureRequest) -> None:
    found: Sweep = request.getfixturevalue(name)
    assert found.code == 1, found.stderr
    assert found.outcomes() == ["done", FAILED, FAILED, "done"]
    assert "RuntimeError: told to fail" in found.jobs()[2]["detail"]
    assert "killed, out of memory" in found.jobs()[1]["detail"]
    assert "4 jobs: 2 done, 2 failed" in found.stderr
    for number in range(1, 5):
        assert f"seeds=[0,{number}]" in found.stdout
    assert [found.tries(number) for number in range(3)] == [1, 1, 1]


def test_joblib_tells_which_signal_ended_a_job(joblib_sweep: Sweep) -> None:
    assert "(SIGKILL(-9))" in joblib_sweep.jobs()[1]["detail"]


@pytest.mark.parametrize("number", [0, 3])
def test_processes_share_cores_and_memory(joblib_sweep: Sweep, number: int) -> None:
    seen, threads = joblib_sweep.probe(number), max(1, available_cores() // 2)
    assert (seen["torch"], seen["numba"], seen["polars"], seen["cores"]) == (threads,) * 4
    assert seen["pools"]
    assert set(seen["pools"].values()) == {threads}
    assert seen["memory"] == int(machine_memory() // 2 * 0.5)
    assert seen["slot"][1] == 2
    assert seen["visible"] == "5,3"


@LONG
@pytest.mark.parametrize("number", [0, 3])
def test_explicit_threads_win_and_devices_stay_visible(submitit_sweep: Sweep, number: int) -> None:
    seen = submitit_sweep.probe(number)
    assert (seen["torch"], seen["numba"], seen["polars"]) == (EXPLICIT_THREADS,) * 3
    assert set(seen["pools"].values()) == {EXPLICIT_THREADS}
    assert seen["cores"] == max(1, available_cores() // 2)
    assert seen["slot"][1] == 2
    assert seen["visible"] == "5,3"


@LONG
def test_a_preempted_job_is_queued_again_and_ends(submitit_sweep: Sweep) -> None:
    assert submitit_sweep.tries(3) == 2
    assert submitit_sweep.outcomes()[3] == "done"


@pytest.fixture
def waiting_sweep(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a sweep of which two jobs wait in their processes, and two have not begun."""
    words = (SEEDS, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    with subprocess.Popen(
        command(*words),
        env=environment(tmp_path, PROBE_WAIT="0,1,2,3"),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        _wait_for(lambda: len(list(tmp_path.glob("sweeps/*/*/waiting"))) == 2)
        yield process


@LONG
def test_an_interrupt_reaches_each_job_once_and_the_report_is_made(
    waiting_sweep: subprocess.Popen[str], tmp_path: Path
) -> None:
    os.killpg(waiting_sweep.pid, signal.SIGINT)  # as a terminal's Ctrl-C does
    stdout, stderr = waiting_sweep.communicate(timeout=START_SECONDS)
    assert waiting_sweep.returncode == 130, stderr
    assert {path.parent.name for path in tmp_path.glob("sweeps/*/*/kept")} == {"0", "1"}
    assert stdout.count("not finished") == 2, stdout + stderr
    assert stdout.count("not run") == 2, stdout + stderr


@LONG
def test_jobs_end_with_the_process_that_started_them_and_keep_what_is_finished(
    waiting_sweep: subprocess.Popen[str], tmp_path: Path
) -> None:
    workers = [int(path.read_text()) for path in tmp_path.glob("sweeps/*/*/tries")]
    waiting_sweep.kill()
    waiting_sweep.communicate(timeout=START_SECONDS)
    _wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert {path.parent.name for path in tmp_path.glob("sweeps/*/*/kept")} == {"0", "1"}


def _wait_for(is_so: Callable[[], bool]) -> None:
    for _ in range(START_SECONDS * 10):
        if is_so():
            return
        time.sleep(0.1)
    raise TimeoutError
