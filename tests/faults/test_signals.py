"""Ctrl-C and SIGTERM in every stage: an exit code, one line, what is done is kept, and the next run goes on."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

import resi
from resi.cli.main import run_command
from tests.conftest import TINY
from tests.faults.running import LONG, TIMES, comparisons, environment, install_plugin, notes, start, wait_for

CODES = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}
STOPS = [(stage, number) for stage in ("train", "extract", "compare", "score", "write") for number in CODES]
WORDS = [*TINY, "measure=[cka,rsa]"]


def stop_in(stage: str, number: signal.Signals, words: list[str], env: dict[str, str]) -> str:
    """Run until a stage is reached, send a signal there, check how the run ends, and return what it said."""
    record = Path(env["RECORD"])
    process = start(words, {**env, "RECORD_PAUSE": stage})
    try:
        assert wait_for(record, stage, len(notes(record)), process), process.communicate()
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    code, word = CODES[number]
    assert process.returncode == code, errors
    told = f"{word}; finished work is kept, and the same command resumes it"
    assert errors.splitlines()[-1] == told
    assert "Traceback" not in errors
    return errors


@LONG
def test_a_run_stopped_in_its_stages_goes_on_to_the_values_of_an_undisturbed_one(tmp_path: Path) -> None:
    plugins = install_plugin(tmp_path / "plugins", "recorder")
    home = tmp_path / "home"
    env = environment(plugins, RECORD=str(tmp_path / "record"))
    for stage, number in STOPS:
        stop_in(stage, number, [*WORDS, f"root={home}"], env)
        assert not list(home.rglob("*.tmp"))
    assert run_command([*WORDS, f"root={home}"]) == 0
    # No model was trained twice but those that were being trained when a signal came.
    trained = [note.detail for note in notes(tmp_path / "record") if note.stage == "train"]
    assert len(trained) - len(set(trained)) <= sum(stage == "train" for stage, _ in STOPS)
    assert len(set(trained)) == 4
    undisturbed = resi.run([*WORDS, f"root={tmp_path / 'undisturbed'}"]).comparisons.drop(TIMES)
    assert comparisons(home).equals(undisturbed)


@LONG
def test_a_hanging_measure_does_not_keep_ctrl_c_from_stopping_a_run(tmp_path: Path) -> None:
    plugins = install_plugin(install_plugin(tmp_path / "plugins", "recorder"), "unruly")
    env = environment(plugins, RECORD=str(tmp_path / "record"))
    words = [*TINY, "measure=[cka,sleeps]", "compare.threads=2", f"root={tmp_path / 'home'}"]
    process = start(words, env)
    try:
        while sum(note.stage == "compare" for note in notes(tmp_path / "record")) < 6:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert list((tmp_path / "home" / "shards").glob("*/parts/*.parquet"))


@pytest.mark.parametrize("number", CODES)
def test_a_merge_that_is_stopped_leaves_the_earlier_tables_whole(tmp_path: Path, number: signal.Signals) -> None:
    from resi.results.merge import merge_shards
    from resi.results.shards import Shard
    from tests.results.rows import comparison
    from tests.results.test_shards import finish

    finish(tmp_path, "one", [comparison("a")])
    merge_shards([tmp_path], tmp_path / "results")
    finish(tmp_path, "two", [comparison("b")])
    plugins = install_plugin(tmp_path / "plugins", "recorder")
    env = environment(plugins, RECORD=str(tmp_path / "record"))
    stop_in("replace", number, ["merge", str(tmp_path)], env)
    results = tmp_path / "results"
    assert Shard(results).comparisons()["key"].to_list() == ["a"]
    assert not list(results.glob(".merge-*"))
    assert run_command(["merge", str(tmp_path)]) == 0
    assert Shard(results).comparisons()["key"].to_list() == ["a", "b"]
