"""Training of graph models: full batch, Adam, a fixed number of epochs, the last weights kept."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from resi.domains.arithmetic import plain_networks
from resi.domains.graph.alterations import training_graph
from resi.domains.graph.building import trained_model
from resi.domains.graph.loading import load_graph
from resi.domains.graph.lookup import graph_network
from resi.domains.graph.propagation import Edges, Propagation
from resi.domains.graph.settings import edge_drop
from resi.randomness import forked_torch, torch_generator
from resi.specs import DatasetSpec, ModelSpec, Trained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from resi.domains.graph.data import Graph
    from resi.domains.graph.networks.base import GraphNetwork


def train(spec: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
    """Train one model: one forward pass per epoch, and one at the end for the accuracies.

    The model's seed draws weights and dropout, which edges an epoch drops, and a P-GNN's anchors. Where the setting
    alters labels, accuracies are by the altered ones.
    """
    with plain_networks(device):
        return train_on(load_graph(dataset), spec, device)


def train_on(graph: Graph, spec: ModelSpec, device: torch.device) -> Trained:
    """Train one model on a graph, as read from its files."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(plain_networks(device))
        graph = training_graph(graph, spec)
        stack.enter_context(graph.suitable_threads())
        stack.enter_context(forked_torch(device, spec.seed, "graph training"))
        network = graph_network(spec.architecture)
        model = network.build(spec, graph).to(device)
        graph = graph.to(device)
        _fit(network, model, graph, graph.training_edges(), spec)
        edges = Edges(graph.edges, len(graph.labels))
        return Trained(dict(model.state_dict()), accuracies(network, model, graph, edges))


def measure_accuracies(
    spec: ModelSpec, state: Mapping[str, Tensor], dataset: DatasetSpec, device: torch.device
) -> dict[str, float]:
    """Return the accuracies of a model trained elsewhere, as :func:`train` would.

    Raises
    ------
    ArtifactError
        If the weights do not fit.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(plain_networks(device))
        graph = training_graph(load_graph(dataset), spec)
        stack.enter_context(graph.suitable_threads())
        model = trained_model(spec, graph, state).to(device)
        graph = graph.to(device)
        edges = Edges(graph.edges, len(graph.labels))
        return accuracies(graph_network(spec.architecture), model, graph, edges)


def _fit(network: GraphNetwork, model: nn.Module, graph: Graph, edges: Edges, spec: ModelSpec) -> None:
    optimizer = torch.optim.Adam(
        model.parameters(),
        lr=spec.hyperparameters["learning_rate"],
        weight_decay=spec.hyperparameters["weight_decay"],
        fused=True,
    )
    targets = graph.labels[graph.train]
    probability = edge_drop(spec.setting) or 0.0
    everything = edges.keep(None)
    halved = spec.hyperparameters["precision"] == "bfloat16"
    # Products of sparse matrices exist in float32 alone.
    features = graph.features.to_dense() if halved and graph.features.is_sparse_csr else graph.features
    model.train()
    for epoch in range(spec.hyperparameters["epochs"]):
        optimizer.zero_grad(set_to_none=True)
        propagation = drop_edges(edges, probability, spec.seed, epoch) if probability else everything
        with torch.autocast(graph.labels.device.type, torch.bfloat16, enabled=halved):
            logits = network.logits_at(model, features, propagation, graph.train)
        loss = cross_entropy(logits.float(), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def drop_edges(edges: Edges, probability: float, seed: int, epoch: int) -> Propagation:
    """Return what is left in an epoch that drops each directed edge with a probability."""
    device = edges.by_target.device
    draws = torch_generator(device, seed, "edge drop", epoch)
    return edges.keep(torch.rand(edges.by_target.shape[1], generator=draws, device=device) >= probability)


@torch.no_grad()
def accuracies(network: GraphNetwork, model: nn.Module, graph: Graph, edges: Edges) -> dict[str, float]:
    """Return the accuracy on each split, from one forward pass over the whole graph."""
    model.eval()
    correct = network.run(model, graph.features, edges.keep(None)).argmax(1) == graph.labels
    splits = {"train": graph.train, "validation": graph.validation, "test": graph.test}
    return {name: float(correct[nodes].double().mean()) for name, nodes in splits.items()}
