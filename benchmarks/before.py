"""Two states of this repository side by side: the same work, the same machine, in turns.

``python benchmarks/before.py REVISION [--cora FOLDER] [--jobs NAME ...]`` compares what is checked out with a revision,
which it checks out into a folder of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parents[1]
RESI = "from resi.cli.main import main; main()"
ALL_MEASURES = "all 24, sum"
MEASURES = """
import functools, json, sys, time
import numpy as np, torch
torch.set_num_threads(THREADS)
import resi
from resi.registry import measures
generator = np.random.default_rng(0)
shared = generator.normal(size=(1000, 64))
given = {f"r{i}": (shared + 0.5 * generator.normal(size=(1000, 64))).astype("float32") for i in range(15)}
names = [name for name in measures() if measures().get(name).benchmark]
resi.pairwise({name: array[:50] for name, array in list(given.items())[:2]}, names)
found = {}
for name in names:
    start, wall = time.process_time(), time.perf_counter()
    resi.pairwise(given, [name])
    found[name] = time.process_time() - start, time.perf_counter() - wall
sys.stdout.write(json.dumps(found))
"""
"""Prints CPU and wall seconds of every measure over 105 pairs; it runs with either state."""
MODELS = ("gcn", "graphsage", "gat")
SEEDS = ",".join(f"[{','.join(map(str, range(first, first + 5)))}]" for first in range(40))
SWEEP = (
    "-m",
    "domain=graph",
    "dataset=digits_knn",
    "model=gcn,graphsage,gat,[gcn,gat],[gcn,graphsage],[gat,graphsage]",
    "test=augmentation,label_randomization,shortcut,output_correlation,layer_monotonicity",
    f"seeds={SEEDS}",
)
CONSOLE = Console(width=120)


class Cost(NamedTuple):
    """CPU seconds of a command with all it starts, and wall seconds."""

    computing: float
    wall: float


def main() -> None:
    """Run the chosen jobs with both states."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", help="the earlier state, as git names it")
    parser.add_argument("--cora", type=Path, help="folder of Cora's raw files")
    parser.add_argument("--jobs", nargs="*", default=["measures", "models", "run", "plan"])
    parser.add_argument("--repeat", type=int, default=3, help="how often measures and plans are repeated in turns")
    arguments = parser.parse_args()
    with checked_out(arguments.revision) as earlier:
        states = {"before": earlier, "after": HERE}
        if "measures" in arguments.jobs:
            for threads in (1, 2):
                bench_measures(states, threads, arguments.repeat)
        commands: dict[str, tuple[Sequence[str], int]] = {}
        if "models" in arguments.jobs:
            commands |= {f"{model}, 5 models": (one_group(model, arguments.cora), 1) for model in MODELS}
        if "run" in arguments.jobs:
            data = of_cora(arguments.cora)
            commands["bare run, 45 models" + (" on Cora" if data else "")] = (["test=augmentation", *data], 1)
        if "plan" in arguments.jobs:
            commands["plan 1200 jobs"] = (["plan", *SWEEP], arguments.repeat)
        if commands:
            bench_commands(states, commands)


@contextlib.contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Yield a folder that holds the repository in an earlier state."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "before")
        subprocess.run(["git", "worktree", "add", "-q", "--detach", str(path), revision], check=True, cwd=HERE)
        try:
            yield path
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(path)], check=True, cwd=HERE)


def bench_measures(states: dict[str, Path], threads: int, repeat: int) -> None:
    """Print the seconds of every measure over 105 pairs, the least of some repetitions in turns."""
    found: dict[str, dict[str, Cost]] = {state: {} for state in states}
    for _ in range(repeat):
        for state, folder in states.items():
            done = subprocess.run(
                [sys.executable, "-c", MEASURES.replace("THREADS", str(threads))],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
                env=environment(folder, threads),
            )
            for name, cost in json.loads(done.stdout.splitlines()[-1]).items():
                known = found[state].get(name, Cost(*cost))
                found[state][name] = Cost(*map(min, known, cost))
    for sums in found.values():
        sums[ALL_MEASURES] = Cost(*map(sum, zip(*sums.values(), strict=True)))
    _print(f"105 pairs of 1000x64, float32, threads: {threads}, least of {repeat}", found)


def bench_commands(states: dict[str, Path], commands: dict[str, tuple[Sequence[str], int]]) -> None:
    """Print the seconds of whole processes, each from an empty data root."""
    found: dict[str, dict[str, Cost]] = {state: {} for state in states}
    for name, (words, repeat) in commands.items():
        for _ in range(repeat):
            for state, folder in states.items():
                with tempfile.TemporaryDirectory() as root:
                    cost = run([sys.executable, "-c", RESI, *words, f"root={root}"], environment(folder, None))
                found[state][name] = Cost(*map(min, found[state].get(name, cost), cost))
    _print(f"whole processes, {os.cpu_count()} cores", found)


def one_group(model: str, cora: Path | None) -> list[str]:
    """Return the words of a run that trains five models alike, and does nothing else."""
    return ["test=output_correlation", f"model={model}", "seeds=[0,1,2,3,4]", "stage=models", *of_cora(cora)]


def of_cora(folder: Path | None) -> list[str]:
    """Return the words that choose Cora, or none."""
    return [] if folder is None else ["dataset=cora", f"dataset.root={folder.absolute()}"]


def run(command: Sequence[str], variables: dict[str, str]) -> Cost:
    """Run a command to its end, and return what it took."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=variables)
    after = os.times()
    computing = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(computing, time.perf_counter() - start)


def environment(folder: Path, threads: int | None) -> dict[str, str]:
    """Return the variables of a process that imports the package from a folder."""
    limits = {} if threads is None else {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return {**os.environ, "PYTHONPATH": str(folder / "src"), **limits}


def _print(title: str, found: dict[str, dict[str, Cost]]) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("job", "before, CPU s", "after, CPU s", "ratio", "before, wall s", "after, wall s", "ratio"):
        table.add_column(column, justify="left" if column == "job" else "right")
    for name, before in found["before"].items():
        after = found["after"][name]
        cells = [
            text
            for old, new in zip(before, after, strict=True)
            for text in (f"{old:.2f}", f"{new:.2f}", f"{old / new:.1f}x")
        ]
        table.add_row(name, *cells)
    CONSOLE.print(table)


if __name__ == "__main__":
    main()
