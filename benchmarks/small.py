"""Seconds of one thread to train a small model of each architecture, and the floor that its products set.

The floor is the floating-point operations of all products and convolutions, forward and backward, at the rate at which
one thread of this machine multiplies large matrices. Prints a table, or one JSON line an architecture with ``--json``,
by which the same trainings of another version are compared: ``PYTHONPATH=OTHER/src python benchmarks/small.py --json``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from common import CONSOLE, product_rate
from resi import registry
from resi.specs import ModelSpec

if TYPE_CHECKING:
    from resi.domains.base import Domain

SMALL = {
    "language": ("reviews", ("bert_tiny", "albert_tiny", "smollm2_tiny")),
    "vision": ("digits", ("tiny_resnet", "tiny_vgg", "tiny_vit")),
}


def main() -> None:
    """Train the models one after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="default: all")
    parser.add_argument("--seeds", type=int, default=2, help="models of each; the fastest counts")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rate = product_rate("float32")
    found = [
        {"model": name, **cost(domain, dataset, name, arguments.seeds)}
        for domain, (dataset, names) in SMALL.items()
        for name in names
        if name in (arguments.models or names)
    ]
    if arguments.json:
        for row in found:
            print(json.dumps({**row, "rate": rate}))  # noqa: T201
    else:
        show(found, rate)


def cost(domain_name: str, dataset: str, architecture: str, seeds: int) -> dict[str, Any]:
    """Return the seconds of a training, its floating-point operations and the test or validation accuracies."""
    domain = registry.domains().get(domain_name)()
    with tempfile.TemporaryDirectory() as folder:
        data = domain.locate(dataset, None, Path(folder))
        train(domain, data, spec_of(domain, data, architecture, 0, epochs=1))  # so that all is loaded
        with FlopCounterMode(display=False) as counter:
            train(domain, data, spec_of(domain, data, architecture, 0, epochs=1))
        seconds, accuracies = float("inf"), []
        for seed in range(seeds):
            spec = spec_of(domain, data, architecture, seed)
            start = time.process_time()
            found = train(domain, data, spec)
            seconds = min(seconds, time.process_time() - start)
            accuracies.append(found.accuracies.get("test", found.accuracies["validation"]))
    operations = counter.get_total_flops() * spec.hyperparameters["epochs"]
    return {"seconds": seconds, "operations": operations, "accuracies": accuracies}


def spec_of(domain: Domain, data: Any, architecture: str, seed: int, **changes: Any) -> ModelSpec:
    """Return a standard model."""
    values = domain.hyperparameters(architecture, data.name, "standard", changes)
    version = domain.training_version()
    return ModelSpec(domain.name, data.name, data.content, architecture, "standard", seed, values, version)


def train(domain: Domain, data: Any, spec: ModelSpec) -> Any:
    """Train a model on the CPU."""
    return domain.train(spec, data, torch.device("cpu"))


def show(found: list[dict[str, Any]], rate: float) -> None:
    """Print the table."""
    title = f"training a small model on one thread; products at {rate / 1e9:.0f} GFlop/s"
    table = Table(title=title, title_justify="left")
    for column in ("model", "CPU seconds", "GFlop of products", "floor, s", "seconds over floor"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for row in found:
        floor = row["operations"] / rate
        numbers = (row["seconds"], row["operations"] / 1e9, floor, row["seconds"] / floor)
        table.add_row(row["model"], *(f"{number:.3g}" for number in numbers))
    CONSOLE.print(table)


if __name__ == "__main__":
    main()
