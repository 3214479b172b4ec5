"""Thin singular value decompositions: orthonormal bases of the column spaces of representations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError
from resi.measures.artifacts import centred, scaled

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.base import Features
else:
    from resi.lazy import torch

EPSILON = 2.0**-52


class Basis(NamedTuple):
    """``left * values @ right.T`` is the matrix, up to its numerical rank.

    Attributes
    ----------
    left : Tensor of shape (n_samples, rank)
        Orthonormal basis of the column space.
    values : Tensor of shape (rank,)
        Singular values, largest first.
    right : Tensor of shape (n_features, rank)
    """

    left: Tensor
    values: Tensor
    right: Tensor

    @property
    def rank(self) -> int:
        """Numerical rank of the matrix."""
        return len(self.values)


def centred_basis(x: Features) -> Basis:
    """Return the decomposition of the centred matrix.

    Raises
    ------
    DegenerateInputError
        If all rows are the same.
    """
    # Every entry is known to half a unit in its last place only; what that adds to the singular values is no direction
    # of the data, however small the spread around a distant mean is.
    low, high = x.shared(scaled).matrix.aminmax()
    return _decompose(x.shared(centred), EPSILON * max(-float(low), float(high)))


def uncentred_basis(x: Features) -> Basis:
    """Return the decomposition of the matrix as it is.

    Raises
    ------
    DegenerateInputError
        If all entries are zero.
    """
    return _decompose(x.shared(scaled).matrix, 0.0)


def centred_overlap(a: Features, b: Features) -> Tensor:
    """Return the products of the basis vectors of two centred matrices, shape (rank_a, rank_b)."""
    return a.shared(centred_basis).left.T @ b.shared(centred_basis).left


class Canonical(NamedTuple):
    """Singular value decomposition of the overlap of two column spaces.

    Attributes
    ----------
    left : Tensor of shape (rank_a, k)
        Canonical variates of the first side, in its basis; k is the smaller rank.
    correlations : Tensor of shape (k,)
        Canonical correlations, largest first.
    right : Tensor of shape (rank_b, k)
    """

    left: Tensor
    correlations: Tensor
    right: Tensor

    @property
    def T(self) -> Canonical:  # noqa: N802 - as tensors have it
        """The same with sides exchanged."""
        return Canonical(self.right, self.correlations, self.left)


def canonical(a: Features, b: Features) -> Canonical:
    """Return the canonical variates and correlations of two centred matrices."""
    left, correlations, right = thin_svd(a.shared_with(b, centred_overlap))
    return Canonical(left, correlations, right.T)


def basis_bytes(n_samples: int, n_features: int) -> int:
    """Return the bytes of a matrix, its centred copy, both bases and the work space of the decomposition."""
    smaller = min(n_samples, n_features)
    return 8 * (3 * n_samples * n_features + 2 * smaller * (n_samples + n_features) + 4 * smaller**2)


def _decompose(matrix: Tensor, noise: float) -> Basis:
    left, values, right = thin_svd(matrix)
    n_samples, n_features = matrix.shape
    relative = max(n_samples, n_features) * EPSILON * float(values[0])
    rank = int((values > max(relative, noise * (math.sqrt(n_samples) + math.sqrt(n_features)))).sum())
    if rank == 0:
        raise DegenerateInputError("the representation is constant: it has numerical rank 0")
    return Basis(left[:, :rank], values[:rank], right[:rank].T)


def thin_svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, the singular values and Vᵀ; where the fast algorithm does not converge, by the slow one."""
    try:
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    except RuntimeError:  # torch.linalg.LinAlgError, or on CUDA an error of its solver
        from scipy.linalg import svd

        parts = svd(matrix.cpu().numpy(), full_matrices=False, lapack_driver="gesvd")
        left, values, right = (torch.as_tensor(part, device=matrix.device) for part in parts)
    return left, values, right
