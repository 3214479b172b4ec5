"""What ``resi plan`` estimates with where a data root has no rates of its own.

    python benchmarks/rates.py src/resi/estimates/rates.json              about a quarter of an hour
    python benchmarks/rates.py src/resi/estimates/rates.json cka rsa      these measures again
    python benchmarks/rates.py --cora FOLDER src/resi/estimates/rates.json    training on Cora's raw files, too

Seconds a comparison takes, by measure: random representations of three sizes are compared by each measure alone.
Seconds an epoch of training takes, of the architectures on embedded data and on Cora. Both in one thread, and those
of the processor, preparing included, so that other work on the machine does not count.
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


def seconds(measure: str, size: tuple[int, int]) -> float | None:
    """Return the mean time of a comparison, or None if one failed."""
    items = {}
    for number in range(REPRESENTATIONS):
        matrix = torch.randn(size, generator=torch.Generator().manual_seed(number))
        items[str(number)] = Representation(str(number), size, "nd", "", lambda matrix=matrix: matrix)
    measures = {measure: registry.measures().get(measure)()}
    tasks = all_pairs(list(items), measures)
    start = time.process_time()
    outcomes = list(Engine(measures, MEMORY, torch.device("cpu"), 1).run(tasks, items))
    spent = time.process_time() - start
    return spent / len(tasks) if all(outcome.status == Status.ok for outcome in outcomes) else None


def epochs(domain: Domain, dataset: DatasetSpec, architectures: Iterable[str]) -> dict[str, float]:
    """Return the seconds of an epoch by domain, dataset and architecture."""
    from resi.groundings.base import Models

    found = {}
    number = EPOCHS[domain.name]
    for architecture in architectures:
        spent = []
        for count in (1, 1, 1 + number):  # the first imports what it needs; what is done once a training falls out
            models = Models(domain, dataset, architecture, {"epochs": count}, (0,), 3)
            start = time.process_time()
            domain.train(models.spec("standard", 0), dataset, torch.device("cpu"))
            spent.append(time.process_time() - start)
        found[f"{domain.name}/{dataset.name}/{architecture}"] = float(f"{(spent[2] - spent[1]) / number:.3g}")
        sys.stdout.write(f"{domain.name}/{dataset.name}/{architecture}: {spent}\n")
        sys.stdout.flush()
    return found


def all_epochs(cora: Path | None) -> dict[str, float]:
    """Return the seconds of an epoch on embedded data, and on Cora if there is a folder with it."""
    found = {}
    for name in EPOCHS:
        domain = registry.domains().get(name)()
        found |= epochs(domain, domain.locate(domain.default_dataset, None, Path()), domain.default_models)
    if cora is not None:
        graph = registry.domains().get("graph")()
        found |= epochs(graph, graph.locate("cora", cora, Path()), (*graph.default_models, "pgnn"))
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("measures", nargs="*", help="only these; the file keeps all else")
    parser.add_argument("--cora", type=Path, help="folder of Cora's raw files, to measure training on it, too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    known = json.loads(arguments.out.read_text()) if arguments.out.is_file() else {}
    rates = known.get("seconds", {})
    for name in arguments.measures or [name for name in registry.measures() if name not in FUNCTIONAL]:
        seconds(name, (100, 8))  # compiles what is compiled at its first use
        rates[name] = []
        for size in SIZES:
            spent = seconds(name, size)
            sys.stdout.write(f"{name} {size}: {spent}\n")
            sys.stdout.flush()
            if spent is not None:
                rates[name].append([*size, float(f"{spent:.3g}")])
        content = {"machine": f"{platform.machine()}, one thread", "epochs": known.get("epochs", {}), "seconds": rates}
        write(arguments.out, content)
    if not arguments.measures:
        write(arguments.out, {**content, "epochs": {**content["epochs"], **all_epochs(arguments.cora)}})


def write(path: Path, content: object) -> None:
    """Write JSON in which each rate is a line."""
    text = json.dumps(content, indent=1, sort_keys=True)
    path.write_text(re.sub(r"\[\s+([0-9.e-]+),\s+([0-9.e-]+),\s+([0-9.e-]+)\s+\]", r"[\1, \2, \3]", text) + "\n")


if __name__ == "__main__":
    main()
