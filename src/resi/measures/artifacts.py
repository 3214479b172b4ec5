"""What measures share: intermediates of one representation, each computed once.

Every function takes :class:`~resi.measures.base.Features` and is called through ``x.shared(function)``. Orthonormal
bases are in :mod:`resi.measures.bases`, distances in :mod:`resi.measures.distances`, what is about single rows in
:mod:`resi.measures.rows`, nearest neighbours in :mod:`resi.measures.nearest`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.base import Features
else:
    from resi.lazy import torch

# Columns of a centred matrix count as constant below this share of the matrix's own size: what is left of a constant
# after subtracting its mean is rounding error of this order.
RELATIVE_ZERO = 1e-12
# Numbers in this range can be squared twice and summed without leaving what a float64 holds; or, of single precision,
# squared once without leaving what a float32 holds.
SAFE_RANGE = (2.0**-100, 2.0**100)
SAFE_RANGE_SINGLE = (2.0**-30, 2.0**30)

BLOCK_ENTRIES = 2**22
"""How many entries of a matrix over pairs of rows are computed at a time."""


class Scaled(NamedTuple):
    """A matrix of moderate size; ``scale * matrix`` is the representation."""

    matrix: Tensor
    scale: float


def scale(x: Features) -> float:
    """Return the power of two that brings numbers that are very large or very small to a moderate size; else 1."""
    low, high = x.given.aminmax()
    largest = max(-float(low), float(high))
    smallest_safe, largest_safe = SAFE_RANGE_SINGLE if x.single else SAFE_RANGE
    if largest == 0 or smallest_safe <= largest <= largest_safe:
        return 1.0
    return 2.0 ** max(-1000, min(1000, math.frexp(largest)[1]))


def scaled(x: Features) -> Scaled:
    """Return the matrix divided by its scale, which is exact."""
    by = x.shared(scale)
    return Scaled(x.matrix if by == 1 else x.matrix / by, by)


def shifted(x: Features) -> Tensor:
    """Return the scaled matrix with every column's mean taken off, shape (n_samples, n_features)."""
    matrix = x.shared(scaled).matrix
    result = matrix - matrix.mean(0)
    # A constant column far from zero keeps the rounding error of its mean, which the second pass takes off.
    result -= result.mean(0)
    return result


def centred(x: Features) -> Tensor:
    """Return the scaled matrix with every column's mean taken off, shape (n_samples, n_features).

    Raises
    ------
    DegenerateInputError
        If all rows are the same.
    """
    result = x.shared(shifted)
    if float(result.norm()) <= RELATIVE_ZERO * float(x.shared(scaled).matrix.norm()):
        raise DegenerateInputError("the representation is constant: all rows are the same")
    return result


def centred_norm(x: Features) -> float:
    """Return the Frobenius norm of the centred matrix, 0 if all rows are the same."""
    return float(x.shared(shifted).norm())


def centred_for_products(x: Features) -> Tensor:
    """Return the centred matrix in the precision in which products are computed: single where the array had no more.

    Raises
    ------
    DegenerateInputError
        If all rows are the same.
    """
    return _in_precision(x, x.shared(centred))


def centred_gram(x: Features) -> Tensor:
    """Return the Gram matrix of the centred rows, shape (n_samples, n_samples)."""
    matrix = x.shared(centred)
    return matrix @ matrix.T


def centred_compact(x: Features) -> Tensor:
    """Return the centred matrix rotated into at most n_samples columns, shape (n_samples, min(n_samples, n_features)).

    The rotation of its features is orthogonal, so the singular values of products with it stay as they are.
    """
    return _compact(x.shared(shifted))


def compact_for_products(x: Features) -> Tensor:
    """Return the compact centred matrix in the precision in which products are computed."""
    return _in_precision(x, x.shared(centred_compact))


def centred_cross(a: Features, b: Features) -> Tensor:
    """Return the products of the columns of two compact centred matrices, as float64.

    They are computed in single precision where both arrays had no more, and then known to about 1e-7 of the product of
    the columns' lengths.
    """
    return products(a.shared(compact_for_products), b.shared(compact_for_products)).double()


def exact_centred_cross(a: Features, b: Features) -> Tensor:
    """Return the products of the columns of two compact centred matrices, in double precision."""
    return a.shared(centred_compact).T @ b.shared(centred_compact)


def scaled_for_products(x: Features) -> Tensor:
    """Return the scaled matrix in the precision in which products are computed."""
    if x.single and x.shared(scale) == 1:
        return x.given.float()  # without the detour through double precision
    return _in_precision(x, x.shared(scaled).matrix)


def scaled_norm(x: Features) -> float:
    """Return the Frobenius norm of the scaled matrix."""
    matrix = x.given if x.shared(scale) == 1 else x.shared(scaled).matrix
    return float(torch.linalg.vector_norm(matrix, dtype=torch.float64))


def products(first: Tensor, second: Tensor) -> Tensor:
    """Return the products of the columns of two matrices: in single precision if both have it, else in double."""
    if first.dtype != second.dtype:
        first, second = first.double(), second.double()
    return first.T @ second


def _in_precision(x: Features, matrix: Tensor) -> Tensor:
    return matrix.float() if x.single else matrix


def compact(x: Features) -> Tensor:
    """Return the scaled matrix rotated into at most n_samples columns."""
    return _compact(x.shared(scaled).matrix)


def _compact(matrix: Tensor) -> Tensor:
    if matrix.shape[1] <= matrix.shape[0]:
        return matrix
    return torch.linalg.qr(matrix.T, mode="r").R.T


def unit_columns(x: Features) -> Tensor:
    """Return the centred matrix with columns of length one; columns of constant neurons are zero."""
    matrix = x.shared(centred)
    norms = matrix.norm(dim=0)
    constant = norms <= RELATIVE_ZERO * x.shared(scaled).matrix.norm(dim=0)
    return torch.where(constant, 0.0, matrix / norms.where(~constant, 1))
