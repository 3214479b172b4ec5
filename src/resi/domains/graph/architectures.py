"""Graph neural networks: PyG's own models, with the same parameters and functions, and P-GNN, which PyG lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import linear
from torch_geometric.nn import GAT, GCN, GCNConv, GraphSAGE, SAGEConv

from resi.domains.graph.anchors import find_anchors
from resi.domains.graph.pgnn import PGNN
from resi.errors import ArtifactError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn
    from torch_geometric.nn.models.basic_gnn import BasicGNN

    from resi.domains.graph.data import Graph
    from resi.domains.graph.propagation import Propagation
    from resi.specs import ModelSpec


class SparseGCNConv(GCNConv):  # type: ignore[misc]
    """PyG's graph convolution, its sum over neighbours a sparse matrix product."""

    def forward(self, x: Tensor, edge_index: Propagation, edge_weight: None = None) -> Tensor:
        """Return the convolved features, shape (n_nodes, out_channels)."""
        del edge_weight
        return edge_index.normalized_sum(linear(x, self.lin.weight)) + self.bias


class SparseSAGEConv(SAGEConv):  # type: ignore[misc]
    """PyG's GraphSAGE convolution, its mean a sparse matrix product.

    Where it narrows, the linear map comes before the mean: both orders give the same output, and this one sends fewer
    numbers along each edge and takes sparse features.
    """

    def forward(self, x: Tensor, edge_index: Propagation) -> Tensor:
        """Return the convolved features, shape (n_nodes, out_channels)."""
        if self.in_channels > self.out_channels:
            neighbours = edge_index.mean(linear(x, self.lin_l.weight)) + self.lin_l.bias
        else:
            neighbours = self.lin_l(edge_index.mean(x))
        return neighbours + self.lin_r(x)


class SparseGCN(GCN):  # type: ignore[misc]
    """PyG's GCN of :class:`SparseGCNConv`."""

    def init_conv(self, in_channels: int, out_channels: int, **kwargs: Any) -> GCNConv:
        """Return one convolution."""
        return SparseGCNConv(in_channels, out_channels, **kwargs)


class SparseGraphSAGE(GraphSAGE):  # type: ignore[misc]
    """PyG's GraphSAGE of :class:`SparseSAGEConv`."""

    def init_conv(self, in_channels: int, out_channels: int, **kwargs: Any) -> SAGEConv:
        """Return one convolution."""
        return SparseSAGEConv(in_channels, out_channels, **kwargs)


MODELS: dict[str, type[BasicGNN]] = {"gcn": SparseGCN, "graphsage": SparseGraphSAGE, "gat": GAT}


def model_for(spec: ModelSpec, graph: Graph) -> BasicGNN | PGNN:
    """Return the untrained model of a spec for a graph on the CPU; weights are drawn from torch's own generator."""
    features = graph.features.shape[1]
    if spec.architecture != "pgnn":
        return build_model(spec.architecture, spec.hyperparameters, features, graph.classes)
    return PGNN(
        features=features,
        hidden_channels=spec.hyperparameters["hidden_channels"],
        layers=spec.hyperparameters["layers"],
        classes=graph.classes,
        dropout=spec.hyperparameters["dropout"],
        anchors=find_anchors(graph.edges, len(graph.labels), spec.seed),
    )


def build_model(architecture: str, hyperparameters: Mapping[str, Any], features: int, classes: int) -> BasicGNN:
    """Return an untrained model of PyG's; its weights are drawn from torch's own generator.

    Layer ``i`` but the last is: convolution, batch norm, activation, dropout. The last is a convolution to the classes.
    """
    arguments = {
        "in_channels": features,
        "hidden_channels": hyperparameters["hidden_channels"],
        "num_layers": hyperparameters["layers"],
        "out_channels": classes,
        "dropout": hyperparameters["dropout"],
        "act": hyperparameters["activation"],
        "norm": "BatchNorm",
    }
    if "heads" in hyperparameters:
        arguments["heads"] = hyperparameters["heads"]
    try:
        return MODELS[architecture](**arguments)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise UsageError(f"model={architecture} cannot be built from {dict(hyperparameters)}: {error}") from error


def trained_model(spec: ModelSpec, graph: Graph, state: Mapping[str, Tensor]) -> BasicGNN | PGNN:
    """Return the model of a spec with given weights, on the CPU.

    Raises
    ------
    ArtifactError
        If the weights do not fit.
    """
    with torch.random.fork_rng(devices=[]):  # weights that are drawn only to be replaced
        model = model_for(spec, graph)
    load_weights(model, state)
    return model


def load_weights(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put weights into a model.

    Raises
    ------
    ArtifactError
        Saying what does not fit.
    """
    try:
        model.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        raise ArtifactError(f"do not fit the architecture: {error}") from error


def run_model(model: BasicGNN | PGNN, features: Tensor, propagation: Propagation) -> Tensor:
    """Return the logits of all nodes, shape (n_nodes, classes)."""
    # Attention weighs edges one by one.
    logits: Tensor = model(features, propagation.edge_index if isinstance(model, GAT) else propagation)
    return logits
