"""Sweeps of the probe, run as a user would, and what they leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resi.machine.resources import MEMORY, SLOT, THREAD_VARIABLES
from tests.conftest import REPOSITORY

SEEDS = "seeds=[0,1],[0,2],[0,3],[0,4]"
JOBS = 4


@dataclass
class Sweep:
    """A sweep that has ended."""

    code: int
    stdout: str
    stderr: str
    folder: Path

    def jobs(self) -> list[dict[str, Any]]:
        from resi.sweeps.records import read_jobs

        return read_jobs(self.folder)

    def outcomes(self) -> list[str]:
        return [record["outcome"] for record in self.jobs()]

    def probe(self, number: int) -> dict[str, Any]:
        return json.loads((self.folder / str(number) / "probe.json").read_text())

    def tries(self, number: int) -> int:
        return len((self.folder / str(number) / "tries").read_text().splitlines())


def environment(home: Path, **told: str) -> dict[str, str]:
    """Return this process's environment, with nothing in it that says how many threads or which devices to use."""
    ours = {*THREAD_VARIABLES, SLOT, MEMORY, "CUDA_VISIBLE_DEVICES"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    path = os.pathsep.join((str(REPOSITORY / "src"), str(REPOSITORY)))
    return {**kept, "PYTHONPATH": path, "RESI_HOME": str(home), **told}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "tests.sweeps.launchers.probe", "-m", *words]


def sweep(home: Path, *words: str, **told: str) -> Sweep:
    """Run four jobs."""
    found = subprocess.run(
        command(SEEDS, *words),
        env=environment(home, **told),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    folders = sorted((home / "sweeps").glob("*"))
    assert folders, found.stderr
    return Sweep(found.returncode, found.stdout, found.stderr, folders[-1])
