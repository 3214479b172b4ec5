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

# Below this share of the two rows' own squared lengths, |a|² + |b|² - 2ab has lost five of its sixteen digits.
CANCELLED = 5e-6


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
    for start, stop, squares in lower_triangle(points):
        lengths = squares.sqrt_()
        matrix[start:stop, :stop] = lengths
        matrix[:start, start:stop] = lengths[:, :start].T
    if distinct is not None:
        matrix[distinct.copies] = matrix[distinct.originals]
        matrix[:, distinct.copies] = matrix[:, distinct.originals]
    return Distances(matrix, matrix.mean(1), x.shared(scaled).scale)


def lower_triangle(points: Tensor) -> Iterator[Block]:
    """Yield the squared distances between rows, the lower triangle in blocks of rows.

    The square within a block is symmetric only up to rounding, and its diagonal is zero.
    """
    n_points = len(points)
    block = max(1, BLOCK_ENTRIES // n_points)
    for start in range(0, n_points, block):
        stop = min(start + block, n_points)
        yield Block(start, stop, squared_distances(points[start:stop], points[:stop]))


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the squared distances between the rows of two matrices, shape (len(a), len(b)).

    One matrix product gives them all. Those of points much closer to each other than to the origin are computed again
    from the differences, so that equal rows are at distance 0 and close ones are told apart.
    """
    lengths = a.square().sum(1, keepdim=True) + b.square().sum(1)
    squares = torch.addmm(lengths, a, b.T, alpha=-2)
    row, column = (squares <= lengths.mul_(CANCELLED)).nonzero(as_tuple=True)
    chunk = max(1, BLOCK_ENTRIES // (4 * a.shape[1]))
    for first in range(0, len(row), chunk):
        i, j = row[first : first + chunk], column[first : first + chunk]
        squares[i, j] = (a[i] - b[j]).square().sum(1)
    return squares
