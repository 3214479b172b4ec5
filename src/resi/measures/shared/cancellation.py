"""Squared distances that cancelled: |a|² + |b|² - 2ab of rows near each other, computed again from differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.measures.shared.intermediates import BLOCK_ENTRIES
from resi.measures.shared.precision import DOUBLE_EPSILON
from resi.measures.shared.vectors import column_blocks

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.shared.vectors import Vectors
else:
    from resi.lazy import torch

# Below this share of the two rows' own squared lengths, |a|² + |b|² - 2ab has lost five of its sixteen digits.
CANCELLED = 5e-6
# Squared distance of directions that differ by rounding only: vectors of length one have it but for an error like that.
SAME_DIRECTION = (8 * DOUBLE_EPSILON) ** 2
# Directions at right angles are that far apart; a row without a direction counts as at a right angle to all others.
RIGHT_ANGLE = 2.0
# So many rows of a block are taken as origins for the rows near them, before the rest is computed pair by pair.
ORIGINS = 32


def mend(vectors: Vectors, squares: Tensor, sums: Tensor, chosen: slice | Tensor, left: int = 0) -> None:
    """Compute those of a block of squared distances again that cancelled, in place, from differences of the vectors.

    Parameters
    ----------
    squares : Tensor of shape (n_rows, n_columns)
        Of the chosen rows to those from ``left`` on, which include all of them or none.
    sums : Tensor of the same shape, or of one number
        Sums of the two points' squared lengths; they are overwritten.
    """
    rows = torch.arange(vectors.shape[0], device=squares.device)[chosen]
    own = (rows - left).unsqueeze(1)
    own = own[:0] if int(own[0]) >= squares.shape[1] else own
    cancelled = squares <= sums.mul_(CANCELLED)
    cancelled.scatter_(1, own, False)
    squares.scatter_(1, own, 0.0)
    if cancelled.any():
        _mend_by_origins(vectors, squares, cancelled, rows, left)
        _mend_pairs(vectors, squares, cancelled, rows, left)
    missing = vectors.missing
    if missing is not None:
        squares[:, missing[(missing >= left) & (missing < left + squares.shape[1])] - left] = RIGHT_ANGLE
        squares[torch.isin(rows, missing)] = RIGHT_ANGLE
        squares.scatter_(1, own, 0.0)


def _mend_by_origins(vectors: Vectors, squares: Tensor, cancelled: Tensor, all_rows: Tensor, left: int) -> None:
    """Mend the distances within groups of rows near each other by products of their differences to one of them."""
    for _ in range(ORIGINS):
        counts = cancelled.sum(1)
        if int(counts.sum()) <= 4 * squares.shape[1]:
            return
        origin = int(counts.argmax())
        columns = cancelled[origin].nonzero().squeeze(1)
        centre = int(all_rows[origin])
        # Where the origin is no column, the rows near its first neighbour are near to it, too.
        near = cancelled[:, centre - left if centre - left < cancelled.shape[1] else int(columns[0])]
        rows = near.index_fill(0, torch.tensor([origin], device=cancelled.device), True).nonzero().squeeze(1)
        found, exact = _from_origin(vectors, all_rows[rows], columns + left, centre)
        chosen = cancelled[rows][:, columns] & exact
        place = rows.unsqueeze(1), columns
        squares[place] = torch.where(chosen, found, squares[place])
        cancelled[place] = cancelled[place] & ~chosen


def _from_origin(vectors: Vectors, rows: Tensor, columns: Tensor, origin: int) -> tuple[Tensor, Tensor]:
    """Return squared distances from differences to one vector, and which of them keep their digits."""
    centre = torch.tensor([origin], device=rows.device)
    products = torch.zeros((len(rows), len(columns)), dtype=torch.float64, device=rows.device)
    first, second = products.new_zeros(len(rows)), products.new_zeros(len(columns))
    for part in column_blocks(*vectors.shape):
        a, b = (vectors.differences(index, centre, part) for index in (rows, columns))
        products.addmm_(a, b.T)
        first += a.square().sum(1)
        second += b.square().sum(1)
    sums = first.unsqueeze(1) + second
    found = products.mul_(-2).add_(sums)
    return _floored(vectors, found), (found > sums * CANCELLED) | (sums == 0)


def _mend_pairs(vectors: Vectors, squares: Tensor, cancelled: Tensor, rows: Tensor, left: int) -> None:
    row, column = cancelled.nonzero(as_tuple=True)
    squares[row, column] = squares_of_pairs(vectors, rows[row], column + left)


def squares_of_pairs(vectors: Vectors, rows: Tensor, others: Tensor) -> Tensor:
    """Return the squared distances of pairs of vectors from their differences, shape (n_pairs,)."""
    result = torch.zeros(len(rows), dtype=torch.float64, device=rows.device)
    chunk = max(1, BLOCK_ENTRIES // (8 * vectors.shape[1]))
    for first in range(0, len(rows), chunk):
        part = slice(first, first + chunk)
        i, j = rows[part], others[part]
        step = max(1, BLOCK_ENTRIES // (8 * len(i)))
        for left in range(0, vectors.shape[1], step):
            result[part] += vectors.differences(i, j, slice(left, left + step)).square_().sum(1)
    return _floored(vectors, result)


def _floored(vectors: Vectors, squares: Tensor) -> Tensor:
    return squares if vectors.norm is None else torch.where(squares <= SAME_DIRECTION, 0.0, squares)
