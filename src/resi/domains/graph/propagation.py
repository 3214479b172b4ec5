"""Messages along edges as sparse matrix products, forward and backward.

A product with a sparse matrix never writes one row an edge, as gathering and scattering messages does. It needs the
transposed matrix for gradients, which is built from edges sorted once, for any edges that an epoch drops.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from typing import Self

    from torch import Tensor


class Edges:
    """The directed edges of a graph, sorted both by target and by source.

    Parameters
    ----------
    edges : Tensor of shape (2, n_edges)
        Sources and targets.
    n_nodes : int
    kind : type, optional
        How messages are computed.
    """

    def __init__(self, edges: Tensor, n_nodes: int, kind: type[Propagation] | None = None) -> None:
        self.n_nodes = n_nodes
        self._kind = kind or Propagation
        source, target = edges
        self.by_target = edges[:, torch.argsort(target * n_nodes + source)]

    def keep(self, kept: Tensor | None) -> Propagation:
        """Return the propagation along those edges of ``by_target`` for which the boolean tensor is true; None: all."""
        return self._kind(self, kept)

    @cached_property
    def to_source_order(self) -> Tensor:
        """Where each edge of the list by source stands in the list by target."""
        source, target = self.by_target
        return torch.argsort(source * self.n_nodes + target)

    @cached_property
    def starts(self) -> Tensor:
        """Where the edges to each node begin in the list by target."""
        return row_starts(self.by_target[1], self.n_nodes)

    @cached_property
    def looped(self) -> tuple[Edges, Tensor]:
        """The edges with one loop at each node, whether or not the graph has it, and where they stand in ``by_target``.

        Loops have the place after the last edge.
        """
        places = (self.by_target[0] != self.by_target[1]).nonzero().squeeze(1)
        nodes = torch.arange(self.n_nodes, device=places.device)
        edges = torch.cat([self.by_target[:, places], nodes.expand(2, -1)], dim=1)
        source, target = edges
        order = torch.argsort(target * self.n_nodes + source)
        places = torch.cat([places, torch.full_like(nodes, self.by_target.shape[1])])[order]
        return Edges(edges, self.n_nodes), places


class Senders(NamedTuple):
    """Who sends to whom: those who send to the node ``targets[i]`` stand from ``starts[i]`` to ``starts[i + 1]``."""

    targets: Tensor
    starts: Tensor
    sources: Tensor


class Propagation:
    """Sums over the neighbours that send a message along the edges kept.

    Parameters
    ----------
    kept : Tensor of shape (n_edges,), optional
        Which of the edges by target.
    """

    nodes: Tensor | None = None
    """The nodes that receive; None: all."""
    _part: Self | None = None
    """The latest part of this propagation."""

    def __init__(self, edges: Edges, kept: Tensor | None) -> None:
        self._edges = edges
        self._kept = kept

    def at(self, nodes: Tensor) -> Self:
        """Return the propagation along the same edges to some nodes alone."""
        if self._part is None or self._part.nodes is not nodes:
            self._part = type(self)(self._edges, self._kept)
            self._part.nodes = nodes
        return self._part

    def rows(self, x: Tensor) -> Tensor:
        """Return the rows of the nodes that receive."""
        return x if self.nodes is None else x[self.nodes]

    @cached_property
    def edge_index(self) -> Tensor:
        """The edges kept, shape (2, n_edges), for layers that need them one by one."""
        return self._edges.by_target if self._kept is None else self._edges.by_target[:, self._kept]

    def mean(self, x: Tensor) -> Tensor:
        """Return the mean of what each node's neighbours hold, 0 without any."""
        return self._product(x, self._means)

    def normalized_sum(self, x: Tensor) -> Tensor:
        """Return ``D^-1/2 (A + 1) D^-1/2 x`` (Kipf & Welling 2017), with D the degrees of A + 1.

        Every node has one loop, whether or not the graph has it already.
        """
        return self._product(x, self._normalized_sums)

    def _product(self, x: Tensor, matrices: tuple[Tensor, Tensor]) -> Tensor:
        # Sums over neighbours stay in float32 where linear maps are not.
        with torch.autocast(x.device.type, enabled=False):
            result: Tensor = _SparseProduct.apply(x.float(), *matrices)
        return result

    @cached_property
    def senders(self) -> Senders:
        """Who sends to each node that receives, itself always among them."""
        edges, kept = self._looped
        source, target = edges.by_target
        nodes = torch.arange(edges.n_nodes, device=target.device) if self.nodes is None else self.nodes
        if self.nodes is not None:
            target, kept = self._among(self.nodes, target, kept)
        if kept is not None:
            source, target = source[kept], target[kept]
        target, order = target.sort(stable=True)
        source = source[order]
        return Senders(nodes, row_starts(target, len(nodes)), source)

    @cached_property
    def _means(self) -> tuple[Tensor, Tensor]:
        degree = self._degree(self._edges, self._kept).clamp(min=1)
        return self._matrices(self._edges, self._kept, degree.reciprocal()[self._edges.by_target[1]])

    @cached_property
    def _normalized_sums(self) -> tuple[Tensor, Tensor]:
        edges, kept = self._looped
        root = self._degree(edges, kept).rsqrt()
        source, target = edges.by_target
        return self._matrices(edges, kept, root[source] * root[target])

    @cached_property
    def _looped(self) -> tuple[Edges, Tensor | None]:
        edges, places = self._edges.looped
        if self._kept is None:
            return edges, None
        return edges, torch.cat([self._kept, self._kept.new_ones(1)])[places]

    @staticmethod
    def _degree(edges: Edges, kept: Tensor | None) -> Tensor:
        """Return the number of edges kept that end in each node."""
        target = edges.by_target[1] if kept is None else edges.by_target[1, kept]
        return torch.bincount(target, minlength=edges.n_nodes).float()

    def _matrices(self, edges: Edges, kept: Tensor | None, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the matrix of those edges, targets as rows, and its transpose."""
        source, target = edges.by_target
        order, count = edges.to_source_order, edges.n_nodes
        if self.nodes is not None:
            target, kept = self._among(self.nodes, target, kept)
            count = len(self.nodes)
        forward, backward = (target, source, values), (source[order], target[order], values[order])
        if kept is not None:
            forward, backward = (_chosen(forward, kept), _chosen(backward, kept[order]))
        if self.nodes is not None:
            forward = _chosen(forward, forward[0].argsort(stable=True))
        return _csr(*forward, (count, edges.n_nodes)), _csr(*backward, (edges.n_nodes, count))

    def _among(self, nodes: Tensor, target: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the place of each target among nodes, and which edges to them are kept."""
        places = torch.full((self._edges.n_nodes,), -1, device=target.device)
        places[nodes] = torch.arange(len(nodes), device=target.device)
        found = places[target]
        return found, found >= 0 if kept is None else (found >= 0) & kept


def _chosen(tensors: tuple[Tensor, Tensor, Tensor], which: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    first, second, third = tensors
    return first[which], second[which], third[which]


def _csr(row: Tensor, column: Tensor, values: Tensor, size: tuple[int, int]) -> Tensor:
    return sparse_rows(row_starts(row, size[0]), column, values, size)


def row_starts(row: Tensor, count: int) -> Tensor:
    """Return where each of so many rows begins among sorted row numbers, and where the last one ends."""
    starts = torch.zeros(count + 1, dtype=torch.int64, device=row.device)
    torch.cumsum(torch.bincount(row, minlength=count), 0, out=starts[1:])
    return starts


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
