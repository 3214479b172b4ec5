"""The best rotation of one representation onto another, and their distance after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi.measures.shared import intermediates
from resi.measures.shared.bases import thin_svd
from resi.measures.shared.precision import CANCELLED, DOUBLE_EPSILON

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch

# Products of single precision are known to about 1e-7 of the norms. A distance computed from them has six digits unless
# the cosine is nearer to 1 than this; then they are computed in double precision.
SINGLE_IS_ENOUGH = 0.9
# A rotation found from the product of two matrices is off by up to half the digits in their smallest directions, which
# count in distances below this share of the norms.
ROTATION_IS_ENOUGH = 1e-4
REFINEMENTS = 3
# Singular values of a product that are smaller than this share of the largest have lost half of their digits.
SQUARES_ARE_ENOUGH = 2.0**-26


def nuclear_norm(a: Features, b: Features) -> float:
    """Return the nuclear norm of ``RcᵀSc``, the sum of its singular values (of the scaled matrices)."""
    result = sum_of_singular_values(a.shared_with(b, intermediates.centred_cross), a.single and b.single)
    norms = a.shared(intermediates.centred_norm) * b.shared(intermediates.centred_norm)
    if a.single and b.single and result > SINGLE_IS_ENOUGH * norms:
        result = sum_of_singular_values(intermediates.exact_centred_cross(a, b), False)
    return result


class Rotation(NamedTuple):
    """Factors of the orthogonal matrix ``left @ right.T`` that brings one compact centred matrix closest to another."""

    left: Tensor
    right: Tensor

    @property
    def T(self) -> Rotation:  # noqa: N802 - as tensors have it
        """The same with sides exchanged."""
        return Rotation(self.right, self.left)


def best_rotation(a: Features, b: Features) -> Rotation:
    """Return the rotation of the first matrix onto the second."""
    left, _, right = thin_svd(a.shared_with(b, intermediates.exact_centred_cross))
    return Rotation(left, right.T)


def residual(a: Features, b: Features, size_a: float, size_b: float) -> float:
    """Return the distance of two centred matrices, each multiplied by a size, after the best rotation.

    It has the digits that the difference of the matrices has, however small that is.
    """
    if a.shared(intermediates.centred_compact).shape[1] > b.shared(intermediates.centred_compact).shape[1]:
        a, b, size_a, size_b = b, a, size_b, size_a
    rotation = a.shared_with(b, best_rotation)
    first, second = (
        x.shared(intermediates.centred_compact) if size == 1 else size * x.shared(intermediates.centred_compact)
        for x, size in ((a, size_a), (b, size_b))
    )
    found = _norm((first @ (rotation.left @ rotation.right.T)).sub_(second))
    if CANCELLED * _norm(second) < found < ROTATION_IS_ENOUGH * _norm(second):
        found = min(found, *_refined_residuals(first, second))
    return found


def rotation_of_all_sizes(first: Tensor, second: Tensor) -> Tensor:
    """Return the partial isometry that brings one matrix closest to another, also in their smallest directions.

    The product of the matrices squares the sizes of directions: those of a hundred-millionth would be lost in it. They
    are found once more in what the matrices have beside their large directions. Directions in which one side has
    nothing in common with the other have no best rotation, and are mapped to zero.

    Parameters
    ----------
    first, second : Tensor of shape (n_samples, n_columns) and (n_samples, other_columns)
    """
    cross = first.T @ second
    left, values, right = torch.linalg.svd(cross, full_matrices=False)
    error = max(cross.shape) * DOUBLE_EPSILON
    # Rounding of the product alone gives values of that size to directions that have nothing in common.
    least = max(SQUARES_ARE_ENOUGH * float(values[0]), error * _norm(first) * _norm(second))
    count = int((values > least).sum())
    found = left[:, :count] @ right[:count]
    if 0 < count < len(values):
        del left, right
        left, _, right = torch.linalg.svd(cross)
        others, their_others = left[:, count:], right[count:].T
        rest, their_rest = first @ others, second @ their_others
        if _norm(rest) > error * _norm(first) and _norm(their_rest) > error * _norm(second):
            found = found + others @ rotation_of_all_sizes(rest, their_rest) @ their_others.T
    return found


def is_clear(values: Tensor, n_columns: int, norms: float) -> bool:
    """Return whether the product of two matrices gives the rotation in all directions, see ``rotation_of_all_sizes``.

    Parameters
    ----------
    values : Tensor of shape (n,)
        The singular values of the product, largest first.
    n_columns : int
        The larger number of columns of the two matrices.
    norms : float
        The product of the norms of the two matrices.
    """
    least = max(SQUARES_ARE_ENOUGH * float(values[0]), n_columns * DOUBLE_EPSILON * norms)
    return float(values[-1]) > least


def _norm(matrix: Tensor) -> float:
    return float(matrix.norm())


def _refined_residuals(first: Tensor, second: Tensor) -> list[float]:
    """Return distances of two nearly equal shapes after rotations that are also good in their smallest directions.

    The product of the matrices with roots of their singular values has the condition of one matrix, not of both, and
    the same rotation if the shapes are equal. Gauss-Newton steps follow: angles w between right singular vectors of the
    first matrix for which its difference to the second is least to first order, made a rotation by Cayley's formula.
    """
    left, values, _ = thin_svd(first)
    other_left, other_values, other_right = thin_svd(second)
    roots = values.sqrt().unsqueeze(1) * (left.T @ other_left) * other_values.sqrt()
    del other_left  # as large as a representation
    outer, _, inner = thin_svd(roots)
    # In the basis of the right singular vectors of the first matrix.
    rotation = outer @ inner @ other_right
    squares = values.square().unsqueeze(1) + values.square()
    is_known = squares > (DOUBLE_EPSILON * values[0]) ** 2
    unit = torch.eye(len(values), dtype=values.dtype, device=values.device)
    found = []
    for _ in range(REFINEMENTS):
        rest = ((left * values) @ rotation).sub_(second)
        found.append(_norm(rest))
        pull = values.unsqueeze(1) * (left.T @ rest @ rotation.T)
        angles = torch.where(is_known, (pull.T - pull) / squares.where(is_known, 1), 0) / 2
        rotation = torch.linalg.solve(unit - angles, unit + angles) @ rotation
    return found


def sum_of_singular_values(matrix: Tensor, single: bool) -> float:
    """Return the sum of a matrix's singular values.

    Parameters
    ----------
    single : bool
        Whether seven digits are enough: then they are found from the eigenvalues of the smaller product of the matrix
        with itself, in two thirds of the time, where these are large enough for that.
    """
    if single:
        wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
        squares = torch.linalg.eigvalsh(wide @ wide.T).cpu().numpy()
        roots = squares.clip(0) ** 0.5
        total = float(roots.sum())
        # An eigenvalue is off by about this; its root by half of that over the root, or by the root of it if less.
        error = len(squares) * 2.0**-52 * float(squares[-1])
        if error > 0 and float((error / (2 * roots).clip(error**0.5)).sum()) < 1e-7 * total:
            return total
    return float(torch.linalg.svdvals(matrix).sum())
