"""Our speed beside the published code's: startup, the main job, and every measure. See README.md in this folder."""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import combinations, permutations
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

# Seconds of the published code, measured on two cores with one thread.
PUBLISHED_TRAINING = 1114.0
PUBLISHED_COMPARE = 365.0  # 21 measures, 315 pairs, with evaluation
PUBLISHED_SIZES = {"1000x64": (1000, 64), "5000x512": (5000, 512)}
PUBLISHED_SECONDS_PER_PAIR: dict[str, tuple[float | None, float | None]] = {
    "imd": (41.0, 150.0),
    "rtd": (30.0, 12.0),
    "rsm_norm_difference": (0.24, 30.0),
    "rsa": (0.22, 4.6),
    "eigenspace_overlap": (0.09, 13.0),
    "uniformity_difference": (0.05, 3.9),
    "distance_correlation": (0.06, 3.1),
    "second_order_cosine": (0.09, 0.90),
    "pwcca": (0.01, 1.4),
    "svcca": (0.01, 1.9),
    "jaccard": (0.07, 0.69),
    "rank_similarity": (0.08, 0.63),
    "cka": (0.006, 0.09),
}
PUBLISHED_ALL_24 = 88.0  # seconds a pair of 1000x64
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
RESI = [sys.executable, "-c", "from resi.app import main; main()"]
SECTIONS = ("startup", "run", "measures", "large", "vision", "scores")
# In this order every test but the last trains models of its own; the last finds those of the first two.
VISION_TESTS = (
    "layer_monotonicity",
    "accuracy_correlation",
    "label_randomization",
    "shortcut",
    "augmentation",
    "output_correlation",
)
CONSOLE = Console(width=120)


def main() -> None:
    """Run the chosen sections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], help="default: all")
    parser.add_argument("--cora", type=Path, help="folder of Cora's raw files, for the section `run`")
    parser.add_argument("--sizes", nargs="*", default=list(PUBLISHED_SIZES), choices=PUBLISHED_SIZES)
    arguments = parser.parse_args()
    for section in arguments.sections or SECTIONS:
        SECTION[section](arguments)


def bench_startup(_arguments: argparse.Namespace) -> None:
    """Time whole processes that should be instant."""
    table = Table(title="startup: whole processes, median of 5", title_justify="left")
    for column in ("command", "seconds", "goal"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    with tempfile.TemporaryDirectory() as home:
        run = ["model=gcn", "model.gcn.epochs=1", "seeds=[0,1]", "groups=2", "measure=cka", f"root={home}"]
        subprocess.run([*RESI, *run], check=True, capture_output=True)
        commands = {
            "import resi": [sys.executable, "-c", "import resi"],
            "resi --help": [*RESI, "--help"],
            "resi list measures": [*RESI, "list", "measures"],
            "a finished run": [*RESI, *run],
        }
        for name, command in commands.items():
            times = [_wall(lambda c=command: subprocess.run(c, check=True, capture_output=True)) for _ in range(5)]
            table.add_row(name, f"{statistics.median(times):.2f}", "under 1 s" if name != "a finished run" else "")
    CONSOLE.print(table)


def bench_run(arguments: argparse.Namespace) -> None:
    """Time the augmentation test on Cora, stage by stage, each stage a process of its own with one thread."""
    if arguments.cora is None:
        CONSOLE.print("run: left out; it needs --cora FOLDER, where Cora's raw files lie")
        return
    table = Table(
        title="augmentation test on Cora: 3 architectures x 3 settings x 5 seeds, one thread", title_justify="left"
    )
    for column in ("stage", "seconds", "published", "ratio", "peak memory"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    with tempfile.TemporaryDirectory() as home:
        base = [*RESI, "dataset=cora", f"dataset.root={arguments.cora.absolute()}", f"root={home}"]
        stages = [
            ("train 45 models", [*base, "stage=models"], PUBLISHED_TRAINING),
            ("extract", [*base, "stage=representations"], None),
            ("compare and score cka, 315 pairs", [*base, "measure=cka"], None),
            ("compare and score all but the costliest three, 315 pairs", [*base, _measures()], PUBLISHED_COMPARE),
        ]
        for name, command, published in stages:
            seconds = _wall(lambda c=command: subprocess.run(c, check=True, capture_output=True, env=_environment()))
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
            table.add_row(name, f"{seconds:.1f}", *_ratio(published, seconds), f"{peak:.2f} GB so far")
    CONSOLE.print(table)


def bench_large(_arguments: argparse.Namespace) -> None:
    """Time full-batch training on a graph of the size of ogbn-arxiv beside bare PyG loops, each in its own process."""
    table = Table(
        title="training a 3-layer GCN, 169 thousand nodes, 2.3 million edges, all threads", title_justify="left"
    )
    for column in ("loop", "seconds an epoch", "epochs a second over bare PyG", "peak memory"):
        table.add_column(column, justify="left" if column == "loop" else "right")
    script = str(Path(__file__).with_name("large_graph.py"))
    found = {}
    for loop in ("pyg", "pyg-sparse", "resi"):
        done = subprocess.run([sys.executable, script, loop], check=True, capture_output=True, text=True)
        found[loop] = json.loads(done.stdout.splitlines()[-1])
        ratio = found["pyg"]["seconds"] / found[loop]["seconds"]
        table.add_row(loop, f"{found[loop]['seconds']:.2f}", f"{ratio:.1f}x", f"{found[loop]['peak']:.1f} GB")
    CONSOLE.print(table)


def bench_vision(_arguments: argparse.Namespace) -> None:
    """Time the six tests on the embedded digits from nothing, each a process with one thread."""
    table = Table(title="vision: tests on digits, tiny_vgg, measure cka, one thread", title_justify="left")
    for column in ("test", "seconds", "peak memory"):
        table.add_column(column, justify="left" if column == "test" else "right")
    with tempfile.TemporaryDirectory() as home:
        for test in VISION_TESTS:
            words = ["domain=vision", f"test={test}", "model=tiny_vgg", "measure=cka", f"root={home}"]
            command = [*RESI, *words]
            seconds = _wall(lambda c=command: subprocess.run(c, check=True, capture_output=True, env=_environment()))
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
            table.add_row(test, f"{seconds:.0f}", f"{peak:.2f} GB so far")
    CONSOLE.print(table)


def bench_measures(arguments: argparse.Namespace) -> None:
    """Time every measure alone over 105 pairs, preparing included; in a process with one thread."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        command = [sys.executable, __file__, "measures", "--sizes", *arguments.sizes]
        subprocess.run(command, check=True, env=_environment())
        return
    import numpy as np
    import torch

    import resi
    from resi.console import progress
    from resi.registry import measures

    torch.set_num_threads(1)
    CONSOLE.print(f"BLAS: {_blas_rate():.0f} GFlop/s in float64, one thread")
    known = [name for name in measures() if measures().get(name).benchmark]
    names = sorted(known, key=lambda name: (name not in PUBLISHED_SECONDS_PER_PAIR, name))
    for size in arguments.sizes:
        rows, columns = PUBLISHED_SIZES[size]
        generator = np.random.default_rng(0)
        shared = generator.normal(size=(rows, columns))
        given = {f"r{i}": shared + 0.5 * generator.normal(size=(rows, columns)) for i in range(15)}
        resi.pairwise({name: array[:50] for name, array in given.items()}, names)  # imports and compiles beforehand
        seconds = {}
        with progress(f"measures on {size}", len(names)) as advance:
            for name in names:
                seconds[name] = _wall(functools.partial(resi.pairwise, given, [name]))
                advance()
        together = _wall(functools.partial(resi.pairwise, given, names))
        CONSOLE.print(_measures_table(size, seconds, together))


def bench_scores(_arguments: argparse.Namespace) -> None:
    """Time the scores of 24 measures on 3 architectures, given random comparisons in the benchmark's numbers."""
    from resi.results.scoring import score_table

    table = Table(title="scores: 24 measures x 3 architectures, from the table of comparisons", title_justify="left")
    for column in ("test", "comparisons", "corrected", "published", "goal"):
        table.add_column(column, justify="left" if column == "test" else "right")
    groups = [(f"augmentation_{level}", seed, "1") for level in range(3) for seed in range(5)]
    seeds = [("standard", seed, "1") for seed in range(10)]
    layers = [[("standard", seed, str(layer)) for layer in range(5)] for seed in range(5)]
    for test, members, functional in (
        ("augmentation", [groups], []),
        ("output_correlation", [seeds], ["jsd", "disagreement"]),
        ("accuracy_correlation", [seeds], ["accuracy_difference"]),
        ("layer_monotonicity", layers, []),
    ):
        comparisons = _random_comparisons(members, functional)
        seconds = [_wall(functools.partial(score_table, comparisons, test, how)) for how in ("corrected", "published")]
        table.add_row(test, str(comparisons.height), *(f"{time_:.2f}" for time_ in seconds), "under 2 s")
    CONSOLE.print(table)


def _random_comparisons(members: list[list[tuple[str, int, str]]], functional: list[str]) -> pl.DataFrame:
    """Return comparisons of all pairs in each list of (setting, seed, layer), by 24 measures on 3 architectures."""
    import numpy as np
    import polars as pl

    from resi.registry import measures

    draw = np.random.default_rng(0)
    rows = []
    for architecture in ("a", "b", "c"):
        for name in [*(name for name in measures() if measures().get(name).benchmark), *functional]:
            symmetric = name in functional or measures().get(name).symmetric
            for part in members:
                for a, b in (combinations if symmetric else permutations)(part, 2):
                    rows.append(("bench", "random", architecture, *a, *b, name, "{}", draw.normal(), str(len(rows))))
    sides = [f"{name}_{side}" for side in "ab" for name in ("setting", "seed", "layer")]
    columns = ["domain", "dataset", "architecture", *sides, "measure", "parameters", "value", "key"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def _measures_table(size: str, seconds: dict[str, float], together: float) -> Table:
    table = Table(title=f"measures: 15 representations of {size}, 105 pairs, one thread", title_justify="left")
    for column in ("measure", "seconds", "ms a pair", "published ms a pair", "ratio"):
        table.add_column(column, justify="left" if column == "measure" else "right")
    index = list(PUBLISHED_SIZES).index(size)
    for name, time_ in seconds.items():
        table.add_row(name, *_pair_cells(time_, PUBLISHED_SECONDS_PER_PAIR.get(name, (None, None))[index]))
    table.add_section()
    table.add_row("sum of these", *_pair_cells(sum(seconds.values()), None))
    whole = PUBLISHED_ALL_24 if size == "1000x64" and len(seconds) == 24 else None
    table.add_row(f"all {len(seconds)} in one call", *_pair_cells(together, whole))
    return table


def _pair_cells(seconds: float, published: float | None) -> tuple[str, ...]:
    ours = seconds / 105
    shown = ("", "") if published is None else (f"{1000 * published:.0f}", f"{published / ours:.1f}x")
    return (f"{seconds:.2f}", f"{1000 * ours:.2f}", *shown)


def _measures() -> str:
    """Return the words for the measures of the published comparison: without the three that took hours."""
    from resi.registry import measures

    costly = ("imd", "rsm_norm_difference", "rtd")
    return f"measure=[{','.join(n for n in measures() if measures().get(n).benchmark and n not in costly)}]"


def _blas_rate() -> float:
    import torch

    a = torch.randn(2000, 2000, dtype=torch.float64)
    return 16e9 / min(_wall(lambda: a @ a) for _ in range(5)) / 1e9


def _environment() -> dict[str, str]:
    return {**os.environ, **ONE_THREAD}


def _wall(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _ratio(published: float | None, ours: float) -> tuple[str, str]:
    return ("", "") if published is None else (f"{published:.0f}", f"{published / ours:.1f}x")


SECTION = {
    "startup": bench_startup,
    "run": bench_run,
    "measures": bench_measures,
    "large": bench_large,
    "vision": bench_vision,
    "scores": bench_scores,
}

if __name__ == "__main__":
    main()
