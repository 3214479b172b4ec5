"""PyG's own models with the same parameters and functions, in fewer passes over memory.

Sums over neighbours are sparse matrix products. In training on the CPU, attention and what stands between two
convolutions are compiled loops; elsewhere they are PyG's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.functional import pad
from torch_geometric.nn import GAT, GCN, BatchNorm, GATConv, GCNConv, GraphSAGE, SAGEConv

from resi.domains.graph.networks.dropping import draw_kept, dropout, scale
from resi.domains.graph.networks.linear import linear_map

if TYPE_CHECKING:
    from torch import Tensor
    from torch_geometric.nn.models.basic_gnn import BasicGNN

    from resi.domains.graph.propagation import Propagation

LANES = 8
"""Heads that the compiled loops of attention take at once."""


def run_layers(model: BasicGNN, x: Tensor, propagation: Propagation, nodes: Tensor | None) -> Tensor:
    """Return the logits of all nodes or of some, which leaves out what the last layer would compute for others."""
    *hidden, last = model.convs
    for conv, norm in zip(hidden, model.norms, strict=False):
        x = _between(model, norm, conv(x, propagation))
    logits: Tensor = last(x, propagation if nodes is None else propagation.at(nodes))
    return logits


def _between(model: BasicGNN, norm: nn.Module, x: Tensor) -> Tensor:
    """Return what the next convolution sees: after norm, activation and dropout."""
    probability = model.dropout.p
    act = model.act
    plain = isinstance(act, nn.ReLU) or (isinstance(act, nn.ELU) and act.alpha == 1)
    if not (model.training and x.device.type == "cpu" and plain and isinstance(norm, BatchNorm)):
        return dropout(act(norm(x)), probability, model.training)
    from resi.domains.graph.compiled.hidden import Between, normalize

    kept = draw_kept(x.shape, probability)
    return normalize(x, Between(norm.module, isinstance(act, nn.ELU), kept, scale(probability)))


class SparseGCNConv(GCNConv):  # type: ignore[misc]
    """PyG's graph convolution, its sum over neighbours a sparse matrix product."""

    def forward(self, x: Tensor, edge_index: Propagation, edge_weight: None = None) -> Tensor:
        """Return the convolved features, shape (n_nodes, out_channels)."""
        del edge_weight
        return edge_index.normalized_sum(linear_map(x, self.lin.weight.T)) + self.bias


class SparseSAGEConv(SAGEConv):  # type: ignore[misc]
    """PyG's GraphSAGE convolution, its mean a sparse matrix product.

    Where it narrows, the linear map comes before the mean: both orders give the same output, and this one sends fewer
    numbers along each edge and takes sparse features.
    """

    def forward(self, x: Tensor, edge_index: Propagation) -> Tensor:
        """Return the convolved features, shape (n_nodes, out_channels)."""
        if self.in_channels <= self.out_channels and x.layout == torch.strided:
            neighbours: Tensor = self.lin_l(edge_index.mean(x))
            return neighbours + self.lin_r(edge_index.rows(x))
        from_neighbours, from_nodes = (linear_map(x, linear.weight.T) for linear in (self.lin_l, self.lin_r))
        return edge_index.mean(from_neighbours) + self.lin_l.bias + edge_index.rows(from_nodes)


class CompiledGATConv(GATConv):  # type: ignore[misc]
    """PyG's graph attention, in training on the CPU as compiled loops over the edges of a node."""

    def forward(self, x: Tensor, edge_index: Propagation) -> Tensor:
        """Return the convolved features, shape (n_nodes, out_channels)."""
        if not self.training or x.device.type != "cpu":
            return edge_index.rows(super().forward(x, edge_index.edge_index))
        from resi.domains.graph.compiled.attention import Attention, attend

        sent = linear_map(x, self._grouped(self.lin.weight))
        sent = sent.view(len(x), -1, self.out_channels, LANES)
        to_source, to_target = (
            self._grouped(weights.view(-1, 1)).view(sent.shape[1:]) for weights in (self.att_src, self.att_dst)
        )
        senders = edge_index.senders
        kept = draw_kept(torch.Size((len(senders.sources), sent.shape[1], LANES)), self.dropout)
        attention = Attention(self.negative_slope, kept, scale(self.dropout))
        heard = attend(sent, to_source, to_target, senders, attention)
        # (nodes, heads, channels)
        heard = heard.transpose(2, 3).flatten(1, 2)[:, : self.heads]
        return (heard.flatten(1) if self.concat else heard.mean(1)) + self.bias

    def _grouped(self, weights: Tensor) -> Tensor:
        """Return weights of heads and channels, shape (heads * channels, n), as (n, groups * channels * 8).

        Eight heads of a group stand last; heads that are not there have weights of zero.
        """
        by_head = weights.view(self.heads, self.out_channels, -1)
        if absent := -self.heads % LANES:
            by_head = pad(by_head, (0, 0, 0, 0, 0, absent))
        groups = by_head.view(-1, LANES, *by_head.shape[1:])
        return groups.permute(3, 0, 2, 1).flatten(1)


class SparseGCN(GCN):  # type: ignore[misc]
    """PyG's GCN of :class:`SparseGCNConv`."""

    def init_conv(self, in_channels: int, out_channels: int, **kwargs: Any) -> GCNConv:
        """Return one convolution."""
        return SparseGCNConv(in_channels, out_channels, **kwargs)

    def forward(self, x: Tensor, edge_index: Propagation, nodes: Tensor | None = None) -> Tensor:
        """Return the logits of all nodes or of some."""
        return run_layers(self, x, edge_index, nodes)


class SparseGraphSAGE(GraphSAGE):  # type: ignore[misc]
    """PyG's GraphSAGE of :class:`SparseSAGEConv`."""

    def init_conv(self, in_channels: int, out_channels: int, **kwargs: Any) -> SAGEConv:
        """Return one convolution."""
        return SparseSAGEConv(in_channels, out_channels, **kwargs)

    def forward(self, x: Tensor, edge_index: Propagation, nodes: Tensor | None = None) -> Tensor:
        """Return the logits of all nodes or of some."""
        return run_layers(self, x, edge_index, nodes)


class CompiledGAT(GAT):  # type: ignore[misc]
    """PyG's GAT of :class:`CompiledGATConv`."""

    def init_conv(self, in_channels: int, out_channels: int, heads: int = 1, **kwargs: Any) -> GATConv:
        """Return one convolution; the last one takes the mean over heads, others have their outputs side by side."""
        concat = not getattr(self, "_is_conv_to_out", False)
        if concat and out_channels % heads:
            raise ValueError(f"{out_channels} channels cannot be shared by {heads} heads")
        width = out_channels // heads if concat else out_channels
        return CompiledGATConv(in_channels, width, heads=heads, concat=concat, dropout=self.dropout.p, **kwargs)

    def forward(self, x: Tensor, edge_index: Propagation, nodes: Tensor | None = None) -> Tensor:
        """Return the logits of all nodes or of some."""
        return run_layers(self, x, edge_index, nodes)
