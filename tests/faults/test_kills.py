"""Kill -9 of any process of a sweep at any time: the rerun goes on, to the tables of an undisturbed sweep."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import polars as pl

from resi.cli.main import run_command
from resi.results.merge import merge_shards
from resi.results.shards import Shard
from tests.conftest import TINY
from tests.faults.running import LONG, TIMES, environment, install_plugin, notes, start, wait_for


class Kill(NamedTuple):
    """When to kill which process of a sweep.

    Attributes
    ----------
    stage : str or None
        What the process has just begun; None: whatever it is.
    earlier : int
        How many notes come before in this sweep.
    delay : float
        Seconds from then on.
    rest : float or None
        Seconds after which all other processes are killed, too; None lets them come to their end.
    """

    stage: str | None
    delay: float
    earlier: int = 0
    rest: float | None = None


def kill(planned: Kill, words: list[str], env: dict[str, str]) -> bool:
    """Start a sweep and kill what is planned; return whether there was a process to kill."""
    record = Path(env["RECORD"])
    log = record.with_name("log")
    with log.open("w") as output:
        process = start(words, env, output)
    try:
        note = wait_for(record, planned.stage, len(notes(record)) + planned.earlier, process)
        if note is None:
            assert process.returncode == 0, log.read_text()
            return False
        time.sleep(planned.delay)
        try:
            os.kill(note.pid, signal.SIGKILL)
        except ProcessLookupError:  # a worker that has nothing left to do ends
            os.kill(process.pid, signal.SIGKILL)
        if planned.rest is not None:
            time.sleep(planned.rest)
            return True
        process.wait(timeout=300)
        told = log.read_text()
        # The process that was killed is the sweep itself, or one of its workers.
        assert process.returncode == -signal.SIGKILL or (process.returncode == 1 and "SIGKILL" in told), told
    finally:
        # Workers whose parent was killed may be left, as on a real machine.
        kill_group(process)
    return True


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill what is left of a process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def merged(root: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Merge a data root, and return its comparisons without times, and its scores."""
    assert merge_shards([root], root / "results").problems == []
    scores, batches = Shard(root / "results").tables()
    return pl.concat(batches).drop(TIMES), scores


def assert_survives(tmp_path: Path, sweep: list[str], kills: list[Kill]) -> None:
    """Kill a sweep so often, let it finish, and compare its merged tables with those of an undisturbed one."""
    env = environment(install_plugin(tmp_path / "plugins", "recorder"), RECORD=str(tmp_path / "record"))
    made = 0
    for planned in kills:
        made += kill(planned, [*sweep, f"root={tmp_path / 'killed'}"], env)
    assert made == len(kills), "the sweep is too short for so many kills"
    assert run_command([*sweep, f"root={tmp_path / 'killed'}"]) == 0
    assert run_command([*sweep, f"root={tmp_path / 'undisturbed'}"]) == 0
    ours, theirs = merged(tmp_path / "killed"), merged(tmp_path / "undisturbed")
    assert ours[0].equals(theirs[0])
    assert ours[1].equals(theirs[1])
    assert set(ours[0]["status"]) == {"ok"}


@LONG
def test_a_kill_while_a_shard_is_written_loses_nothing(tmp_path: Path) -> None:
    assert_survives(tmp_path, ["-m", *TINY, "measure=cka", "workers=1"], [Kill("write", 0.001)])


@LONG
def test_two_kills_lose_nothing(tmp_path: Path) -> None:
    sweep = ["-m", *TINY, "measure=cka,rsa"]
    assert_survives(tmp_path, sweep, [Kill("train", 0.05), Kill("write", 0.001)])


@LONG
def test_thirty_kills_of_random_workers_at_random_times_lose_nothing(tmp_path: Path) -> None:
    draw = random.Random(8)
    # One worker is killed, and the machine goes down up to a second later: 30 sweeps that went on would be too long.
    # A job makes about 30 notes, most of them of comparisons.
    kills = [Kill(None, draw.random() ** 3 * 0.3, draw.randrange(24), draw.random()) for _ in range(30)]
    sweep = [
        "-m", "model=gcn", "model.gcn.epochs=2", "model.gcn.hidden_channels=8", "groups=2",
        "seeds=[0,1,2,3,4],[0,1,2],[0,1,3],[0,1,4],[0,2,3]",
        "test=augmentation,label_randomization,shortcut",
        "measure=cka,procrustes,jaccard,rsa,svcca,pwcca,gulp,linear_regression",
        "hydra/launcher=joblib", "hydra.launcher.n_jobs=2",
    ]  # fmt: skip
    assert_survives(tmp_path, sweep, kills)
