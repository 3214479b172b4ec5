"""The heat trace of a representation's graph of nearest neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.errors import ShapeError
from resi.measures.shared.distances import cloud_of_positions
from resi.measures.shared.nearest import nearest_in

if TYPE_CHECKING:
    import numpy as np

    from resi.measures.features import Features
    from resi.measures.shared.nearest import Neighbours

    Array = np.ndarray[Any, Any]

# The heat kernel is summed up to this Chebyshev degree. What is left out is below 3e-18 for t <= 10.
DEGREE = 32
# Columns of a block of vectors: rows of the block fill cache lines, and blocks stay in the cache up to 8000 samples.
COLUMNS = 16
# Columns that are drawn together; with another number of them, the draws are other ones.
DRAWN_COLUMNS = 64


def times() -> Array:
    """Return the 256 times of the heat trace, logarithmically spaced over [0.1, 10]."""
    import numpy as np

    return np.logspace(-1, 1, 256)


def neighbour_graph(x: Features, k: int) -> Any:
    """Return ``D^-1/2 A D^-1/2`` of the symmetric k-nearest-neighbour graph as a scipy CSR matrix.

    A(i, j) is 1 where i is among the k nearest rows of j or the other way round, itself left out. Where more rows are
    at the distance of the k-th neighbour than fit, it is that part of them that fits, or the larger of the two parts.
    Every degree is at least k.

    Raises
    ------
    ShapeError
        If there are not more than k rows.
    DegenerateInputError
        If all rows are the same.
    """
    from scipy import sparse

    cloud = x.shared(cloud_of_positions)
    n_samples = len(cloud.points)
    if not 1 <= k < n_samples:
        raise ShapeError(f"imd: {k} neighbours need at least {k + 1} rows, but there are {n_samples}")
    weights, i, j = _edges(nearest_in(cloud, k, cloud.squares))
    adjacency = sparse.csr_array((weights, (i, j)), shape=(n_samples, n_samples))
    adjacency = adjacency.maximum(adjacency.T)
    root = sparse.diags_array(adjacency.sum(1) ** -0.5)
    return (root @ adjacency @ root).tocsr()


def _edges(found: Neighbours) -> tuple[Array, Array, Array]:
    """Return how much of a neighbour, of which row, is which row: three vectors."""
    import numpy as np

    n_samples, k = found.nearest.shape
    index, tied, nearer, starts, members = (
        part.cpu().numpy() for part in (found.nearest, found.tied, found.nearer, found.starts, found.members)
    )
    count = np.full(n_samples, k)
    count[tied] = nearer
    settled = np.arange(k) < count[:, None]
    counts = np.diff(starts)
    weights = np.concatenate((np.ones(settled.sum()), np.repeat((k - nearer) / counts, counts)))
    rows = np.concatenate((settled.nonzero()[0], np.repeat(tied, counts)))
    return weights, rows, np.concatenate((index[settled], members))


def heat_trace(x: Features, k: int, exact_rows: int, probes: int, seed: int) -> Array:
    """Return the heat trace ``tr exp(-t L) / n_samples`` of the normalised Laplacian at :func:`times`, shape (256,).

    ``L = 1 - A``, so that ``exp(-t L) = exp(-t) (I_0(t) + 2 sum_j I_j(t) T_j(A))`` with modified Bessel functions I and
    Chebyshev polynomials T, which converges faster than exponentially. No eigenvalue is needed.
    """
    import numpy as np
    from scipy import special

    graph = x.shared(neighbour_graph, k=k)
    n_samples = graph.shape[0]
    moments = chebyshev_moments(graph, None if n_samples <= exact_rows else (probes, seed))
    bessel = special.ive(np.arange(DEGREE + 1), times()[:, None])
    return (2 * bessel * moments).sum(1) - bessel[:, 0]


def chebyshev_moments(graph: Any, drawn: tuple[int, int] | None) -> Array:
    """Return ``tr T_j(A) / n_samples`` for j up to ``DEGREE``.

    From ``2 T_i T_j = T_(i+j) + T_|i-j|`` the traces up to degree 2j follow from inner products of T_j and T_(j+1),
    which halves the work.

    Parameters
    ----------
    graph : sparse matrix of shape (n_samples, n_samples)
        A, with eigenvalues in [-1, 1].
    drawn : (probes, seed) or None
        None takes the whole trace; otherwise the trace is estimated from that many vectors of random signs, which are
        the same for every graph of as many nodes.
    """
    import numpy as np

    n_samples = graph.shape[0]
    n_vectors = n_samples if drawn is None else drawn[0]
    even, odd = np.zeros(DEGREE // 2 + 1), np.zeros(DEGREE // 2)
    width = COLUMNS if drawn is None else DRAWN_COLUMNS
    for start in range(0, n_vectors, width):
        older = _start_vectors(n_samples, range(start, min(start + width, n_vectors)), drawn)
        newer = graph @ older
        for degree in range(DEGREE // 2):
            even[degree] += np.vdot(older, older)
            odd[degree] += np.vdot(older, newer)
            older, newer = newer, 2 * (graph @ newer) - older
        even[-1] += np.vdot(older, older)
    moments = np.empty(DEGREE + 1)
    moments[0::2] = 2 * even - even[0]
    moments[1::2] = 2 * odd - odd[0]
    return moments / even[0]


def _start_vectors(n_samples: int, columns: range, drawn: tuple[int, int] | None) -> Array:
    """Return columns of the identity, or vectors of random signs, shape (n_samples, len(columns))."""
    import numpy as np

    from resi.randomness import generator

    if drawn is not None:
        signs = generator(drawn[1], "imd", n_samples, columns.start).integers(0, 2, (n_samples, len(columns)))
        return 2.0 * signs - 1.0
    vectors = np.zeros((n_samples, len(columns)))
    vectors[columns, range(len(columns))] = 1
    return vectors
