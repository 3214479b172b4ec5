"""Measures on the topology of two point clouds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi import Measure
from resi.errors import DegenerateInputError
from resi.measures.shared.distances import euclidean_distances
from resi.measures.shared.precision import or_exactly

if TYPE_CHECKING:
    from torch import Tensor

    from resi.measures.features import Features

SCALE_QUANTILE = 0.9


class Graph(NamedTuple):
    """The complete graph of the samples, weighted with their distances, and the weight of its minimum spanning tree.

    Attributes
    ----------
    distances : Tensor of shape (n_samples, n_samples)
        In units of their 0.9-quantile, on the CPU.
    tree : float
    """

    distances: Tensor
    tree: float


def tree_weight(*distances: Tensor) -> float:
    """Return the weight of a minimum spanning tree, by Prim's algorithm.

    Parameters
    ----------
    *distances : Tensor of shape (n_points, n_points)
        On the CPU; of several, the smaller entries count.
    """
    import numpy as np

    n_points, matrices = len(distances[0]), [matrix.numpy() for matrix in distances]
    nearest = np.full(n_points, np.inf)
    outside = np.ones(n_points, dtype=bool)
    weights, latest = np.zeros(n_points), 0
    for step in range(1, n_points):
        outside[latest] = False
        for matrix in matrices:
            np.minimum(nearest, matrix[latest], out=nearest)
        latest = int(np.where(outside, nearest, np.inf).argmin())
        weights[step] = nearest[latest]
    # Summed in order of size: whichever tree is found where edges are equal, the sum is the same.
    return math.fsum(np.sort(weights))


@dataclass
class RTDLite(Measure):
    """RTD-Lite: how differently two point clouds fall into clusters.

    With A and B the distances of the samples, each in units of its 0.9-quantile, and mst the weight of a minimum
    spanning tree, ``(mst(A) + mst(B)) / 2 - mst(min(A, B))``: the summed lengths of the bars over which points that are
    connected in the union of both graphs are not in one of them, averaged over both directions. It is 0 for equal
    distances and grows with the number of samples.

    References
    ----------
    .. [1] Tulchinskii et al., RTD-Lite: Scalable Topological Analysis for Comparing Weighted Graphs in Learning Tasks,
       AISTATS 2025.
    """

    name = "rtd_lite"
    family = "topology"
    larger_is_more_similar = False
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 0.0
    spatial = "align"
    on_cpu = True
    cost = "O(N²)"
    reference = (
        "Tulchinskii et al., RTD-Lite: Scalable Topological Analysis for Comparing Weighted Graphs in Learning Tasks, "
        "AISTATS 2025"
    )

    def prepare(self, x: Features) -> Graph:
        """Compute the distances and the weight of their spanning tree.

        Raises
        ------
        DegenerateInputError
            If at least nine tenths of the distances are zero.
        """
        import numpy as np

        matrix = x.shared(euclidean_distances).matrix.cpu()
        size = float(np.quantile(matrix.numpy(), SCALE_QUANTILE))
        if size == 0:
            raise DegenerateInputError(
                f"nine tenths of the distances between {len(matrix)} samples are zero, so that there is no scale to "
                "measure by"
            )
        distances = matrix / size
        return Graph(distances, tree_weight(distances))

    def permuted(self, state: Graph, order: Tensor) -> Graph:
        """Return the state for the rows in another order."""
        rows = order.cpu()
        return Graph(state.distances[rows][:, rows], state.tree)

    def compare(self, a: Graph, b: Graph) -> float:
        """Return the divergence, at least 0, unitless."""
        value = (a.tree + b.tree) / 2 - tree_weight(a.distances, b.distances)
        return or_exactly(0.0, max(value, 0.0), max(a.tree, b.tree))

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, its centred copy and the distances."""
        return 24 * n_samples * n_features + 24 * n_samples**2


MEASURES: tuple[type[Measure], ...] = (RTDLite,)
