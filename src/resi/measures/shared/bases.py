"""Thin singular value decompositions: orthonormal bases of the column spaces of representations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError
from resi.measures.needs import Needs, Size
from resi.measures.shared import parts
from resi.measures.shared.intermediates import centred, column_noise, scaled
from resi.measures.shared.precision import DOUBLE_EPSILON, count_above_rounding, least_share, noise_edge

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch


RESOLUTION = 1e-10
"""Rounding of values made of bases: a direction is known to double precision times the condition of the matrix."""


class Basis(NamedTuple):
    """``left * values @ right.T`` is the matrix, up to its numerical rank.

    Attributes
    ----------
    left : Tensor of shape (n_samples, rank)
        Orthonormal basis of the column space.
    values : Tensor of shape (rank,)
        Singular values, largest first.
    right : Tensor of shape (n_features, rank)
    is_sure : bool
        Whether the rank is: no other direction is left that may be one of the data or rounding.
    """

    left: Tensor
    values: Tensor
    right: Tensor
    is_sure: bool = True

    @property
    def rank(self) -> int:
        """Numerical rank of the matrix."""
        return len(self.values)


def centred_basis(x: Features) -> Basis:
    """Return the decomposition of the centred matrix.

    Directions in which the matrix is no larger than rounding may be are left out.

    Raises
    ------
    DegenerateInputError
        If all rows are the same.
    """
    matrix = x.shared(centred)
    if x.single:
        return _decompose_rounded(matrix, x.shared(column_noise), least_share(x.epsilon))
    # Every entry is known to half a unit in its last place; what that adds to the singular values is not a direction
    # of the data, however small the spread around a distant mean is.
    low, high = x.shared(scaled).matrix.aminmax()
    return _decompose(matrix, DOUBLE_EPSILON * max(-float(low), float(high)))


def uncentred_basis(x: Features) -> Basis:
    """Return the decomposition of the matrix itself, without directions that may be rounding.

    Raises
    ------
    DegenerateInputError
        If all entries are zero.
    """
    matrix = x.shared(scaled).matrix
    if x.single:
        return _decompose_rounded(matrix, x.shared(column_noise), least_share(x.epsilon))
    return _decompose(matrix, 0.0)


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


def guess_note(rank_a: int, is_sure_a: bool, rank_b: int, is_sure_b: bool) -> str:
    """Return a note if a rank is uncertain, as the data are about as small as rounding."""
    sides = ("R", rank_a, is_sure_a), ("S", rank_b, is_sure_b)
    guessed = " and ".join(f"{side} ({rank})" for side, rank, is_sure in sides if not is_sure)
    return f"the rank of {guessed} is a guess: its directions are hardly larger than rounding" if guessed else ""


def note(a: Features, b: Features, further: str = "") -> str:
    """Return the note on an uncertain rank of one of two centred matrices, and a further one."""
    first, second = a.shared(centred_basis), b.shared(centred_basis)
    guess = guess_note(first.rank, first.is_sure, second.rank, second.is_sure)
    return "; ".join(filter(None, (guess, further)))


def fills_space(n_samples: int, rank_a: int, rank_b: int) -> bool:
    """Return whether one of two centred bases holds every centred vector, so that the other lies in it."""
    return max(rank_a, rank_b) >= n_samples - 1


def basis_bytes(n_samples: int, n_features: int) -> int:
    """Return the bytes of a matrix, its centred copy, both bases and the work space of the decomposition."""
    size = Size(n_samples, n_features)
    return Needs(parts.shifted(size) | parts.bases(size), preparing=parts.decomposing(size)).of_one


def _decompose(matrix: Tensor, noise: float) -> Basis:
    left, values, right = thin_svd(matrix)
    return _leading(
        left, values, right, int((values > max(_own_rounding(values, matrix), noise * _edge(matrix))).sum())
    )


def _decompose_rounded(matrix: Tensor, noise: Tensor, least: float) -> Basis:
    """Return the decomposition of a matrix whose columns hold noise of the given standard deviations, or a share of it.

    Directions are separable from noise if all columns have equal noise, as in the matrix divided by these. Columns
    alone change the singular values by no more than the divisors do, which usually shows the rank without that matrix.
    """
    left, values, right = thin_svd(matrix)
    levels = noise[matrix.any(0)] * _edge(matrix)
    if len(levels) == 0:
        return _leading(left, values, right, 0)
    rank = int((values > max(float(levels.max()), _own_rounding(values, matrix))).sum())
    if rank == int((values > least * float(levels.min())).sum()):
        return _leading(left, values, right, rank)
    del left, right  # before the next ones are made
    left, values, right = thin_svd(matrix / noise)
    real = values[values > _own_rounding(values, matrix)]
    count = count_above_rounding((real / _edge(matrix)).tolist(), least)
    whitened = _leading(left, values, right, count.directions)
    left, values, right = thin_svd(whitened.values.unsqueeze(1) * whitened.right.T * noise)
    return Basis(whitened.left @ left, values, right.T, count.is_sure)


def _leading(left: Tensor, values: Tensor, right: Tensor, rank: int) -> Basis:
    if rank == 0:
        raise DegenerateInputError("the representation is constant: it has numerical rank 0")
    return Basis(left[:, :rank], values[:rank], right[:rank].T)


def _edge(matrix: Tensor) -> float:
    return noise_edge(*matrix.shape)


def _own_rounding(values: Tensor, matrix: Tensor) -> float:
    """Return up to which size singular values may be rounding of the decomposition itself."""
    return max(matrix.shape) * DOUBLE_EPSILON * float(values[0])


def thin_svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, the singular values and Vᵀ; where the fast algorithm does not converge, by the slow one."""
    try:
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # torch.linalg.LinAlgError, or on CUDA an error of its solver
        from scipy.linalg import svd

        parts = svd(matrix.cpu().numpy(), full_matrices=False, lapack_driver="gesvd")
        left, values, right = (torch.as_tensor(part, device=matrix.device) for part in parts)
    return left, values, right
