"""What measures share: intermediates of one representation, each computed once.

Every function takes :class:`~resi.measures.base.Features` and is called through ``x.shared(function)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.errors import DegenerateInputError, ShapeError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.base import Features
else:
    from resi.lazy import torch

# Columns of a centred matrix count as constant below this share of the matrix's own size: what is left of a constant
# after subtracting its mean is rounding error of this order.
RELATIVE_ZERO = 1e-12


def centred(x: Features) -> Tensor:
    """Return the matrix with every column's mean taken off, shape (n_samples, n_features).

    Raises
    ------
    DegenerateInputError
        If all rows are the same.
    """
    result = x.matrix - x.matrix.mean(0)
    if float(result.norm()) <= RELATIVE_ZERO * float(x.matrix.norm()):
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
    matrix = x.shared(centred)
    if matrix.shape[1] <= matrix.shape[0]:
        return matrix
    return torch.linalg.qr(matrix.T, mode="r").R.T


def neighbours(x: Features, k: int) -> Tensor:
    """Return each row's k nearest other rows by cosine distance, nearest first, shape (n_samples, k), int64.

    Rows at the same distance are taken in the order of their index. An all-zero row has distance 1 to every other.

    Raises
    ------
    ShapeError
        If there are not more than k rows.
    """
    n_samples = x.matrix.shape[0]
    if not 1 <= k < n_samples:
        raise ShapeError(f"k = {k} neighbours need at least {k + 1} rows, but there are {n_samples}")
    unit = x.shared(unit_rows)
    found = torch.empty((n_samples, k), dtype=torch.int64, device=unit.device)
    block = max(1, 2**22 // n_samples)
    for start in range(0, n_samples, block):
        rows = torch.arange(start, min(start + block, n_samples), device=unit.device)
        distance = 1 - unit[rows] @ unit.T
        distance[torch.arange(len(rows), device=unit.device), rows] = torch.inf
        found[rows] = _smallest(distance, k)
    return found


def _smallest(distance: Tensor, k: int) -> Tensor:
    """Return the columns of the k smallest values of each row, ties by column."""
    values, columns = distance.topk(k, dim=1, largest=False)
    by_column = columns.sort(dim=1)
    order = values.gather(1, by_column.indices).sort(dim=1, stable=True).indices
    result = by_column.values.gather(1, order)
    # Where more columns tie with the k-th value than fit, topk chose among them freely.
    tied = (distance <= values.amax(1, keepdim=True)).sum(1) > k
    if tied.any():
        result[tied] = distance[tied].sort(dim=1, stable=True).indices[:, :k]
    return result


def unit_rows(x: Features) -> Tensor:
    """Return the matrix with rows of length one; all-zero rows stay zero."""
    norms = x.matrix.norm(dim=1, keepdim=True)
    return x.matrix / norms.where(norms > 0, 1)


def ranked_correlations(x: Features) -> Tensor:
    """Return the ranks of the pairwise Pearson correlations of rows, centred and of length one.

    The vector has length n_samples * (n_samples - 1) / 2, in the order of the strict lower triangle; ties take their
    average rank. A constant row has correlation 0 with every other.

    Raises
    ------
    DegenerateInputError
        If all correlations are the same, so that their ranks carry no information.
    """
    matrix = x.matrix - x.matrix.mean(1, keepdim=True)
    norms = matrix.norm(dim=1, keepdim=True)
    constant = norms <= RELATIVE_ZERO * x.matrix.norm(dim=1, keepdim=True)
    matrix = torch.where(constant, 0.0, matrix / norms.where(~constant, 1))
    n_samples = matrix.shape[0]
    row, column = torch.tril_indices(n_samples, n_samples, -1, device=matrix.device)
    ranks = average_ranks((matrix @ matrix.T)[row, column])
    ranks -= ranks.mean()
    norm = float(ranks.norm())
    if norm == 0:
        raise DegenerateInputError("all pairwise correlations of rows are the same")
    return ranks / norm


def average_ranks(values: Tensor) -> Tensor:
    """Return the ranks from 1 of a vector's values as float64; equal values share the average of their ranks."""
    ordered, order = values.sort()
    _, group, counts = torch.unique_consecutive(ordered, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).to(torch.float64)
    shared = last - (counts - 1) / 2
    ranks = torch.empty_like(values, dtype=torch.float64)
    ranks[order] = shared[group]
    return ranks
