"""What ``resi plan`` predicts, and what came: seconds and bytes of a few cheap runs; and how long a plan itself takes.

    python benchmarks/plans.py               half a minute
    python benchmarks/plans.py --jobs 2000   a plan of so many jobs, too

Each run has a data root of its own, one worker and one thread. Of its seconds those of the processor count, which other
work on the machine hardly changes; what every run does once, such as importing torch, is no part of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

RUNS = {
    "graph: gcn, six seeds, all measures": (
        "model=gcn", "seeds=[0,1,2]", "groups=2", "test=augmentation", "measure=benchmark"
    ),
    "graph: gat, layers": ("model=gat", "seeds=[0,1]", "test=layer_monotonicity", "measure=[cka,rsa,jaccard]"),
    "vision: tiny_resnet, layers": (
        "domain=vision", "model=tiny_resnet", "seeds=[0,1]", "test=layer_monotonicity", "measure=[cka,rsa,procrustes]"
    ),
    "language: bert_tiny": (
        "domain=language", "model=bert_tiny", "seeds=[0,1]", "test=output_correlation", "measure=[cka,jaccard]"
    ),
}  # fmt: skip
WATCHED = """
import sys, time
from pathlib import Path
import resi
from resi.registry import domains
words = sys.argv[1:]
chosen = [word.removeprefix("domain=") for word in words if word.startswith("domain=")]
domain = domains().get(*chosen or ["graph"])()
domain.warm_up(domain.locate(domain.default_dataset, None, Path()), domain.default_models)
start = time.process_time()
resi.run(words)
sys.stdout.write(f"{time.process_time() - start}")
"""
SEEDS = 10
CONSOLE = Console(width=120)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, help="time a plan of about so many jobs")
    parser.add_argument("--only", default="", help="only the runs whose name holds this")
    arguments = parser.parse_args()
    if arguments.jobs:
        time_plan(arguments.jobs)
        if not arguments.only:
            return
    table = Table(title="predicted / came", title_justify="left")
    for name in ("run", "seconds", "", "models", "", "representations", "", "shard", ""):
        table.add_column(name, justify="left" if name == "run" else "right")
    for name, words in RUNS.items():
        if arguments.only in name:
            table.add_row(name, *compare(words))
    CONSOLE.print(table)


def compare(words: tuple[str, ...]) -> list[str]:
    """Return what was predicted of a run and what came, and the ratio of each."""
    with tempfile.TemporaryDirectory() as folder:
        common = [*words, f"root={folder}", "workers=1", "compare.threads=1", "device=cpu"]
        plan = json.loads(python("-m", "resi", "plan", *common, "--json"))
        spent = float(python("-c", WATCHED, *common))
        came = {name: size_of(Path(folder, name)) for name in ("models", "representations", "shards")}
    seconds = plan["time"]["cpu"]["seconds"]
    cells = [f"{seconds:.1f} / {spent:.1f}", f"{seconds / spent:.2f}"]
    for name, size in came.items():
        predicted = plan["disk"][name]["bytes"]
        cells += [f"{predicted / 1000:.0f} / {size / 1000:.0f} kB", f"{predicted / size:.2f}"]
    return cells


def time_plan(jobs: int) -> None:
    """Print the time that a plan of a sweep takes, for each job."""
    tests = ("augmentation", "label_randomization", "shortcut", "output_correlation")
    models = ("gcn", "graphsage", "gat", "[gcn,gat]", "[gcn,graphsage]")
    count = max(1, jobs // (len(tests) * len(models)))
    seeds = ",".join(str(list(range(first, first + SEEDS))).replace(" ", "") for first in range(count))
    words = ["-m", f"test={','.join(tests)}", f"model={','.join(models)}", f"seeds={seeds}"]
    with tempfile.TemporaryDirectory() as folder:
        before = os.times()
        start = time.perf_counter()
        plan = json.loads(python("-m", "resi", "plan", *words, f"root={folder}", "--json"))
        wall, after = time.perf_counter() - start, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    number = plan["jobs"]
    CONSOLE.print(
        f"a plan of {number} jobs: {spent:.2f} s of processor, {spent / number * 1000:.2f} ms a job ({wall:.2f} s)"
    )


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def python(*words: str) -> str:
    """Return what a process of one thread prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, env=environment)
    return done.stdout


if __name__ == "__main__":
    main()
