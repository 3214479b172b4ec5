"""Whether batches of texts of like length cost accuracy: small language models of many seeds, trained both ways.

``python benchmarks/batching.py [MODEL ...] [--seeds 24]`` prints seconds of one thread, validation accuracies, and the
mean difference over seeds with its standard error.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from rich.table import Table

from common import CONSOLE
from resi import registry
from resi.console import progress
from small import SMALL, spec_of, train

WAYS = ("random", "by_length")


def main() -> None:
    """Train all seeds of all models in turns."""
    dataset, known = SMALL["language"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=known, help=f"default: {', '.join(known)}")
    parser.add_argument("--seeds", type=int, default=24, help="models of each way")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(title=f"{arguments.seeds} models trained on {dataset} in either kind of batches, one thread")
    for column in (
        "model",
        "random, s",
        "by length, s",
        "accuracy, random",
        "by length",
        "difference",
        "standard error",
    ):
        table.add_column(column, justify="left" if column == "model" else "right")
    for model in arguments.models:
        table.add_row(model, *compared(dataset, model, arguments.seeds))
    CONSOLE.print(table)


def compared(dataset: str, model: str, seeds: int) -> list[str]:
    """Return the median seconds and mean accuracy of both ways, and how far accuracies of a seed differ."""
    domain = registry.domains().get("language")()
    seconds, accuracies = np.zeros((2, seeds)), np.zeros((2, seeds))
    with tempfile.TemporaryDirectory() as folder, progress(f"{model} in either way", seeds) as advance:
        data = domain.locate(dataset, None, Path(folder))
        for seed in range(seeds):
            for index, batching in enumerate(WAYS):
                spec = spec_of(domain, data, model, seed, batching=batching)
                start = time.process_time()
                found = train(domain, data, spec)
                seconds[index, seed] = time.process_time() - start
                accuracies[index, seed] = found.accuracies["validation"]
            advance()
    gained = accuracies[1] - accuracies[0]
    error = gained.std(ddof=1) / np.sqrt(seeds)
    means = [f"{each:.4f}" for each in accuracies.mean(axis=1)]
    return [*(f"{each:.1f}" for each in np.median(seconds, axis=1)), *means, f"{gained.mean():+.4f}", f"{error:.4f}"]


if __name__ == "__main__":
    main()
