"""The family of position-aware graph neural networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.domains.graph.hyperparameters import recipe
from resi.domains.graph.networks.base import GraphNetwork
from resi.domains.graph.settings import edge_drop
from resi.errors import UsageError
from resi.specs import ArchitectureInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from resi.domains.graph.data import Graph
    from resi.domains.graph.datasets.base import GraphDataset
    from resi.domains.graph.networks.pgnn.layers import PGNN
    from resi.domains.graph.propagation import Propagation
    from resi.extraction.layers import HookPoint
    from resi.specs import ModelSpec


class PGNNFamily(GraphNetwork):
    """P-GNN: every node sees the graph through its nearest anchors. It has no norm layers.

    References
    ----------
    .. [1] You et al., Position-aware Graph Neural Networks, ICML 2019.
    """

    architectures = (ArchitectureInfo("pgnn", "position relative to anchors", "PGNN", "You et al., ICML 2019"),)
    hyperparameters = recipe(layers=2, hidden_channels=32)
    not_on = ("flickr", "ogbn_arxiv")

    def recipe(self, architecture: str, dataset: GraphDataset, setting: str) -> dict[str, Any]:
        """Return the default hyperparameters of a model."""
        values = super().recipe(architecture, dataset, setting)
        if edge_drop(setting) is not None:
            raise UsageError(
                f"model={architecture} has no test=augmentation: dropped edges would change its anchor distances, "
                "which are computed once; choose gcn, graphsage or gat"
            )
        return values

    def check(self, architecture: str, hyperparameters: Mapping[str, Any]) -> None:
        """Refuse another activation than the one that is part of the messages."""
        if hyperparameters["activation"] != "relu":
            raise UsageError(f"model.{architecture}.activation={hyperparameters['activation']}: it must be relu")

    def build(self, spec: ModelSpec, graph: Graph) -> PGNN:
        """Return the untrained model of a spec, with anchors drawn by the model's seed."""
        from resi.domains.graph.networks.pgnn.anchors import find_anchors
        from resi.domains.graph.networks.pgnn.layers import PGNN

        return PGNN(
            features=graph.features.shape[1],
            hidden_channels=spec.hyperparameters["hidden_channels"],
            layers=spec.hyperparameters["layers"],
            classes=graph.classes,
            dropout=spec.hyperparameters["dropout"],
            anchors=find_anchors(graph.edges, len(graph.labels), spec.seed),
        )

    def logits_at(self, model: nn.Module, features: Tensor, propagation: Propagation, nodes: Tensor) -> Tensor:
        """Return the logits of some nodes; the last layer computes no others."""
        logits: Tensor = model(features, propagation, nodes)
        return logits

    def layers(self, hyperparameters: Mapping[str, Any]) -> dict[str, HookPoint]:
        """Return where the structures are read, which the next layer sees: layers return positions and structures."""
        return {layer: point._replace(item=1) for layer, point in super().layers(hyperparameters).items()}

    def next_input(self, model: nn.Module, layer: str, representation: Tensor) -> Tensor:
        """Return the representation, whose messages are activated already."""
        del model, layer
        return representation

    def from_published(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return weights of the published models, which have the first layer as ``init_conv`` and as ``convs.0``."""
        from resi.domains.graph.weights import renamed

        return renamed(
            state, lambda name: name.replace("init_conv.", "convs.0.", 1) if name.startswith("init_conv.") else name
        )
