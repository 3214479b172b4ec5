"""Full-batch training of a three-layer GCN on a synthetic graph of the size of ogbn-arxiv; one JSON line of its cost.

python benchmarks/training.py resi        our training
python benchmarks/training.py pyg         PyG's model in a bare loop, messages along edges
python benchmarks/training.py pyg-sparse  the same with a sparse adjacency matrix
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import torch
from torch.nn.functional import cross_entropy

from resi.domains.graph import GraphDomain
from resi.domains.graph.data import Graph
from resi.domains.graph.training import train_on
from resi.specs import ModelSpec

N_NODES, N_PAIRS, N_FEATURES, N_CLASSES, N_TRAIN = 169_343, 1_157_799, 128, 40, 90_941
WIDTH = 256


def main() -> None:
    """Time epochs after the first one, and print seconds an epoch and the peak memory in GB."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loop", choices=["resi", "pyg", "pyg-sparse"])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--shrink", type=int, default=1, help="divide nodes and edges by that number")
    parser.add_argument("--setting", default="standard", help="such as augmentation_50, for our training")
    arguments = parser.parse_args()
    graph = synthetic(arguments.shrink)
    if arguments.loop == "resi":
        seconds = time_resi(graph, arguments.epochs, arguments.setting)
    else:
        seconds = time_pyg(graph, arguments.epochs, sparse=arguments.loop == "pyg-sparse")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"loop": arguments.loop, "seconds": seconds, "peak": peak}))  # noqa: T201


def synthetic(shrink: int) -> Graph:
    """Return random edges in both directions, random features and labels."""
    draws = torch.Generator().manual_seed(0)
    n_nodes = N_NODES // shrink
    pairs = torch.randint(0, n_nodes, (2, N_PAIRS // shrink), generator=draws)
    nodes = torch.arange(n_nodes)
    n_train = N_TRAIN // shrink
    return Graph(
        features=torch.randn(n_nodes, N_FEATURES, generator=draws),
        edges=torch.cat([pairs, pairs.flip(0)], dim=1),
        labels=torch.randint(0, N_CLASSES, (n_nodes,), generator=draws),
        train=nodes[:n_train],
        validation=nodes[n_train:],
        test=nodes[n_train:],
        probe=nodes[n_train:],
        classes=N_CLASSES,
    )


def time_resi(graph: Graph, epochs: int, setting: str) -> float:
    """Return the seconds of an epoch: what more epochs take longer than one."""

    def seconds(count: int) -> float:
        values = GraphDomain().hyperparameters("gcn", "ogbn_arxiv", setting, {"epochs": count})
        spec = ModelSpec("graph", "ogbn_arxiv", "synthetic", "gcn", setting, 0, values, 1)
        start = time.perf_counter()
        train_on(graph, spec, torch.device("cpu"))
        return time.perf_counter() - start

    once = seconds(1)
    return (seconds(1 + epochs) - once) / epochs


def time_pyg(graph: Graph, epochs: int, sparse: bool) -> float:
    """Return the seconds of an epoch of a loop with nothing but what training needs."""
    from torch_geometric.nn import GCN
    from torch_geometric.utils import to_torch_csr_tensor

    model = GCN(N_FEATURES, WIDTH, 3, N_CLASSES, dropout=0.5, norm="BatchNorm")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    n_nodes = len(graph.labels)
    edges = to_torch_csr_tensor(graph.edges, size=(n_nodes, n_nodes)) if sparse else graph.edges
    model.train()
    start = 0.0
    for epoch in range(1 + epochs):
        if epoch == 1:
            start = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(model(graph.features, edges)[graph.train], graph.labels[graph.train]).backward()
        optimizer.step()
    return (time.perf_counter() - start) / epochs


if __name__ == "__main__":
    main()
