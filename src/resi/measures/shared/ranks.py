"""Ranks of the correlations between all rows of a representation."""

from __future__ import annotations

import math
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

SORTED_AT_ONCE = 2**21
"""More values are sorted by compiled loops, or in parts on a GPU: one call of torch takes 80 bytes for each of them."""
SAMPLED = 2**16


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
    if len(values) <= SORTED_AT_ONCE:
        ordered, order = _sorted(values)
        shared, _ = _shared_ranks(ordered, width, largest_width)
        return values.scatter_(0, order, shared)
    if values.device.type == "cpu":
        return _average_ranks_of_many(values, width, largest_width)
    return _average_ranks_in_parts(values, width, largest_width)


def _average_ranks_of_many(values: Tensor, width: Callable[[Tensor], Tensor], largest_width: float) -> Tensor:
    from resi.measures.shared import compiled_sort

    ordered, places = compiled_sort.ordered(values.numpy())
    close = torch.from_numpy(compiled_sort.close_to_previous(ordered, largest_width))
    larger = torch.from_numpy(ordered)[close]
    gaps = larger - torch.from_numpy(ordered)[close - 1]
    tied = close[gaps <= width(larger)]
    compiled_sort.put_ranks(places, tied.numpy(), values.numpy())
    return values


def _average_ranks_in_parts(values: Tensor, width: Callable[[Tensor], Tensor], largest_width: float) -> Tensor:
    ranks = torch.empty_like(values)
    low, done = 0.0, 0
    for high in (*_bounds(values), math.inf):
        chosen = ((values >= low) & (values < high)).nonzero().squeeze(1)
        if len(chosen) == 0:
            continue
        ordered, order = _sorted(values[chosen])
        shared, last = _shared_ranks(ordered.clone(), width, largest_width)
        if high == math.inf:
            last = len(chosen)
        else:  # the last ones may be equal to the first of those that follow
            low = float(ordered[last])
        ranks[chosen[order[:last]]] = shared[:last].add_(done)
        done += last
    return values.copy_(ranks)


def sorting_bytes(count: int) -> int:
    """Return the bytes of ranking so many values, their own included, unless they are very unevenly spread."""
    return (66 if count <= SORTED_AT_ONCE else 21) * count


def _sorted(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return values of at least 0 in increasing order, and where they were."""
    # Numbers of one sign have the order of their bits; integers are sorted in half the time.
    bits, order = values.view(torch.int64).sort()
    return bits.view(torch.float64), order


def _bounds(values: Tensor) -> list[float]:
    """Return what divides values into parts of about as many as are sorted at once."""
    sample = values[:: max(1, len(values) // SAMPLED)].sort().values
    n_parts = -(-len(values) // SORTED_AT_ONCE)
    return [float(sample[part * len(sample) // n_parts]) for part in range(1, n_parts)]


def _shared_ranks(ordered: Tensor, width: Callable[[Tensor], Tensor], largest_width: float) -> tuple[Tensor, int]:
    """Return the ranks of values in increasing order, in their memory, and how many come before the largest ones."""
    rises = torch.empty(len(ordered) - 1, dtype=torch.bool, device=ordered.device)
    for start in range(0, len(rises), BLOCK_ENTRIES):
        part = ordered[start : start + BLOCK_ENTRIES + 1]
        gaps = part.diff()
        above = gaps > largest_width * part[1:]
        close = (~above).nonzero().squeeze(1)
        above[close] = gaps[close] > width(part[1:][close])
        rises[start : start + BLOCK_ENTRIES] = above
    if rises.all():
        shared = torch.arange(1, len(ordered) + 1, dtype=torch.float64, device=ordered.device, out=ordered)
        return shared, len(ordered) - 1
    starts = torch.cat((rises.new_ones(1), rises)).nonzero().squeeze(1)
    counts = starts.diff(append=starts.new_full((1,), len(ordered)))
    return (starts + (counts.to(torch.float64) + 1) / 2).repeat_interleave(counts), int(starts[-1])


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
