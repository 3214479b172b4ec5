"""Euclidean distances between all rows of a representation, computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi.measures.artifacts import BLOCK_ENTRIES, scaled, shifted
from resi.measures.rows import distinct_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

    from resi.measures.base import Features
else:
    from resi.lazy import torch

# A squared distance below this share of the squared length of its rows has lost too many digits in the difference of
# products, and is computed again from the difference of rows.
CANCELLED = 1e-5


class Distances(NamedTuple):
    """All distances; ``scale * matrix`` is in the units of the features.

    Attributes
    ----------
    matrix : Tensor of shape (n_samples, n_samples)
    row_means : Tensor of shape (n_samples,)
    scale : float
    """

    matrix: Tensor
    row_means: Tensor
    scale: float


class Block(NamedTuple):
    """Squared distances of the rows ``start`` to ``stop`` to all rows before ``stop``."""

    start: int
    stop: int
    squares: Tensor


def euclidean_distances(x: Features) -> Distances:
    """Return the Euclidean distances between all rows; identical rows are at distance zero exactly."""
    distinct = x.shared(distinct_rows)
    points = x.shared(shifted)
    n_points = len(points)
    matrix = points.new_empty((n_points, n_points))
    for start, stop, squares in squared_distances(points):
        lengths = squares.sqrt_()
        matrix[start:stop, :stop] = lengths
        matrix[:start, start:stop] = lengths[:, :start].T
    if distinct is not None:
        matrix[distinct.copies] = matrix[distinct.originals]
        matrix[:, distinct.copies] = matrix[:, distinct.originals]
    return Distances(matrix, matrix.mean(1), x.shared(scaled).scale)


def squared_distances(points: Tensor) -> Iterator[Block]:
    """Yield the squared distances between rows, the lower triangle in blocks of rows.

    The square within a block is symmetric only up to rounding, and its diagonal is zero.
    """
    norms = points.square().sum(1)
    n_points = len(points)
    block = max(1, BLOCK_ENTRIES // n_points)
    for start in range(0, n_points, block):
        stop = min(start + block, n_points)
        rows = points[start:stop]
        squares = torch.addmm(norms[:stop].unsqueeze(0), rows, points[:stop].T, alpha=-2)
        squares += norms[start:stop].unsqueeze(1)
        _recompute(squares, points, start, squares < CANCELLED * norms[start:stop].unsqueeze(1))
        squares.diagonal(start).zero_()
        yield Block(start, stop, squares)


def _recompute(squares: Tensor, points: Tensor, start: int, where: Tensor) -> None:
    where.diagonal(start).fill_(False)
    row, column = where.nonzero(as_tuple=True)
    chunk = max(1, BLOCK_ENTRIES // (4 * points.shape[1]))
    for first in range(0, len(row), chunk):
        i, j = row[first : first + chunk], column[first : first + chunk]
        squares[i, j] = (points[i + start] - points[j]).square().sum(1)
