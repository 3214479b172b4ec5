"""Our speed beside the published code's: startup, the main job, and every measure. See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds of the published code, measured on two cores with one thread.
PUBLISHED_TRAINING = 1114.0
PUBLISHED_COMPARE = 365.0  # 21 measures, 315 pairs, with evaluation
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
RESI = [sys.executable, "-c", "from resi.cli.main import main; main()"]
SECTIONS = (
    "startup",
    "run",
    "measures",
    "tools",
    "large",
    "floors",
    "growth",
    "scores",
    "training",
    "extraction",
    "chance",
    "before",
    "images",
    "small",
    "vision",
    "language",
)
# Embedded dataset and default architecture of the domains whose six tests are timed.
EMBEDDED = {"vision": ("digits", "tiny_vgg"), "language": ("reviews", "bert_tiny")}
# In this order every test trains models of its own but the last, which finds those of the second.
TESTS = (
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
    parser.add_argument(
        "--sizes", nargs="*", default=["1000x64", "5000x512"], help="of the sections `measures` and `floors`"
    )
    parser.add_argument("--models", nargs="*", help="of the sections `vision` and `language`")
    parser.add_argument(
        "--before", default="HEAD~1", help="of the section `before`: the earlier state, as git names it"
    )
    parser.add_argument("--samples", type=int, default=50_000, help="of the section `extraction`")
    parser.add_argument("--home", type=Path, help="data root that `vision` and `language` keep their models in")
    arguments = parser.parse_args()
    for section in arguments.sections or SECTIONS:
        if section == "startup":
            bench_startup()
        elif section == "run":
            bench_run(arguments.cora)
        elif section == "training":
            bench_training()
        elif section == "extraction":
            bench_extraction(arguments.samples)
        elif section == "before":
            cora = ["--cora", str(arguments.cora)] if arguments.cora else []
            _run_script("before", [arguments.before, *cora], dict(os.environ))
        elif section in EMBEDDED:
            with tempfile.TemporaryDirectory() as home:
                bench_tests(section, arguments.models, arguments.home or Path(home))
        else:
            # In a process of its own, as the number of threads is read when libraries are loaded.
            is_own = section in ("scores", "chance", "floors", "growth", "images", "small")
            sizes = arguments.sizes if section in ("measures", "floors") else []
            _run_script(section if is_own else "measures", [*([] if is_own else [section]), *sizes], _environment())


def _run_script(name: str, words: list[str], environment: dict[str, str]) -> None:
    """Run a script of this folder."""
    subprocess.run([sys.executable, str(Path(__file__).with_name(f"{name}.py")), *words], check=True, env=environment)


def bench_tests(domain: str, models: list[str] | None, home: Path) -> None:
    """Time the six tests of a domain on its embedded dataset, each in a process of its own with one thread."""
    dataset, default = EMBEDDED[domain]
    for model in models or [default]:
        table = Table(title=f"{domain}: tests on {dataset}, {model}, measure cka, one thread", title_justify="left")
        for column in ("test", "models trained", "seconds", "of them computing", "peak memory"):
            table.add_column(column, justify="left" if column == "test" else "right")
        trained = home / "models" / domain / dataset / model
        for test in TESTS:
            before = _count_models(trained)
            words = [f"domain={domain}", f"test={test}", f"model={model}", "measure=cka", f"root={home}"]
            cost = _cost([*RESI, *words])
            count = _count_models(trained) - before
            table.add_row(test, str(count), f"{cost.seconds:.0f}", f"{cost.computing:.0f}", f"{cost.peak / 1e9:.2f} GB")
        CONSOLE.print(table)


def _count_models(folder: Path) -> int:
    return len(list(folder.glob("*.safetensors")))


def bench_startup() -> None:
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


def bench_training() -> None:
    """Time full-batch training on a graph of the size of ogbn-arxiv beside bare PyG loops, each in its own process."""
    table = Table(
        title="training a 3-layer GCN, 169 thousand nodes, 2.3 million edges, all threads", title_justify="left"
    )
    for column in ("loop", "seconds an epoch", "epochs a second over bare PyG", "peak memory"):
        table.add_column(column, justify="left" if column == "loop" else "right")
    script = str(Path(__file__).with_name("training.py"))
    found = {}
    for loop in ("pyg", "pyg-sparse", "resi"):
        done = subprocess.run([sys.executable, script, loop], check=True, capture_output=True, text=True)
        found[loop] = json.loads(done.stdout.splitlines()[-1])
        ratio = found["pyg"]["seconds"] / found[loop]["seconds"]
        table.add_row(loop, f"{found[loop]['seconds']:.2f}", f"{ratio:.1f}x", f"{found[loop]['peak']:.1f} GB")
    CONSOLE.print(table)


def bench_extraction(n_samples: int) -> None:
    """Time extraction into a folder beside its forward passes alone, in turns, each in a process with one thread."""
    table = Table(title="extraction of 12 layers x 768 into a folder, one thread, medians of 3", title_justify="left")
    for column in ("network", "samples", "forward passes, CPU s", "extraction, CPU s", "overhead", "peak memory"):
        table.add_column(column, justify="left" if column == "network" else "right")
    script = str(Path(__file__).with_name("extraction.py"))
    for network, samples, name in (("mlp", n_samples, "12 MLP blocks"), ("bert", n_samples // 25, "BERT, 16 tokens")):
        found: dict[str, list[dict[str, float]]] = {"bare": [], "folder": []}
        for way in ["bare", "folder"] * 3:
            command = [sys.executable, script, way, "--network", network, "--samples", str(samples)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=_environment())
            found[way].append(json.loads(done.stdout.splitlines()[-1]))
        bare, ours = (statistics.median(each["processor"] for each in found[way]) for way in ("bare", "folder"))
        peak = max(each["peak"] for each in found["folder"])
        overhead = f"{ours / bare - 1:.1%} (goal: 10%)"
        table.add_row(name, str(samples), f"{bare:.1f}", f"{ours:.1f}", overhead, f"{peak:.2f} GB (goal: 2 GB)")
    CONSOLE.print(table)


def bench_run(cora: Path | None) -> None:
    """Time the augmentation test on Cora, stage by stage, each stage a process of its own with one thread."""
    if cora is None:
        CONSOLE.print("run: left out; it needs --cora FOLDER, where Cora's raw files lie")
        return
    table = Table(
        title="augmentation test on Cora: 3 architectures x 3 settings x 5 seeds, one thread", title_justify="left"
    )
    for column in ("stage", "CPU seconds", "wall seconds", "published", "CPU ratio", "peak memory"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    with tempfile.TemporaryDirectory() as home:
        base = [*RESI, "dataset=cora", f"dataset.root={cora.absolute()}", f"root={home}"]
        stages = [
            ("train 45 models", [*base, "stage=models"], PUBLISHED_TRAINING),
            ("extract", [*base, "stage=representations"], None),
            ("compare and score cka, 315 pairs", [*base, "measure=cka"], None),
            ("compare and score all but the costliest three, 315 pairs", [*base, _measures()], PUBLISHED_COMPARE),
        ]
        for name, command, published in stages:
            before = _children_seconds()
            wall = _wall(lambda c=command: subprocess.run(c, check=True, capture_output=True, env=_environment()))
            seconds = _children_seconds() - before
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
            row = (name, f"{seconds:.1f}", f"{wall:.1f}", *_ratio(published, seconds), f"{peak:.2f} GB so far")
            table.add_row(*row)
    CONSOLE.print(table)


def _measures() -> str:
    """Return the words for the measures of the published comparison: without the three that took hours."""
    from resi.registry import measures

    costly = ("imd", "rsm_norm_difference", "rtd")
    return f"measure=[{','.join(n for n in measures() if measures().get(n).benchmark and n not in costly)}]"


class Cost(NamedTuple):
    """What a process took: wall-clock seconds, seconds of computing on all cores, bytes of memory at its peak."""

    seconds: float
    computing: float
    peak: float


def _cost(command: list[str]) -> Cost:
    """Run a command to its end; its output goes nowhere unless it fails."""
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=_environment()) as job,
    ):
        _, status, used = os.wait4(job.pid, 0)
        job.returncode = os.waitstatus_to_exitcode(status)
        if job.returncode:
            output.seek(0)
            raise SystemExit(f"{shlex.join(command)} failed:\n{output.read().decode()}")
    return Cost(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def _environment() -> dict[str, str]:
    return {**os.environ, **ONE_THREAD}


def _wall(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _children_seconds() -> float:
    """Return the processor time of all processes started so far; beside other work it tells more than wall time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ratio(published: float | None, ours: float) -> tuple[str, str]:
    return ("", "") if published is None else (f"{published:.0f}", f"{published / ours:.1f}x")


if __name__ == "__main__":
    main()
