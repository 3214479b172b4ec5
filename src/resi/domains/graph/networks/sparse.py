"""PyG's own models with sparse matrix products in their convolutions, with the same parameters and functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.nn.functional import linear
from torch_geometric.nn import GCN, GCNConv, GraphSAGE, SAGEConv

if TYPE_CHECKING:
    from torch import Tensor

    from resi.domains.graph.propagation import Propagation


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
