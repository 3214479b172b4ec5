"""Position-aware graph neural networks (P-GNN)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import normalize, relu

from resi.domains.graph.networks.dropping import dropout
from resi.domains.graph.networks.linear import linear_map
from resi.domains.graph.networks.pgnn.messages import hear

if TYPE_CHECKING:
    from torch import Tensor

    from resi.domains.graph.networks.pgnn.anchors import Anchors


class Nearness(nn.Module):
    """A learned function of the nearness of an anchor: one hidden layer, from one number to one."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(1, hidden)
        self.linear2 = nn.Linear(hidden, 1)

    def forward(self, nearness: Tensor) -> Tensor:
        """Return as many numbers as there are."""
        result: Tensor = self.linear2(relu(self.linear1(nearness.unsqueeze(-1)))).squeeze(-1)
        return result


class PGNNLayer(nn.Module):
    """One layer: each node receives a message from its nearest anchor in every set.

    A message is ``relu(W [f(nearness) x_anchor, x_node] + b)``. Its mean over sets is the node's structure, the next
    layer's input; a linear map of each to one number is the node's position.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.dist_compute = Nearness(out_channels)
        self.linear_hidden = nn.Linear(2 * in_channels, out_channels)
        self.linear_out_position = nn.Linear(out_channels, 1)

    def forward(
        self, x: Tensor, anchors: Anchors, before: nn.Linear | None = None, nodes: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return positions, shape (n_nodes, n_sets), and structures, shape (n_nodes, out_channels).

        Parameters
        ----------
        x : Tensor of shape (n_nodes, n_features)
            Dense, or in CSR layout.
        before : Linear, optional
            A linear map of ``x`` to the layer's input. Two linear maps in a row are one, with fewer outputs: so the
            nodes' many features are mapped once, and sparse ones never become dense.
        nodes : Tensor, optional
            The only nodes whose outputs are wanted.
        """
        # W splits into a part for the anchor and one for the node, so that each is mapped once, not once a message.
        weight = torch.cat(self.linear_hidden.weight.chunk(2, dim=1))
        bias = torch.cat([torch.zeros_like(self.linear_hidden.bias), self.linear_hidden.bias])
        if before is not None:
            weight, bias = weight @ before.weight, bias + weight @ before.bias
        from_anchors, from_nodes = (linear_map(x, weight.T) + bias).chunk(2, dim=1)
        if nodes is not None:
            from_nodes, anchors = from_nodes[nodes], anchors.of(nodes)
        nearness = self.dist_compute(anchors.values)
        position = self.linear_out_position
        positions, structures = hear(from_nodes, from_anchors, nearness, position.weight[0], anchors)
        return positions + position.bias, structures


class PGNN(nn.Module):
    """P-GNN for node classification: a linear layer, P-GNN layers, and a linear map of positions to classes.

    Parameters
    ----------
    layers : int
        Number of P-GNN layers.
    anchors : Anchors
        Nearest anchors of all nodes; they are not part of the weights.

    References
    ----------
    .. [1] You et al., Position-aware Graph Neural Networks, ICML 2019.
    """

    def __init__(
        self, *, features: int, hidden_channels: int, layers: int, classes: int, dropout: float, anchors: Anchors
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.linear_pre = nn.Linear(features, features)
        widths = [features, *[hidden_channels] * layers]
        self.convs = nn.ModuleList(PGNNLayer(*pair) for pair in itertools.pairwise(widths))
        self.lin_out = nn.Linear(anchors.nodes.shape[1], classes)
        self.anchors = anchors

    def to(self, device: torch.device) -> PGNN:  # type: ignore[override]
        """Move the weights and the anchors."""
        self.anchors = type(self.anchors)(*(tensor.to(device) for tensor in self.anchors))
        return super().to(device)

    def forward(self, x: Tensor, _propagation: object = None, nodes: Tensor | None = None) -> Tensor:
        """Return the logits of all nodes or of some, shape (n_nodes, classes)."""
        before: nn.Linear | None = self.linear_pre
        for conv in self.convs[:-1]:
            x = dropout(conv(x, self.anchors, before)[1], self.dropout, self.training)
            before = None
        position, _ = self.convs[-1](x, self.anchors, before, nodes)
        logits: Tensor = self.lin_out(normalize(position, dim=1))
        return logits
