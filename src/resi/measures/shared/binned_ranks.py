"""Ranks of the correlations between all rows where there are too many to be sorted.

Correlations are counted in 33 million bins that hold about equally many, and those of one bin share their average rank.
This takes two passes over all correlations, of which none is held. Ties stay ties: what differs by rounding alone is
never divided between two bins. Others that are counted as ties change a rank correlation at random, by about a
hundred-thousand-millionth; see :attr:`BinnedRanks.largest_error` for a bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError
from resi.measures.shared.distances import are_parallel, tie_width
from resi.measures.shared.tiles import SUMMED_ENTRIES, Tile, rows_of_profiles, stripes
from resi.measures.shared.vectors import name_of, resolution

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy as np
    import torch
    from torch import Tensor

    from resi.measures.base import Spread
    from resi.measures.features import Features
    from resi.measures.shared.tiles import Rows

    Array = np.ndarray[Any, Any]
else:
    from resi.lazy import torch

N_BINS = 2**25
SAMPLED = 512
"""The correlations of so many rows with so many others say where bins are needed."""
LEAST_WIDTHS = 64
"""No bin is narrower than so many times what may be rounding; few values are near a bound of theirs then."""


def bins_bytes() -> int:
    """Return the bytes of the bins of a representation."""
    return 8 * N_BINS


def counting_bytes(n_samples: int) -> int:
    """Return the bytes of what is counted beside the bins: values that rounding alone sets beyond a bound."""
    return N_BINS * (int(_counter(n_samples)[-2:]) // 8 + 3)


class Bins(NamedTuple):
    """What the ranks of correlations are, by the squared distance of the rows.

    Attributes
    ----------
    cells : array
        Where the bins are, see :func:`resi.measures.shared.compiled_bins.count_bins`.
    table : Tensor of shape (n_bins,)
        Ranks about their mean, such that the squares of those of all pairs add up to 1.
    moved : array of int64
        Numbers of bins that values belong to which are below their bound by rounding alone.
    largest_error : float
        The norm of what the ranks of all pairs lose by bins, at most, as a share of their norm.
    """

    cells: Array
    table: Tensor
    moved: Array
    largest_error: float


@dataclass
class BinnedRanks:
    """Rows whose correlations are computed and ranked when they are needed.

    Attributes
    ----------
    row_sums : Tensor of shape (n_samples,) or None
        The sum of the ranks of each sample with the others, when it is known.
    """

    rows: Rows
    bins: Bins
    row_sums: Tensor | None = None

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.rows.n_samples

    @property
    def sums(self) -> Tensor:
        """The sum of the ranks of each sample with the others, shape (n_samples,)."""
        if self.row_sums is None:
            rank_correlations([self], [], map)
        assert self.row_sums is not None  # noqa: S101 - the line above has set it
        return self.row_sums

    def tile(self, tile: Tile, left: Tensor) -> Tensor:
        """Return the ranks of a tile, on the diagonal those below it and else 0."""
        from resi.measures.shared.compiled_bins import look_up

        squares = self.rows.squares(tile, left).cpu()
        result = torch.empty_like(squares)
        cells, table, moved, _ = self.bins
        look_up(squares.numpy(), tile.times == 1, cells, moved, table.numpy(), result.numpy())
        return result

    def reordered(self, order: Tensor) -> BinnedRanks:
        """Return the same of the samples in another order."""
        return BinnedRanks(self.rows.reordered(order), self.bins, self.sums[order.cpu()])


def binned_ranks(x: Features) -> BinnedRanks:
    """Return the ranks of the pairwise Pearson correlations of rows, to be looked up.

    Raises
    ------
    DegenerateInputError
        If all correlations are the same, to the precision of the numbers.
    """
    rows = rows_of_profiles(x)
    if are_parallel(rows.vectors, rows.lengths, resolution(x)):
        raise DegenerateInputError(
            f"all pairwise correlations of rows are 1 to the precision of {name_of(x.dtype)} numbers"
        )
    return BinnedRanks(rows, _bins(rows))


def rank_correlations(sides: Sequence[BinnedRanks], pairs: Sequence[tuple[int, int]], spread: Spread) -> list[float]:
    """Return the rank correlation of each pair; the sums of rows of all sides are known then.

    Parameters
    ----------
    sides : sequence
        Representations of the same number of samples.
    pairs : sequence of (int, int)
        Positions in ``sides``.
    spread : callable
        ``map``, or what does the same on several threads.
    """
    n_samples = sides[0].n_samples
    new = [number for number, side in enumerate(sides) if side.row_sums is None]
    totals = [torch.zeros(n_samples, dtype=torch.float64) for _ in new]
    products: list[list[float]] = []
    for of_stripe, added in spread(lambda stripe: _of_stripe(sides, new, pairs, stripe), stripes(n_samples)):
        products += of_stripe
        for total, part in zip(totals, added, strict=True):
            total[: len(part)] += part
    for number, total in zip(new, totals, strict=True):
        sides[number].row_sums = total
    # Rounded once: tens of thousands of sums are added up.
    return [math.fsum(terms) for terms in zip(*products, strict=True)] if pairs else []


def _of_stripe(
    sides: Sequence[BinnedRanks], new: Sequence[int], pairs: Sequence[tuple[int, int]], stripe: Sequence[Tile]
) -> tuple[list[list[float]], list[Tensor]]:
    """Return the sum of products of each pair in each tile, and what the tiles add to the sums of rows."""
    rows = stripe[0].rows
    factors = [side.rows.left(rows) for side in sides]
    sums = [torch.zeros(rows.stop, dtype=torch.float64) for _ in new]
    products = []
    for tile in stripe:
        ranks = [side.tile(tile, left) for side, left in zip(sides, factors, strict=True)]
        for number, total in zip(new, sums, strict=True):
            total[tile.rows] += ranks[number].sum(1)
            total[tile.columns] += ranks[number].sum(0)
        products.append([float(torch.dot(ranks[one].flatten(), ranks[other].flatten())) for one, other in pairs])
    return products, sums


def _bins(rows: Rows) -> Bins:
    """Count the correlations in bins and return what the bins stand for."""
    import numpy as np

    from resi.measures.shared.compiled_bins import count_bins

    cells = _cells(rows)
    counts = torch.from_numpy(np.zeros(N_BINS, dtype=np.int64))  # numpy asks for large pages, which random places need
    below, has_above = np.zeros(N_BINS + 1, _counter(rows.n_samples)), np.zeros(N_BINS + 1, dtype=bool)
    for stripe in stripes(rows.n_samples):
        left = rows.left(stripe[0].rows)
        for tile in stripe:
            squares = rows.squares(tile, left).cpu().numpy()
            count_bins(squares, tile.times == 1, cells, counts.numpy(), below, has_above)
    moved = _moved(counts, below, has_above)
    del below, has_above
    n_pairs = rows.n_samples * (rows.n_samples - 1) // 2
    table, length, lost = _ranks(counts, n_pairs)
    if length == 0:
        raise DegenerateInputError("all pairwise correlations of rows are the same")
    return Bins(cells, table.div_(length), moved, lost / length)


def _ranks(counts: Tensor, n_pairs: int) -> tuple[Tensor, float, float]:
    """Return the average rank of each bin about the mean of all, in the memory of the counts.

    Returns
    -------
    table : Tensor of shape (n_bins,), float64
    length, lost : float
        The norms of the ranks of all pairs, and of what is lost of them at most. Where all values of a bin are tied,
        nothing is.
    """
    from resi.measures.shared.compiled_bins import COUNT, MIXED_BIT

    table = counts.view(torch.float64)
    length, lost, before = 0.0, 0.0, 0
    for bins, place in zip(torch.split(counts, SUMMED_ENTRIES), torch.split(table, SUMMED_ENTRIES), strict=True):
        count = bins & COUNT
        numbers = count.double()
        # Correlations are 1 less half of the squared distances: in the opposite order.
        ranks = (count.cumsum(0) + before).double().sub_(numbers / 2).neg_().add_(n_pairs / 2)
        before += int(count.sum())
        length += float(ranks.square().mul_(numbers).sum())
        lost += float((numbers.pow(3) - numbers).mul_(bins >> MIXED_BIT).sum()) / 12
        place.copy_(ranks)
    return table, math.sqrt(length), math.sqrt(lost)


def _counter(n_samples: int) -> str:
    """Return the type of numbers that count as many values as there are pairs of samples."""
    return "uint32" if n_samples * (n_samples - 1) // 2 < 2**32 else "uint64"


def _moved(counts: Tensor, below: Array, has_above: Array) -> Array:
    """Move values that are below a bound by rounding alone above it, where there are others just above it.

    Returns
    -------
    array of int64
        The numbers of the bins above these bounds, in order.
    """
    number = (has_above & (below > 0)).nonzero()[0]
    count = torch.from_numpy(below[number].astype("int64"))
    counts[number - 1] -= count
    counts[number] += count
    return number


def _cells(rows: Rows) -> Array:
    """Return where bins are such that each holds about equally many correlations, as ``count_bins`` takes it."""
    import numpy as np

    from resi.measures.shared.compiled_bins import CELLS, FIRST, SHIFT

    generator = torch.Generator().manual_seed(0)
    some = torch.randperm(rows.n_samples, generator=generator)[: 2 * SAMPLED].to(rows.lengths.device)
    half = len(some) // 2
    sample = rows.reordered(some)
    first = slice(half, 2 * half)
    squares = sample.squares(Tile(first, slice(0, half)), sample.left(first)).cpu().numpy().clip(min=0)
    found = np.clip((squares.view(np.int64) >> SHIFT) - FIRST + 1, 0, CELLS - 1)
    bounds = ((np.arange(CELLS + 1) - 1 + FIRST) << SHIFT).view(np.float64)
    bounds[0] = 0.0
    longest = 2 * float(rows.lengths.max())
    widths = tie_width(torch.from_numpy(bounds[1:].copy()), longest, rows.vectors.shape[1]).numpy()
    wanted = np.bincount(found.ravel(), minlength=CELLS) / found.size * (N_BINS - CELLS - 1)
    sizes = 1 + np.minimum(wanted, np.diff(bounds) / widths / LEAST_WIDTHS).astype(np.int64)
    factors = sizes / np.diff(bounds)
    return np.stack((bounds[:-1], factors, np.cumsum(sizes) - sizes, widths * factors), axis=1)


def error_bound(a: BinnedRanks, b: BinnedRanks) -> float:
    """Return by how much the rank correlation of two sides may differ from that without bins, at most.

    Where correlations lie in a few narrow places, bins do not tell them apart. Ranks without bins are at an angle to
    those of bins whose tangent is what is lost; no two vectors get nearer to each other, or further apart, by more than
    the two angles.
    """
    return a.bins.largest_error + b.bins.largest_error
