"""A measure that raises, hangs, crashes or takes all memory loses its own comparison and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

import resi
from resi.config.compose import compose
from resi.errors import UsageError
from resi.results.shards import Shard
from tests.conftest import TINY
from tests.faults.running import LONG, TIMES, comparisons, environment, install_plugin, run

NAMES = ["raises", "sleeps", "spins", "exhausts", "leaks", "leaves", "crashes", "crashes_preparing", "crashes_once"]
ERRORS = {
    "raises": "RuntimeError: bad day",
    "sleeps": "TimeoutError: it took longer than compare.time_limit=3 seconds and was stopped",
    "spins": "TimeoutError: it took longer than compare.time_limit=3 seconds and was stopped",
    "exhausts": "MemoryError: it needs more than the 800 MB that compare.isolate leaves it, twice compare.memory",
    "leaks": "MemoryError: it needs more than the 800 MB that compare.isolate leaves it, twice compare.memory",
    "leaves": "ChildProcessError: its process ended with exit code 7, and so did a second one",
    "crashes": "ChildProcessError: its process was ended by SIGSEGV (signal 11), and so was a second one",
    "crashes_preparing": "ChildProcessError: its process ended with exit code 9, and so did a second one",
}
SAFE = ["cka", "rsa", "jaccard"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory):
    """Return a plugin folder, and what a run without isolation and one with it leave, all measures at once."""
    folder = tmp_path_factory.mktemp("isolation")
    plugins = install_plugin(folder / "plugins", "unruly")
    env = environment(plugins, UNRULY_FLAG=str(folder / "flag"))
    plain = resi.run([*TINY, f"measure=[{','.join(SAFE)}]", f"root={folder / 'plain'}"]).comparisons.drop(TIMES)
    for made in ("models", "representations"):  # which the second run need not make again
        shutil.copytree(folder / "plain" / made, folder / "isolated" / made)
    isolate = ["compare.isolate=true", "compare.time_limit=3", "compare.memory=400MB", "compare.threads=2"]
    words = [*TINY, *isolate, f"measure=[{','.join(SAFE + NAMES)}]", f"root={folder / 'isolated'}"]
    return plain, run(words, env), comparisons(folder / "isolated"), (words, env)


def test_values_beside_measures_that_break_are_those_of_an_undisturbed_run(finished) -> None:
    plain, _, isolated, _ = finished
    assert isolated.filter(pl.col("measure").is_in(SAFE)).equals(plain)
    assert set(plain["status"]) == {"ok"}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("crashes_preparing", "crashes_once")])
def test_only_the_pair_on_which_a_measure_breaks_fails_and_says_why(finished, name: str) -> None:
    rows = finished[2].filter(measure=name)
    assert rows.height == 6
    failed = rows.filter(status="failed")
    assert failed.height == 1
    assert failed["error"].item().startswith(ERRORS[name])
    assert rows.filter(status="ok")["value"].null_count() == 0


def test_a_crash_while_preparing_fails_the_pairs_of_that_representation(finished) -> None:
    rows = finished[2].filter(measure="crashes_preparing")
    failed = rows.filter(status="failed")
    assert failed.height == 3
    assert set(failed["error"]) == {ERRORS["crashes_preparing"]}
    assert rows.filter(status="ok").height == 3


def test_a_process_that_dies_once_is_not_held_against_a_measure(finished) -> None:
    rows = finished[2].filter(measure="crashes_once")
    assert Path(finished[3][1]["UNRULY_FLAG"]).exists()
    assert set(rows["status"]) == {"ok"}


def test_the_exit_code_and_one_line_each_tell_what_failed(finished) -> None:
    _, process, isolated, _ = finished
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert f"{isolated.filter(status='failed').height} comparisons failed:" in process.stderr
    assert "1 x leaves: ChildProcessError: its process ended with exit code 7" in process.stderr


def test_a_failure_is_stored_and_not_tried_again(finished) -> None:
    words, env = finished[3]
    again = run(words, env)
    assert again.returncode == 1
    assert "finished before" in again.stderr


def test_a_time_limit_without_a_process_of_its_own_is_refused() -> None:
    with pytest.raises(UsageError, match=r"compare.time_limit=5 needs compare.isolate=true"):
        compose(["compare.time_limit=5"])
    with pytest.raises(UsageError, match=r"compare.time_limit=-1: expected a number of seconds above 0"):
        compose(["compare.time_limit=-1", "compare.isolate=true"])


@LONG
def test_on_error_raise_stops_at_the_measure_that_dies(tmp_path: Path) -> None:
    env = environment(install_plugin(tmp_path / "plugins", "unruly"))
    words = [*TINY, "measure=leaves", "compare.isolate=true", "on_error=raise", f"root={tmp_path / 'home'}"]
    stopped = run(words, env)
    assert stopped.returncode == 1
    assert "its process ended with exit code 7" in stopped.stderr
    assert "Traceback" not in stopped.stderr


@LONG
def test_a_sweep_in_several_processes_can_isolate_its_comparisons(finished, tmp_path: Path) -> None:
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    words = ["-m", *TINY, *launcher, "measure=cka,rsa", "compare.isolate=true", f"root={tmp_path}"]
    swept = run(words, environment())
    assert swept.returncode == 0, swept.stderr
    for shard in (tmp_path / "shards").iterdir():
        rows = Shard(shard).comparisons().drop(TIMES)
        assert rows.equals(finished[0].filter(measure=rows["measure"][0]))
