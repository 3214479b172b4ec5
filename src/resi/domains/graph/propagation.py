"""Messages along edges as sparse matrix products, forward and backward.

A product with a sparse adjacency matrix never writes one row an edge, as gathering and scattering messages does. It
needs the transposed matrix for gradients, which is built from edges sorted once, for any edges that an epoch drops.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor


class Edges:
    """The directed edges of a graph, sorted both by target and by source.

    Parameters
    ----------
    edges : Tensor of shape (2, n_edges)
        Sources and targets.
    n_nodes : int
    """

    def __init__(self, edges: Tensor, n_nodes: int) -> None:
        self.n_nodes = n_nodes
        source, target = edges
        self.by_target = edges[:, torch.argsort(target * n_nodes + source)]
        source, target = self.by_target
        # Where each edge of the list by source stands in the list by target.
        self.to_source_order = torch.argsort(source * n_nodes + target)

    def keep(self, kept: Tensor | None) -> Propagation:
        """Return the propagation along those edges of ``by_target`` for which the boolean tensor is true; None: all."""
        return Propagation(self, kept)


class Propagation:
    """Sums over the neighbours that send a message along the edges kept."""

    def __init__(self, edges: Edges, kept: Tensor | None) -> None:
        self._edges = edges
        self._kept = kept

    @cached_property
    def edge_index(self) -> Tensor:
        """The edges kept, shape (2, n_edges), for layers that need them one by one."""
        return self._edges.by_target if self._kept is None else self._edges.by_target[:, self._kept]

    @cached_property
    def degree(self) -> Tensor:
        """Number of edges kept that end in each node."""
        return torch.bincount(self.edge_index[1], minlength=self._edges.n_nodes).float()

    def mean(self, x: Tensor) -> Tensor:
        """Return the mean of what each node's neighbours hold, 0 without any."""
        return self._sum(x) / self.degree.clamp(min=1).unsqueeze(1)

    def normalized_sum(self, x: Tensor) -> Tensor:
        """Return ``D^-1/2 (A + 1) D^-1/2 x`` (Kipf & Welling 2017), with D the degrees of A + 1.

        Every node has one loop, whether or not the graph has it already.
        """
        missing = (1 - self._loops).unsqueeze(1)
        root = (self.degree.unsqueeze(1) + missing).rsqrt()
        scaled = root * x
        return root * (self._sum(scaled) + missing * scaled)

    @cached_property
    def _loops(self) -> Tensor:
        """Number of edges kept from each node to itself."""
        source, target = self.edge_index
        return torch.bincount(source[source == target], minlength=self._edges.n_nodes).float()

    def _sum(self, x: Tensor) -> Tensor:
        # Sums over neighbours stay in float32 where linear maps are not.
        with torch.autocast(x.device.type, enabled=False):
            result: Tensor = _SparseProduct.apply(x.float(), *self._matrices)
        return result

    @cached_property
    def _matrices(self) -> tuple[Tensor, Tensor]:
        """The adjacency matrix, targets as rows, and its transpose."""
        order = self._edges.to_source_order
        source, target = self._edges.by_target
        forward = (target, source)
        backward = (source[order], target[order])
        if self._kept is not None:
            forward = (target[self._kept], source[self._kept])
            kept = self._kept[order]
            backward = (backward[0][kept], backward[1][kept])
        return self._csr(*forward), self._csr(*backward)

    def _csr(self, row: Tensor, column: Tensor) -> Tensor:
        n_nodes = self._edges.n_nodes
        starts = torch.zeros(n_nodes + 1, dtype=torch.int64, device=row.device)
        torch.cumsum(torch.bincount(row, minlength=n_nodes), 0, out=starts[1:])
        ones = torch.ones(len(column), device=row.device)
        return sparse_rows(starts, column, ones, (n_nodes, n_nodes))


def sparse_rows(starts: Tensor, columns: Tensor, values: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a CSR matrix; torch says with the first one that its support for them is in beta."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.sparse_csr_tensor(starts, columns, values, size, check_invariants=False)


class _SparseProduct(torch.autograd.Function):
    """``matrix @ x`` with the transposed matrix at hand for the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.transposed @ gradients[0], None, None
