"""What ``resi plan`` estimates with where a data root has no rates of its own.

    python benchmarks/rates.py src/resi/estimates/rates.json              about a quarter of an hour
    python benchmarks/rates.py src/resi/estimates/rates.json cka rsa      these measures again
    python benchmarks/rates.py --cora FOLDER src/resi/estimates/rates.json    models on Cora's raw files, too
    python benchmarks/rates.py --models src/resi/estimates/rates.json     models alone
    python benchmarks/rates.py --device cuda src/resi/estimates/rates.json    those of a GPU

Seconds a comparison takes, by measure: random representations of three sizes are compared by each measure alone.
Seconds an epoch of training takes (of graph networks for each layer), and a pass over the probe set, of the
architectures on embedded data and on Cora. On a CPU both in one thread, and those of the processor, preparing included,
so that other work on the machine does not count; on a GPU those of the clock, so that nothing else may run.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from resi import registry
from resi.choices import Status
from resi.engine.execution import Engine
from resi.engine.tiles import all_pairs
from resi.estimates.rates import effort
from resi.measures.functional import FUNCTIONAL
from resi.representation import Representation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resi.domains.base import Domain
    from resi.specs import DatasetSpec

SIZES = ((1000, 64), (1000, 768), (5000, 512))
REPRESENTATIONS = 3
MEMORY = 8 << 30
EPOCHS = {"graph": 30, "language": 2, "vision": 3}


class Timer:
    """A device, and the clock that counts on it."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.is_gpu = self.device.type == "cuda"

    def __call__(self) -> float:
        """Return the time now."""
        if self.is_gpu:
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    @property
    def machine(self) -> str:
        """The device in words."""
        return torch.cuda.get_device_name() if self.is_gpu else f"{platform.machine()}, one thread"


def seconds(measure: str, size: tuple[int, int], clock: Timer) -> float | None:
    """Return the mean time of a comparison, or None if one failed."""
    items = {}
    for number in range(REPRESENTATIONS):
        matrix = torch.randn(size, generator=torch.Generator().manual_seed(number))
        items[str(number)] = Representation(str(number), size, "nd", "", lambda matrix=matrix: matrix)
    measures = {measure: registry.measures().get(measure)()}
    tasks = all_pairs(list(items), measures)
    start = clock()
    outcomes = list(Engine(measures, MEMORY, clock.device, 1).run(tasks, items))
    spent = clock() - start
    return spent / len(tasks) if all(outcome.status == Status.ok for outcome in outcomes) else None


Found = dict[str, dict[str, float]]


def models(domain: Domain, dataset: DatasetSpec, architectures: Iterable[str], clock: Timer) -> Found:
    """Return the seconds of training by effort, and of a pass over the probe set, by domain, dataset, architecture."""
    from resi.groundings.base import Models
    from resi.specs import ForwardPass

    found: Found = {"epochs": {}, "passes": {}}
    number = EPOCHS[domain.name]
    for architecture in architectures:
        name = f"{domain.name}/{dataset.name}/{architecture}"
        spent, efforts = [], []
        for count in (1, 1, 1 + number):  # the first imports what it needs; what is done once a training falls out
            common = Models(domain, dataset, architecture, {"epochs": count}, (0,), 3)
            spec = common.spec("standard", 0)
            start = clock()
            trained = domain.train(spec, dataset, clock.device)
            spent.append(clock() - start)
            efforts.append(effort(spec))
        run = ForwardPass(spec, trained.state, dataset, common.probe("standard", "augmentation"), clock.device, MEMORY)
        passes = []
        for _ in range(2):
            start = clock()
            list(domain.extract(run))
            passes.append(clock() - start)
        found["epochs"][name] = float(f"{(spent[2] - spent[1]) / (efforts[2] - efforts[1]):.3g}")
        found["passes"][name] = float(f"{passes[1]:.3g}")
        sys.stdout.write(f"{name}: trainings {spent}, passes {passes}\n")
        sys.stdout.flush()
    return found


def all_models(cora: Path | None, clock: Timer) -> Found:
    """Return those on embedded data, and on Cora if there is a folder with it."""
    found: Found = {"epochs": {}, "passes": {}}
    for name in EPOCHS:
        domain = registry.domains().get(name)()
        add(found, models(domain, domain.locate(domain.default_dataset, None, Path()), domain.default_models, clock))
    if cora is not None:
        graph = registry.domains().get("graph")()
        add(found, models(graph, graph.locate("cora", cora, Path()), (*graph.default_models, "pgnn"), clock))
    return found


def add(found: Found, more: Found) -> None:
    """Put further rates over those that were found."""
    for what, rates in more.items():
        found[what] = {**found.get(what, {}), **rates}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("measures", nargs="*", help="only these; the file keeps all else")
    parser.add_argument("--cora", type=Path, help="folder of Cora's raw files, to measure models on it, too")
    parser.add_argument("--models", action="store_true", help="no measures")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    clock = Timer(arguments.device)
    content = json.loads(arguments.out.read_text()) if arguments.out.is_file() else {}
    known = content.setdefault(arguments.device, {"epochs": {}, "passes": {}, "seconds": {}})
    known["machine"] = clock.machine
    names = arguments.measures or [name for name in registry.measures() if name not in FUNCTIONAL]
    for name in [] if arguments.models else names:
        seconds(name, (100, 8), clock)  # compiles what is compiled at its first use
        known["seconds"][name] = []
        for size in SIZES:
            spent = seconds(name, size, clock)
            sys.stdout.write(f"{name} {size}: {spent}\n")
            sys.stdout.flush()
            if spent is not None:
                known["seconds"][name].append([*size, float(f"{spent:.3g}")])
        write(arguments.out, content)
    if not arguments.measures:
        add(known, all_models(arguments.cora, clock))
        write(arguments.out, content)


def write(path: Path, content: object) -> None:
    """Write JSON in which each rate is a line."""
    text = json.dumps(content, indent=1, sort_keys=True)
    path.write_text(re.sub(r"\[\s+([0-9.e-]+),\s+([0-9.e-]+),\s+([0-9.e-]+)\s+\]", r"[\1, \2, \3]", text) + "\n")


if __name__ == "__main__":
    main()
