"""Training of graph models: full batch, Adam, a fixed number of epochs, the last weights kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from resi.domains.base import DatasetSpec, ModelSpec, Trained
from resi.domains.graph.architectures import build_model
from resi.domains.graph.data import Graph, load_graph
from resi.domains.graph.settings import EDGE_DROP
from resi.randomness import forked_torch, torch_generator

if TYPE_CHECKING:
    from torch import Tensor
    from torch_geometric.nn.models.basic_gnn import BasicGNN


def train(spec: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
    """Train one model: one forward pass an epoch, and one at the end for the accuracies.

    Everything is drawn by the model's seed: weights and dropout, and which edges an epoch drops.
    """
    graph = load_graph(dataset).to(device)
    with graph.suitable_threads(), forked_torch(device, spec.seed, "graph training"):
        model = build_model(spec.architecture, spec.hyperparameters, graph.features.shape[1], graph.classes).to(device)
        _fit(model, graph, spec)
    return Trained(dict(model.state_dict()), accuracies(model, graph))


def _fit(model: BasicGNN, graph: Graph, spec: ModelSpec) -> None:
    optimizer = torch.optim.Adam(
        model.parameters(),
        lr=spec.hyperparameters["learning_rate"],
        weight_decay=spec.hyperparameters["weight_decay"],
    )
    targets = graph.labels[graph.train]
    probability = EDGE_DROP[spec.setting]
    model.train()
    for epoch in range(spec.hyperparameters["epochs"]):
        optimizer.zero_grad(set_to_none=True)
        edges = drop_edges(graph.edges, probability, spec.seed, epoch)
        logits = model(graph.features, edges)
        loss = cross_entropy(logits[graph.train], targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def drop_edges(edges: Tensor, probability: float, seed: int, epoch: int) -> Tensor:
    """Return the directed edges that an epoch keeps, each with probability ``1 - probability``."""
    if probability == 0:
        return edges
    draws = torch_generator(edges.device, seed, "edge drop", epoch)
    keep = torch.rand(edges.shape[1], generator=draws, device=edges.device) >= probability
    return edges[:, keep]


@torch.no_grad()
def accuracies(model: BasicGNN, graph: Graph) -> dict[str, float]:
    """Return the accuracy on each split, from one forward pass over the whole graph."""
    model.eval()
    correct = model(graph.features, graph.edges).argmax(1) == graph.labels
    splits = {"train": graph.train, "validation": graph.validation, "test": graph.test}
    return {name: float(correct[nodes].double().mean()) for name, nodes in splits.items()}
