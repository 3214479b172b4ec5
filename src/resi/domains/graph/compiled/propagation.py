"""Messages along the edges of a small graph on the CPU, which reuse most structures if an epoch drops edges."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from resi.domains.graph.compiled.compiling import compiled
from resi.domains.graph.compiled.rows import Rows, product
from resi.domains.graph.propagation import Propagation, Senders

if TYPE_CHECKING:
    from typing import Self

    from torch import Tensor

    from resi.domains.graph.propagation import Edges


ONE = np.float32(1)


class CompiledPropagation(Propagation):
    """The same sums as :class:`~resi.domains.graph.propagation.Propagation`, each an array of rows."""

    def __init__(self, edges: Edges, kept: Tensor | None) -> None:
        super().__init__(edges, kept)
        # Of all nodes, with loops and without. A part has them from the whole, and does not hold the whole itself:
        # the two would refer to each other, and the matrices of many epochs stay in memory.
        self._to_all: dict[bool, Rows] = {}

    def at(self, nodes: Tensor) -> Self:
        """Return the propagation along the same edges to some nodes alone."""
        part = super().at(nodes)
        part._to_all = self._to_all
        return part

    @cached_property
    def _means(self) -> Any:
        return self._rows(loops=False)

    @cached_property
    def _normalized_sums(self) -> Any:
        return self._rows(loops=True)

    @cached_property
    def senders(self) -> Senders:
        """The senders of each receiving node, always including the node itself."""
        rows, nodes = self._normalized_sums, self.nodes
        nodes = torch.arange(self._edges.n_nodes) if nodes is None else nodes
        return Senders(nodes, torch.from_numpy(rows.starts), torch.from_numpy(rows.columns))

    def _rows(self, loops: bool) -> Rows:
        if loops not in self._to_all:
            self._to_all[loops] = self._rows_of_all(loops)
        rows = self._to_all[loops]
        return rows if self.nodes is None else rows.only(self.nodes.numpy())

    def _rows_of_all(self, loops: bool) -> Rows:
        edges = self._edges
        given = edges.starts.numpy(), edges.by_target[0].numpy()
        kept = np.ones(len(given[1]), bool) if self._kept is None else self._kept.numpy()
        starts = np.empty(edges.n_nodes + 1, np.int64)
        columns = np.empty(len(kept) + edges.n_nodes * loops, np.int64)
        values = np.empty(len(columns), np.float32)
        _keep(*given, kept, loops, starts, columns, values)
        return Rows(starts, columns[: starts[-1]], values[: starts[-1]], edges.n_nodes)

    def _product(self, x: Tensor, matrix: Any) -> Tensor:
        return product(matrix, x.float())


@compiled
def _keep(  # noqa: PLR0913, PLR0917 - inputs and outputs of a loop
    starts: Any, sources: Any, kept: Any, loops: Any, new_starts: Any, columns: Any, values: Any
) -> None:
    """Set the rows of the edges kept: of the matrix of means, or with loops of that of normalized sums."""
    count = 0
    n_nodes = len(starts) - 1
    new_starts[0] = 0
    for node in range(n_nodes):
        for edge in range(starts[node], starts[node + 1]):
            if kept[edge] and not (loops and sources[edge] == node):
                columns[count] = sources[edge]
                count += 1
        if loops:
            columns[count] = node
            count += 1
        new_starts[node + 1] = count
    for node in range(n_nodes):
        degree = np.float32(new_starts[node + 1] - new_starts[node])
        for edge in range(new_starts[node], new_starts[node + 1]):
            if loops:
                other = columns[edge]
                values[edge] = ONE / np.sqrt(degree * np.float32(new_starts[other + 1] - new_starts[other]))
            else:
                values[edge] = ONE / degree
