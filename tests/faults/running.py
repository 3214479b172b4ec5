"""Running resi in real processes, and reading what they leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl

from tests.conftest import REPOSITORY
from tests.test_plugins import install

COMMAND = [sys.executable, "-c", "from resi.app import main; main()"]
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


def start(words: list[str], env: dict[str, str]) -> subprocess.Popen[str]:
    """Start resi as a process group of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*COMMAND, *words], text=True, env=env, start_new_session=True, **pipes)


def run(words: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run resi to its end."""
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=env, timeout=600, check=False)


def comparisons(root: Path) -> pl.DataFrame:
    """Return the comparisons of the only finished shard below a data root, without times."""
    (path,) = (root / "shards").glob("*/comparisons.parquet")
    return pl.read_parquet(path).drop(TIMES)
