"""Intermediates of one representation that measures share, each computed once.

Every function takes :class:`~resi.measures.features.Features` and is called through ``x.shared(function)``. Beside it
are orthonormal :mod:`~resi.measures.shared.bases`, :mod:`~resi.measures.shared.rotations`,
:mod:`~resi.measures.shared.distances`, what is about single :mod:`~resi.measures.shared.rows`, and
:mod:`~resi.measures.shared.nearest` neighbours.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError
from resi.measures.shared.precision import MOST_OFFSET, SUMMED_NOISE, SUMMED_SPREAD, stored_noise

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch

# Numbers of double precision count as constant below this share of their own size: what is left of a constant after
# subtracting its mean is rounding error of this order.
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
        If all rows are the same, to the precision of their numbers.
    """
    result = x.shared(shifted)
    if x.single and _all_rows_are_the_same(x):
        kind = str(x.dtype).removeprefix("torch.")
        raise DegenerateInputError(f"the representation is constant: all rows are the same to the precision of {kind}")
    if x.shared(centred_norm) <= RELATIVE_ZERO * float(x.shared(scaled).matrix.norm()):
        raise DegenerateInputError("the representation is constant: all rows are the same")
    return result


def column_sizes(x: Features) -> Tensor:
    """Return the root mean square of each column of the scaled matrix, not centred, shape (n_features,).

    Rounding is proportional to it, so that columns of very different size are each known to their own precision. Below
    the smallest normal number of their precision all numbers are known equally well.
    """
    matrix, by = x.shared(scaled)
    sizes = _lengths(x, matrix) / math.sqrt(len(matrix))
    return sizes.clamp(min=torch.finfo(x.dtype).tiny / by)


def centred_lengths(x: Features) -> Tensor:
    """Return the norm of each column of the centred matrix, shape (n_features,)."""
    return _lengths(x, x.shared(shifted))


def column_noise(x: Features) -> Tensor:
    """Return the standard deviation that rounding may have in each column, for numbers of single precision or less.

    Notes
    -----
    A column whose mean happens to be near zero was summed from terms as large as those of the others. Sums of the same
    inputs have a spread and rounding that are both proportional to the weights: its rounding is the usual share of its
    spread, if not more by the size of its own numbers.
    """
    sizes, spreads = x.shared(column_sizes), x.shared(centred_lengths) / math.sqrt(x.shape[0])
    varying = ~x.shared(constant_columns)
    usual = float((sizes[varying] / spreads[varying]).median()) if bool(varying.any()) else 1.0
    summed = torch.maximum(sizes, spreads * min(usual, MOST_OFFSET))
    return torch.maximum(stored_noise(x.epsilon) * sizes, SUMMED_NOISE * summed)


def constant_columns(x: Features) -> Tensor:
    """Return which columns vary by no more than their own numbers are known, shape (n_features,)."""
    lengths = x.shared(centred_lengths)
    if x.single:
        return lengths <= _least_spread(x) * math.sqrt(x.shape[0]) * x.shared(column_sizes)
    return lengths <= RELATIVE_ZERO * _lengths(x, x.shared(scaled).matrix)


def _all_rows_are_the_same(x: Features) -> bool:
    """Return whether no column varies by more than numbers of single precision or less are known."""
    if x.shared(centred_norm) > 2 * _least_spread(x) * float(x.shared(scaled).matrix.norm()):
        return False  # what follows is less than that of each column, and takes longer
    sizes = x.shared(column_sizes)
    # A column whose mean happens to be near zero was summed from terms as large as those of the others.
    known = torch.maximum(_least_spread(x) * sizes, SUMMED_SPREAD * sizes.median())
    return bool((x.shared(centred_lengths) <= known * math.sqrt(x.shape[0])).all())


def _least_spread(x: Features) -> float:
    return max(x.epsilon, SUMMED_SPREAD)


def _lengths(x: Features, matrix: Tensor) -> Tensor:
    """Return the norms of the columns of a matrix of the scaled size."""
    # Squares of single precision stay in the range of double precision, and take a tenth of the time of the norm.
    return matrix.square().sum(0).sqrt() if x.single else matrix.norm(dim=0)


def centred_norm(x: Features) -> float:
    """Return the Frobenius norm of the centred matrix, 0 if all rows are the same."""
    return float(x.shared(shifted).norm())


def centred_unit(x: Features) -> Tensor:
    """Return the centred matrix with products that can be squared in its precision.

    Where the numbers have no more than single precision it has that, too, divided by a power of two that brings its
    norm between 1/2 and 1: no product is above 1, independent of the spread of the representation.

    Raises
    ------
    DegenerateInputError
        If all rows are the same.
    """
    matrix = x.shared(centred)
    if not x.single:
        return matrix
    result, size = torch.empty_like(matrix, dtype=torch.float32), 2.0 ** unit_exponent(x)
    step = max(1, BLOCK_ENTRIES // matrix.shape[1])
    for start in range(0, len(matrix), step):
        result[start : start + step] = matrix[start : start + step] / size
    return result


def unit_exponent(x: Features) -> int:
    """Return by which power of two ``centred_unit`` is divided."""
    return math.frexp(x.shared(centred_norm))[1] if x.single else 0


def product_norm(x: Features) -> float:
    """Return the Frobenius norm of the product ``RcᵀRc`` of the centred features with themselves."""
    matrix = x.shared(centred)
    product = x.shared(centred_gram) if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    return float(product.norm())


def centred_gram(x: Features) -> Tensor:
    """Return the Gram matrix of the centred rows, shape (n_samples, n_samples)."""
    matrix = x.shared(centred)
    return matrix @ matrix.T


def centred_compact(x: Features) -> Tensor:
    """Return the centred matrix rotated into at most n_samples columns, shape (n_samples, min(n_samples, n_features)).

    The rotation of its features is orthogonal, so the singular values of products with it do not change.
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
    if a.single and b.single:
        return (a.shared(compact_for_products).T @ b.shared(compact_for_products)).double()
    return exact_centred_cross(a, b)  # rounding either side to single precision would cost the other its digits


def exact_centred_cross(a: Features, b: Features) -> Tensor:
    """Return the products of the columns of two compact centred matrices, in double precision."""
    return a.shared(centred_compact).T @ b.shared(centred_compact)


class Moved(NamedTuple):
    """The scaled matrix with about the mean of each column taken off, and what that leaves of the means.

    Attributes
    ----------
    matrix : Tensor of shape (n_samples, n_features)
        In the precision in which products are computed.
    means, rest : Tensor of shape (n_features,), float64
        Means of the columns, before and after.
    norm : float
        Of the matrix with all of the means taken off.
    """

    matrix: Tensor
    means: Tensor
    rest: Tensor
    norm: float


def moved(x: Features) -> Moved:
    """Return the scaled matrix moved near to zero, from single precision without the detour through double."""
    numbers = x.given.float() if x.single and x.shared(scale) == 1 else _in_precision(x, x.shared(scaled).matrix)
    taken = numbers.mean(0, dtype=torch.float64).to(numbers.dtype)
    matrix = numbers - taken
    rest = matrix.mean(0, dtype=torch.float64)
    square = float(torch.linalg.vector_norm(matrix, dtype=torch.float64)) ** 2 - len(matrix) * float(rest @ rest)
    return Moved(matrix, taken.double() + rest, rest, math.sqrt(max(square, 0.0)))


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
    constant = x.shared(constant_columns)
    return (matrix / matrix.norm(dim=0).where(~constant, 1)).masked_fill_(constant, 0.0)
