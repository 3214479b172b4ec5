"""Ranks of the correlations between all rows of a representation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.errors import DegenerateInputError
from resi.measures.shared.distances import are_parallel, largest_tie_width, squares_below, tie_width
from resi.measures.shared.intermediates import BLOCK_ENTRIES
from resi.measures.shared.vectors import name_of, profiles, resolution

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch


def ranked_correlations(x: Features) -> Tensor:
    """Return the ranks of the pairwise Pearson correlations of rows, centred and of length one.

    The vector has length n_samples * (n_samples - 1) / 2, in the order of the strict lower triangle. Correlations that
    differ by rounding only (:func:`resi.measures.shared.distances.tie_width`) take their average rank. A constant row
    has correlation 0 with every other.

    Raises
    ------
    DegenerateInputError
        If all correlations are the same, to the precision of the numbers.
    """
    vectors = x.shared(profiles)
    squares, lengths = squares_below(vectors)
    if are_parallel(vectors, lengths, resolution(x)):
        raise DegenerateInputError(
            f"all pairwise correlations of rows are 1 to the precision of {name_of(x.dtype)} numbers"
        )
    distances = _strict_triangle(squares)
    del squares
    # Correlations are 1 less half of these: in the opposite order.
    longest, n_features = 2 * float(lengths.max()), x.shape[1]
    ranks = average_ranks(
        distances, lambda values: tie_width(values, longest, n_features), largest_tie_width(n_features)
    )
    ranks.neg_().sub_(ranks.mean())
    norm = float(ranks.norm())
    if norm == 0:
        raise DegenerateInputError("all pairwise correlations of rows are the same")
    return ranks.div_(norm)


def average_ranks(values: Tensor, width: Callable[[Tensor], Tensor], largest_width: float) -> Tensor:
    """Return the ranks from 1 of a vector's values, in their place; equal values share the average of their ranks.

    Parameters
    ----------
    values : Tensor of shape (n,), float64
        At least 0. Overwritten.
    width : callable
        Returns by how much each of some values may differ from the next smaller one and still be equal to it.
    largest_width : float
        No width is a larger share of its value.
    """
    # Numbers of one sign have the order of their bits; integers are sorted in half the time.
    bits, order = values.view(torch.int64).sort()
    ordered = bits.view(torch.float64)
    rises = torch.empty(len(values) - 1, dtype=torch.bool, device=values.device)
    for start in range(0, len(rises), BLOCK_ENTRIES):
        part = ordered[start : start + BLOCK_ENTRIES + 1]
        gaps = part.diff()
        above = gaps > largest_width * part[1:]
        close = (~above).nonzero().squeeze(1)
        above[close] = gaps[close] > width(part[1:][close])
        rises[start : start + BLOCK_ENTRIES] = above
    if rises.all():
        shared = torch.arange(1, len(values) + 1, dtype=torch.float64, device=values.device, out=ordered)
    else:
        starts = torch.cat((rises.new_ones(1), rises)).nonzero().squeeze(1)
        counts = starts.diff(append=starts.new_full((1,), len(values)))
        shared = (starts + (counts.to(torch.float64) + 1) / 2).repeat_interleave(counts)
    return values.scatter_(0, order, shared)


def triangle_places(order: Tensor) -> Tensor:
    """Return where the entries of a strict lower triangle, row by row, are in that of samples in another order."""
    row, column = torch.tril_indices(len(order), len(order), -1, device=order.device)
    first, second = order[row], order[column]
    higher = torch.maximum(first, second)
    return higher * (higher - 1) // 2 + torch.minimum(first, second)


def ranks_between(ranks: Tensor, rows: slice, n_samples: int) -> Tensor:
    """Return the ranks of some samples with all samples, shape (n_rows, n_samples); 0 for those with themselves."""
    row = torch.arange(rows.start, rows.stop, device=ranks.device).unsqueeze(1)
    column = torch.arange(n_samples, device=ranks.device)
    higher = torch.maximum(row, column)
    places = higher * (higher - 1) // 2 + torch.minimum(row, column)
    is_itself = row == column
    return ranks[places.masked_fill_(is_itself, 0)].masked_fill_(is_itself, 0.0)


def _strict_triangle(matrix: Tensor) -> Tensor:
    """Return the entries below the diagonal, row by row."""
    n_rows = len(matrix)
    result = matrix.new_empty(n_rows * (n_rows - 1) // 2)
    for row in range(1, n_rows):
        result[row * (row - 1) // 2 : row * (row + 1) // 2] = matrix[row, :row]
    return result
