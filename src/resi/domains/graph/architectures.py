"""Graph neural networks: PyG's own models, built from hyperparameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.nn.functional import linear
from torch_geometric.nn import GAT, GCN, GraphSAGE, SAGEConv

from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor
    from torch_geometric.nn.models.basic_gnn import BasicGNN


class TransformFirstSAGEConv(SAGEConv):  # type: ignore[misc]
    """GraphSAGE's convolution with the linear map before the mean, not after.

    Both orders give the same output; this one sends ``out_channels`` numbers along each edge instead of
    ``in_channels``, and takes sparse features.
    """

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Return the convolved features, shape (n_nodes, out_channels)."""
        mapped = linear(x, self.lin_l.weight)
        mean = self.propagate(edge_index, x=(mapped, mapped), size=None)
        return mean + self.lin_l.bias + self.lin_r(x)


class NarrowingGraphSAGE(GraphSAGE):  # type: ignore[misc]
    """PyG's GraphSAGE, with the cheaper order of operations where a layer narrows; same parameters, same outputs."""

    def init_conv(self, in_channels: int, out_channels: int, **kwargs: Any) -> SAGEConv:
        """Return one convolution."""
        kind = TransformFirstSAGEConv if in_channels > out_channels else SAGEConv
        return kind(in_channels, out_channels, **kwargs)


MODELS: dict[str, type[BasicGNN]] = {"gcn": GCN, "graphsage": NarrowingGraphSAGE, "gat": GAT}


def build_model(architecture: str, hyperparameters: Mapping[str, Any], features: int, classes: int) -> BasicGNN:
    """Return an untrained model; its weights are drawn from torch's own generator.

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
