"""Running resi in real processes, and reading what they leave."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, NamedTuple

import polars as pl
import pytest

from tests.conftest import REPOSITORY
from tests.registry.test_plugins import install

COMMAND = [sys.executable, "-c", "from resi.cli.main import main; main()"]
RECORDED = [sys.executable, "-c", "import recorder; from resi.cli.main import main; main()"]
LONG = pytest.mark.skipif("RESI_FAULTS" not in os.environ, reason="takes minutes: python -m nox -s faults")
FOLDER = Path(__file__).parent
# What differs from run to run.
TIMES = ["seconds", "prepare_seconds"]


def environment(plugins: Path | None = None, **changes: str) -> dict[str, str]:
    """Return an environment with one thread, and the plugins below a folder."""
    path = [str(REPOSITORY / "src")] + ([str(plugins)] if plugins else [])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path), **changes}


def install_plugin(folder: Path, name: str) -> Path:
    """Lay out a plugin of this folder as an installed distribution; return where."""
    install(folder, name, (FOLDER / f"{name}.py").read_text())
    return folder


def start(words: list[str], env: dict[str, str], output: IO[str] | None = None) -> subprocess.Popen[str]:
    """Start resi as a process group of its own; with ``RECORD`` in the environment, it notes what it does there.

    What it says goes to ``output``, a file, or else to pipes, which hold 64 KB until somebody reads them.
    """
    pipes = {"stdout": output or subprocess.PIPE, "stderr": subprocess.STDOUT if output else subprocess.PIPE}
    command = RECORDED if "RECORD" in env else COMMAND
    return subprocess.Popen([*command, *words], text=True, env=env, start_new_session=True, **pipes)


class Note(NamedTuple):
    """One line of the file in which the recorder notes what a process begins."""

    pid: int
    stage: str
    detail: str


def notes(path: Path) -> list[Note]:
    """Return what has been noted so far."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Note(int(pid), stage, detail) for pid, stage, detail in (line.split(" ") for line in lines)]


def wait_for(path: Path, stage: str | None, skip: int, process: subprocess.Popen[str]) -> Note | None:
    """Wait until a stage, or any, is noted after the first ``skip`` notes; None if the process ends before."""
    while True:
        has_ended = process.poll() is not None
        found = next((note for note in notes(path)[skip:] if stage in (None, note.stage)), None)
        if found or has_ended:
            return found
        time.sleep(0.01)


def run(words: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run resi to its end."""
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=env, timeout=600, check=False)


def comparisons(root: Path) -> pl.DataFrame:
    """Return the comparisons of the only finished shard below a data root, without times."""
    (path,) = (root / "shards").glob("*/comparisons.parquet")
    return pl.read_parquet(path).drop(TIMES)
