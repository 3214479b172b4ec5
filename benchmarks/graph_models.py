"""Graph models of many seeds: seconds of CPU and test accuracies, compared between two states of the code.

python benchmarks/graph_models.py train NEW.jsonl --dataset cora --root FOLDER --seeds 40
PYTHONPATH=OTHER/src python benchmarks/graph_models.py train OLD.jsonl --dataset cora --root FOLDER --seeds 40
python benchmarks/graph_models.py table OLD.jsonl NEW.jsonl

Models train on one thread. A file that is there is continued, so that two states can be trained by turns.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any


def main() -> None:
    """Train models, or print the table of two files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("out", type=Path)
    training.add_argument("--dataset", default="cora")
    training.add_argument("--root", type=Path, help="folder of the dataset's files")
    training.add_argument("--architectures", default="gcn,graphsage,gat,pgnn")
    training.add_argument("--settings", default="standard")
    training.add_argument("--first", type=int, default=0)
    training.add_argument("--seeds", type=int, default=40)
    table = commands.add_parser("table")
    table.add_argument("files", type=Path, nargs=2)
    arguments = parser.parse_args()
    if arguments.command == "train":
        train(arguments)
    else:
        sys.stdout.write(compare(*(read(path) for path in arguments.files)))


def train(arguments: argparse.Namespace) -> None:
    """Add a line to the file for each model that it does not have yet."""
    import torch

    from resi.domains.graph import GraphDomain
    from resi.domains.graph.loading import load_graph
    from resi.domains.graph.training import train_on
    from resi.specs import ModelSpec

    torch.set_num_threads(1)
    domain, name = GraphDomain(), arguments.dataset
    graph = load_graph(domain.locate(name, arguments.root, Path("downloads")))
    done = {key for key, _ in read(arguments.out)} if arguments.out.exists() else set()
    for architecture in arguments.architectures.split(","):
        for setting in arguments.settings.split(","):
            values = domain.hyperparameters(architecture, name, setting, {})
            for seed in range(arguments.first, arguments.first + arguments.seeds):
                key = (name, architecture, setting, seed)
                if key in done:
                    continue
                spec = ModelSpec("graph", name, "", architecture, setting, seed, values, domain.training_version())
                start = time.process_time()
                accuracy = train_on(graph, spec, torch.device("cpu")).accuracies["test"]
                row = {"key": key, "accuracy": accuracy, "seconds": time.process_time() - start}
                with arguments.out.open("a") as file:
                    file.write(f"{json.dumps(row)}\n")


Rows = list[tuple[tuple[Any, ...], dict[str, float]]]


def read(path: Path) -> Rows:
    """Return dataset, architecture, setting and seed of each model, and what was measured."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [(tuple(row.pop("key")), row) for row in rows]


def compare(old: Rows, new: Rows) -> str:
    """Return the table of both states: mean accuracies, their difference in its standard errors, median seconds."""
    sides = [by_kind(old), by_kind(new)]
    lines = [
        "| dataset | architecture | setting | models | accuracy before | now | difference | seconds before | now |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in sides[0]:
        if kind not in sides[1]:
            continue
        before, now = sides[0][kind], sides[1][kind]
        means, errors = zip(*(mean_and_error([row["accuracy"] for row in rows]) for rows in (before, now)), strict=True)
        difference = (means[1] - means[0]) / math.hypot(*errors)
        seconds = [statistics.median(row["seconds"] for row in rows) for rows in (before, now)]
        cells = [*kind, f"{len(before)} and {len(now)}"]
        cells += [f"{mean:.4f} ± {error:.4f}" for mean, error in zip(means, errors, strict=True)]
        cells += [f"{difference:+.1f}", *(f"{value:.1f}" for value in seconds)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def by_kind(rows: Rows) -> dict[tuple[str, ...], list[dict[str, float]]]:
    """Return rows by dataset, architecture and setting."""
    found = defaultdict(list)
    for key, row in rows:
        found[key[:3]].append(row)
    return dict(found)


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values))


if __name__ == "__main__":
    main()
