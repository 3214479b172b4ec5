"""Position-aware graph neural networks (P-GNN)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import dropout, linear, normalize, relu

if TYPE_CHECKING:
    from torch import Tensor

    from resi.domains.graph.anchors import Anchors

BLOCK_ENTRIES = 2**20
"""How many entries of messages are computed at a time."""


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
    """One layer: each node hears from its nearest anchor in every set.

    A message is ``relu(W [f(nearness) x_anchor, x_node] + b)``. Its mean over sets is the node's structure, the next
    layer's input; a linear map of each to one number is the node's position.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.dist_compute = Nearness(out_channels)
        self.linear_hidden = nn.Linear(2 * in_channels, out_channels)
        self.linear_out_position = nn.Linear(out_channels, 1)

    def forward(self, x: Tensor, anchors: Anchors) -> tuple[Tensor, Tensor]:
        """Return positions, shape (n_nodes, n_sets), and structures, shape (n_nodes, out_channels)."""
        # W splits into a part for the anchor and one for the node, so that each is mapped once, not once a message.
        weight = self.linear_hidden.weight
        from_anchors = linear(x, weight[:, : self.in_channels])
        from_nodes = linear(x, weight[:, self.in_channels :], self.linear_hidden.bias)
        nearness = self.dist_compute(anchors.values)
        block = max(1, BLOCK_ENTRIES // (anchors.nodes.shape[1] * len(weight)))
        parts = [
            self._hear(from_nodes[rows], from_anchors, nearness, anchors.nodes[rows], anchors.steps[rows])
            for rows in (slice(start, start + block) for start in range(0, len(x), block))
        ]
        return torch.cat([position for position, _ in parts]), torch.cat([structure for _, structure in parts])

    def _hear(
        self, own: Tensor, from_anchors: Tensor, nearness: Tensor, nodes: Tensor, index: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the positions and structures of a block of nodes, small enough to stay in the processor's cache."""
        heard = from_anchors.index_select(0, nodes.flatten()).view(*nodes.shape, -1)
        weights = nearness.index_select(0, index.flatten()).view(*index.shape, 1)
        messages = relu(heard * weights + own.unsqueeze(1))
        return self.linear_out_position(messages).squeeze(-1), messages.mean(1)


class PGNN(nn.Module):
    """P-GNN for node classification: a linear layer, P-GNN layers, and a linear map of positions to classes.

    Parameters
    ----------
    layers : int
        Number of P-GNN layers.
    anchors : Anchors
        Nearest anchors of all nodes; they are no part of the weights.

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

    def forward(self, x: Tensor, _propagation: object = None) -> Tensor:
        """Return the logits of all nodes, shape (n_nodes, classes)."""
        # Apart, because x may be sparse.
        x = linear(x, self.linear_pre.weight) + self.linear_pre.bias
        for conv in self.convs:
            position, structure = conv(x, self.anchors)
            x = dropout(structure, self.dropout, self.training)
        logits: Tensor = self.lin_out(normalize(position, dim=1))
        return logits
