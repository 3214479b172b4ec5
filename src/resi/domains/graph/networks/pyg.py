"""What PyG's models have in common: how they are built, and what lies between two convolutions."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from resi.domains.graph.networks.base import GraphNetwork
from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn
    from torch_geometric.nn.models.basic_gnn import BasicGNN

    from resi.domains.graph.data import Graph
    from resi.domains.graph.propagation import Propagation
    from resi.specs import ModelSpec

FLOAT_BYTES = 4
COUNTER_BYTES = 8
"""Of a batch norm, which counts batches and has four numbers of each feature."""


class PyGNetwork(GraphNetwork):
    """Networks built as PyG's: a subclass names the class of the model.

    Layer ``i`` but the last is: convolution, batch norm, activation, dropout. The last is a convolution to the classes.
    """

    @abstractmethod
    def model_class(self) -> type[BasicGNN]:
        """Return PyG's class."""

    def arguments(self, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the model that follow from hyperparameters alone."""
        return {
            "hidden_channels": hyperparameters["hidden_channels"],
            "num_layers": hyperparameters["layers"],
            "dropout": hyperparameters["dropout"],
            "act": hyperparameters["activation"],
            "norm": "BatchNorm",
        }

    def convolution_weights(
        self, width: int, out: int, hyperparameters: Mapping[str, Any], is_last: bool
    ) -> int | None:
        """Return the number of weights of a convolution from ``width`` to ``out`` features; None if it is not known."""
        del width, out, hyperparameters, is_last
        return None

    def weight_bytes(self, hyperparameters: Mapping[str, Any], features: int, classes: int) -> int | None:
        """Return the bytes of all convolutions, and of the batch norms between them."""
        hidden, layers = int(hyperparameters["hidden_channels"]), int(hyperparameters["layers"])
        widths = [features, *[hidden] * (layers - 1), classes]
        counts = [
            self.convolution_weights(widths[layer], widths[layer + 1], hyperparameters, layer == layers - 1)
            for layer in range(layers)
        ]
        known = [count for count in counts if count is not None]
        if len(known) < len(counts):
            return None
        return FLOAT_BYTES * sum(known) + (layers - 1) * (4 * FLOAT_BYTES * hidden + COUNTER_BYTES)

    def build(self, spec: ModelSpec, graph: Graph) -> BasicGNN:
        """Return the untrained model of a spec."""
        values = spec.hyperparameters
        try:
            return self.model_class()(
                in_channels=graph.features.shape[1], out_channels=graph.classes, **self.arguments(values)
            )
        except (TypeError, ValueError, AssertionError, RuntimeError) as error:
            raise UsageError(f"model={spec.architecture} cannot be built from {dict(values)}: {error}") from error

    def next_input(self, model: BasicGNN, layer: str, representation: Tensor) -> Tensor:
        """Return a convolution's output as the next layer sees it; dropout does nothing in evaluation."""
        activated: Tensor = model.act(model.norms[int(layer)](representation))
        return activated


class LayeredNetwork(PyGNetwork):
    """PyG's networks as :mod:`resi.domains.graph.networks.sparse` has them."""

    def logits_at(self, model: nn.Module, features: Tensor, propagation: Propagation, nodes: Tensor) -> Tensor:
        """Return the logits of some nodes; the last layer computes no others."""
        logits: Tensor = model(features, propagation, nodes)
        return logits
