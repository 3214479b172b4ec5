"""What measures share: intermediates of one representation, each computed once.

Every function takes :class:`~resi.measures.base.Features` and is called through ``x.shared(function)``. Orthonormal
bases are in :mod:`resi.measures.bases`, distances in :mod:`resi.measures.distances`, nearest neighbours in
:mod:`resi.measures.nearest`.
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
# Numbers in this range can be squared twice and summed without leaving what a float64 holds.
SAFE_RANGE = (2.0**-100, 2.0**100)


class Scaled(NamedTuple):
    """A matrix of moderate size; ``scale * matrix`` is the representation."""

    matrix: Tensor
    scale: float


class Distinct(NamedTuple):
    """Which rows are the same.

    Attributes
    ----------
    first : Tensor of shape (n_distinct,)
        Index of the first row of each kind.
    kind : Tensor of shape (n_samples,)
        ``matrix[first[kind]]`` is the matrix.
    """

    first: Tensor
    kind: Tensor


def scaled(x: Features) -> Scaled:
    """Return the matrix divided by a power of two, which is exact, where its numbers are very large or very small."""
    low, high = x.matrix.aminmax()
    largest = max(-float(low), float(high))
    if largest == 0 or SAFE_RANGE[0] <= largest <= SAFE_RANGE[1]:
        return Scaled(x.matrix, 1.0)
    scale = 2.0 ** max(-1000, min(1000, math.frexp(largest)[1]))
    return Scaled(x.matrix / scale, scale)


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
    """Return the Frobenius norm of the centred matrix."""
    return float(x.shared(centred).norm())


def centred_gram(x: Features) -> Tensor:
    """Return the Gram matrix of the centred rows, shape (n_samples, n_samples)."""
    matrix = x.shared(centred)
    return matrix @ matrix.T


def centred_compact(x: Features) -> Tensor:
    """Return the centred matrix rotated into at most n_samples columns, shape (n_samples, min(n_samples, n_features)).

    The rotation of its features is orthogonal, so the singular values of products with it stay as they are.
    """
    return _compact(x.shared(centred))


def centred_cross(a: Features, b: Features) -> Tensor:
    """Return the products of the columns of two compact centred matrices."""
    return a.shared(centred_compact).T @ b.shared(centred_compact)


def compact(x: Features) -> Tensor:
    """Return the scaled matrix rotated into at most n_samples columns."""
    return _compact(x.shared(scaled).matrix)


def _compact(matrix: Tensor) -> Tensor:
    if matrix.shape[1] <= matrix.shape[0]:
        return matrix
    return torch.linalg.qr(matrix.T, mode="r").R.T


def unit_rows(x: Features) -> Tensor:
    """Return the matrix with rows of length one; all-zero rows stay zero."""
    return with_unit_rows(x.matrix)


def with_unit_rows(matrix: Tensor) -> Tensor:
    """Return the matrix with rows of length one; all-zero rows stay zero."""
    # Divided by their largest number first, rows can be as long or short as floats allow.
    largest = matrix.abs().amax(1, keepdim=True)
    result = matrix / largest.where(largest > 0, 1)
    norms = result.norm(dim=1, keepdim=True)
    return result.div_(norms.where(norms > 0, 1))


def unit_columns(x: Features) -> Tensor:
    """Return the centred matrix with columns of length one; columns of constant neurons are zero."""
    matrix = x.shared(centred)
    norms = matrix.norm(dim=0)
    constant = norms <= RELATIVE_ZERO * x.shared(scaled).matrix.norm(dim=0)
    return torch.where(constant, 0.0, matrix / norms.where(~constant, 1))


def distinct_rows(x: Features) -> Distinct | None:
    """Return which rows are the same, number for number, or None where all differ.

    Products of identical rows with a third one may differ by rounding, depending on where in a matrix they stand.
    Measures that order rows by distance therefore compute with one row of each kind.
    """
    # Each row is hashed to one integer; adding zero makes a positive zero of a negative one.
    bits = (x.matrix + 0.0).view(torch.int64)
    bits = (bits ^ (bits >> 32)) * 0x9E3779B97F4A7C1 ^ (bits >> 17)
    generator = torch.Generator().manual_seed(0)
    factors = torch.randint(2**62, (bits.shape[1],), generator=generator).to(bits.device) * 2 + 1
    keys, kind = _unique((bits * factors).sum(1))
    n_samples = len(kind)
    if len(keys) == n_samples:
        return None
    result = _first_of_kind(kind, len(keys))
    if torch.equal(x.matrix[result.first[kind]], x.matrix):
        return result
    kinds, kind = _unique(x.matrix)
    return _first_of_kind(kind, len(kinds)) if len(kinds) < n_samples else None


def _unique(entries: Tensor) -> tuple[Tensor, Tensor]:
    """Return the different entries along the first axis, and for each entry which of these it is."""
    different, which, _ = torch.unique(entries, dim=0, return_inverse=True, return_counts=True)
    return different, which


def _first_of_kind(kind: Tensor, n_kinds: int) -> Distinct:
    index = torch.arange(len(kind), device=kind.device)
    first = torch.full((n_kinds,), len(kind), device=kind.device).scatter_reduce_(0, kind, index, "amin")
    return Distinct(first, kind)


def ranked_correlations(x: Features) -> Tensor:
    """Return the ranks of the pairwise Pearson correlations of rows, centred and of length one.

    The vector has length n_samples * (n_samples - 1) / 2, in the order of the strict lower triangle; ties take their
    average rank, and identical rows have the same correlations to the last digit. A constant row has correlation 0
    with every other.

    Raises
    ------
    DegenerateInputError
        If all correlations are the same, so that their ranks carry no information.
    """
    largest = x.matrix.abs().amax(1, keepdim=True)
    raw = x.matrix / largest.where(largest > 0, 1)
    matrix = raw - raw.mean(1, keepdim=True)
    norms = matrix.norm(dim=1, keepdim=True)
    constant = norms <= RELATIVE_ZERO * raw.norm(dim=1, keepdim=True)
    matrix = torch.where(constant, 0.0, matrix / norms.where(~constant, 1))
    distinct = x.shared(distinct_rows)
    if distinct is None:
        correlations = matrix @ matrix.T
    else:
        matrix = matrix[distinct.first]
        # A product and its mirror image may differ by rounding, and so may the product of a row with itself from one.
        correlations = (matrix @ matrix.T).tril_(-1)
        correlations += correlations.T.clone()
        correlations.diagonal().copy_(matrix.any(1))
        correlations = correlations[distinct.kind][:, distinct.kind]
    ranks = average_ranks(torch.cat([row[:index] for index, row in enumerate(correlations)]))
    ranks -= ranks.mean()
    norm = float(ranks.norm())
    if norm == 0:
        raise DegenerateInputError("all pairwise correlations of rows are the same")
    return ranks / norm


def average_ranks(values: Tensor) -> Tensor:
    """Return the ranks from 1 of a vector's values as float64; equal values share the average of their ranks."""
    ordered, order = values.sort()
    rises = ordered[1:] != ordered[:-1]
    if rises.all():
        shared = torch.arange(1, len(values) + 1, dtype=torch.float64, device=values.device)
    else:
        starts = torch.cat((rises.new_ones(1), rises)).nonzero().squeeze(1)
        counts = starts.diff(append=starts.new_full((1,), len(values)))
        shared = (starts + (counts.to(torch.float64) + 1) / 2).repeat_interleave(counts)
    ranks = torch.empty_like(values, dtype=torch.float64)
    ranks[order] = shared
    return ranks
