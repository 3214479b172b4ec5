"""Anchor sets of position-aware graph neural networks, and how near they are to each node."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from resi.randomness import generator

if TYPE_CHECKING:
    from torch import Tensor


class Anchors(NamedTuple):
    """The nearest member of every anchor set, seen from every node.

    Attributes
    ----------
    nodes : Tensor of shape (n_nodes, n_sets)
        That member; the set's first where there is no path to any.
    values : Tensor of shape (n_values,)
        How near anchors can be: ``1 / (d + 1)`` for d edges on the shortest path; 0 without a path.
    steps : Tensor of shape (n_nodes, n_sets)
        Which of ``values`` holds for the anchor in ``nodes``.
    """

    nodes: Tensor
    values: Tensor
    steps: Tensor

    def of(self, nodes: Tensor) -> Anchors:
        """Return the anchors of some nodes."""
        return Anchors(self.nodes[nodes], self.values, self.steps[nodes])


def draw_sets(n_nodes: int, seed: int) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return the anchor sets of a model's seed: as many each of n/2, n/4, ... nodes (You et al. 2019, theorem 1)."""
    levels = int(math.log2(n_nodes))
    return [
        generator(seed, "anchor set", level, copy).choice(n_nodes, n_nodes // 2 ** (level + 1), replace=False)
        for level in range(levels)
        for copy in range(levels)
    ]


def find_anchors(edges: Tensor, n_nodes: int, seed: int) -> Anchors:
    """Return the nearest anchors of all nodes.

    One search a set, from all of its members at once: no matrix over pairs of nodes is ever held.

    Parameters
    ----------
    edges : Tensor of shape (2, n_edges)
        Both directions of each undirected edge.
    """
    source, target = edges.numpy()
    graph = coo_array((np.ones(len(source)), (source, target)), shape=(n_nodes, n_nodes)).tocsr()
    sets = draw_sets(n_nodes, seed)
    distances = np.empty((n_nodes, len(sets)))
    nodes = np.empty((n_nodes, len(sets)), dtype=np.int64)
    for column, members in enumerate(sets):
        distances[:, column], _, nearest = dijkstra(
            graph, indices=members, unweighted=True, min_only=True, return_predecessors=True
        )
        nodes[:, column] = np.where(np.isfinite(distances[:, column]), nearest, members[0])
    lengths, steps = np.unique(distances, return_inverse=True)
    values = torch.from_numpy(1 / (lengths + 1)).float()
    return Anchors(torch.from_numpy(nodes), values, torch.from_numpy(steps.reshape(distances.shape)))
