"""Rows that may be among the k nearest ones, found by products in single precision.

A product in single precision takes half the time of one in double precision, each serves both of its rows, and nothing
is sorted. What it cannot say is which of two rows is nearer that are about as near: their products are off by up to
``error`` (a bound, not an estimate). Let x be the ``need``-th largest product of a row. At least ``need`` rows have an
exact product of x - error or more, so whatever has a computed one below x - 2 error is farther away than they are. What
is left is a few rows more than needed, whose exact distances decide.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.measures.shared import parts
from resi.measures.shared.vectors import row_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from torch import Tensor

    from resi.measures.needs import Size
    from resi.measures.shared.distances import Cloud
else:
    from resi.lazy import torch

FEWEST_ROWS = 4096
"""With fewer rows all distances in double precision take less time than it takes to load compiled code."""
LEAST_PART = 100
"""At most one in so many rows is needed; of more, keeping and sorting them takes the time."""
TILE_ROWS = 1024
"""Rows and columns of a tile of products, which stays near the processor while it is looked through."""
SUMMED_AT_ONCE = 512
"""So many products are added up in one sum; sums are then added to each other, so that the error grows less."""
MARGIN = 2.5
"""So many errors below the last value needed, others are kept: two, and a bit for those at the same distance."""
GROUPS = 3
"""The first limits are found among the largest entries of so many times the groups needed."""
CHECKED_ROWS = 256
"""For so many rows it is looked whether the products are as exact as they should be."""
SINGLE_ROUNDING = 2.0**-24


class Candidates(NamedTuple):
    """A few rows for each row, the nearest ones among them.

    Attributes
    ----------
    order : Tensor of shape (n_samples,), int64
        Lines of the rest are those of the rows in this order.
    others : Tensor of shape (n_samples, room), int32
        Places in that order; in the first ``counts`` columns only, and in no order themselves.
    counts : Tensor of shape (n_samples,), int32
    reach : Tensor of shape (n_samples,), float64
        All rows whose exact squared distance is below it are among the candidates; ``-inf`` where too many may be near.
    """

    order: Tensor
    others: Tensor
    counts: Tensor
    reach: Tensor


class Near(NamedTuple):
    """Some rows near others, nearest first.

    Attributes
    ----------
    rows : Tensor of shape (n_rows,), int64
    squares : Tensor of shape (n_rows, m), float64
        Squared distances; infinite where there are fewer rows.
    others : Tensor of shape (n_rows, m), int64
        The rows that they lead to.
    """

    rows: Tensor
    squares: Tensor
    others: Tensor

    def lines(self, chosen: Tensor) -> Near:
        """Return some of the lines."""
        return Near(*(part[chosen] for part in self))


def is_worthwhile(n_samples: int, need: int) -> bool:
    """Return whether looking for candidates takes less time than all distances."""
    return n_samples >= max(FEWEST_ROWS, LEAST_PART * need)


def searching(size: Size, need: int, is_unit: bool) -> int:
    """Return the bytes that finding the nearest rows takes, those of the cloud not included.

    Blocks of distances are computed for all rows, or for those that single precision leaves open. Mostly there
    are few; where they are not, it takes up to 50 MB more.
    """
    if not is_worthwhile(size.n_samples, need):
        return parts.block_of_squares(size, is_unit)
    tiles = 1 + (size.n_features > SUMMED_AT_ONCE)
    taken = 4 * size.entries + size.n_samples * (8 * _room(need) + 48) + 4 * tiles * TILE_ROWS**2
    return max(taken, parts.block_of_squares(size, is_unit=True) * 3 // 4)


def candidates(cloud: Cloud, need: int) -> Candidates | None:
    """Return for each row those that may be among the ``need`` nearest other ones.

    Parameters
    ----------
    cloud : Cloud
        On the CPU. Of more than ``need`` rows.

    Returns
    -------
    Candidates or None
        None where single precision distinguishes too few of the distances for this to help, or products do not have
        it.
    """
    if not cloud.is_unit and cloud.vectors.missing is not None:
        return None  # rows without a direction are not where their points are
    n_samples, device = len(cloud.points), cloud.points.device
    # In an order of its own, since a row that meets ever nearer ones would keep each of them for a while.
    order = torch.randperm(n_samples, generator=torch.Generator(device).manual_seed(0), device=device)
    single = _single(cloud, order)
    lines = n_samples, _room(need)
    kept = (
        torch.zeros(lines, dtype=torch.float32, device=device),
        torch.zeros(lines, dtype=torch.int32, device=device),
        torch.zeros(n_samples, dtype=torch.int32, device=device),
        torch.full((n_samples,), -torch.inf, dtype=torch.float32, device=device),
        (MARGIN * single.errors).float(),
    )
    if not _offer_all(single, kept, need):
        return None
    values, others, counts, limits, _ = kept
    lengths = cloud.lengths[order] + float(cloud.is_unit)
    found = Candidates(order, others, counts, lengths - 2 * (limits.double() + single.errors) / single.factor**2)
    some = slice(0, CHECKED_ROWS)
    computed = lengths[some].unsqueeze(1) - 2 * values[some].double() / single.factor**2
    is_right = _is_near(cloud, found, computed, 2 * single.errors[some] / single.factor**2)
    return found if is_right else None


def _is_near(cloud: Cloud, found: Candidates, computed: Tensor, errors: Tensor) -> bool:
    """Return whether squared distances in the first lines are off by no more than they may be.

    They are, unless products that should be in single precision are not: there are processors, and settings of the
    libraries behind torch, for which they have a fraction of its digits.
    """
    lines = slice(0, len(computed))
    others = found.order[found.others[lines].long()]
    off = (cloud.exact_squares(found.order[lines], others) - computed).abs_()
    is_held = torch.arange(others.shape[1], device=others.device) < found.counts[lines].unsqueeze(1)
    return bool((off <= errors.unsqueeze(1))[is_held].all())


def _room(need: int) -> int:
    """Return how many candidates there is room for, for each row."""
    return 4 * need + 20


def exact_distances(cloud: Cloud, found: Candidates) -> Iterator[tuple[Near, Tensor]]:
    """Yield the candidates of some rows at a time with their exact distances, and the reach of these rows."""
    places = found.order.argsort()
    for part in row_blocks(len(places), 16 * found.others.shape[1]):
        lines = places[part]
        counts = found.counts[lines].unsqueeze(1)
        most = int(counts.max())
        rows = torch.arange(part.start, part.stop, device=places.device)
        others = found.order[found.others[lines, :most].long()]
        missing = torch.arange(most, device=places.device) >= counts
        squares = cloud.exact_squares(rows, others).masked_fill_(missing, torch.inf)
        squares, order = squares.sort(dim=1)
        yield Near(rows, squares, others.gather(1, order)), found.reach[lines]


class _Single(NamedTuple):
    """Points in single precision, in another order.

    Attributes
    ----------
    points : Tensor of shape (n_samples, n_features), float32
        The points times ``factor``; the longest has a length between a half and one.
    heights : Tensor of shape (n_samples,), float32
        Half of their squared lengths, or zeros where all count as one. The products less the heights of the other row
        are the larger, the nearer that row is.
    errors : Tensor of shape (n_samples,), float64
        By how much these differences are off at most, in the line of each row.
    factor : float
        A power of two.
    """

    points: Tensor
    heights: Tensor
    errors: Tensor
    factor: float


def _single(cloud: Cloud, order: Tensor) -> _Single:
    n_samples, n_features = cloud.points.shape
    factor = 2.0 ** -math.frexp(math.sqrt(float(cloud.lengths.max())))[1]
    points, norms = (
        cloud.points.new_empty((n_samples, n_features), dtype=torch.float32),
        cloud.points.new_empty(n_samples),
    )
    for part in row_blocks(n_samples, 16 * n_features):
        block = cloud.points[order[part]].mul_(factor)
        points[part] = block
        norms[part] = block.norm(dim=1)
    heights = torch.zeros_like(norms) if cloud.is_unit else cloud.lengths[order] * (factor**2 / 2)
    return _Single(points, heights.float(), _errors(norms, n_features), factor)


def _errors(norms: Tensor, n_features: int) -> Tensor:
    """Return a bound on the error of a row's products with rows of a length of up to one, less their heights.

    A sum of m products, in any order, is off by at most m roundings of the sum of their sizes (Higham, Accuracy and
    Stability of Numerical Algorithms, 3.1), which is at most the product of both lengths (Cauchy and Schwarz). Two more
    are those of the entries, and one each those of the height, up to a half, and of the difference, up to one and a
    half. What is too small for single precision to hold adds less than a billionth of one rounding.
    """
    n_sums = math.ceil(n_features / SUMMED_AT_ONCE)
    count = min(n_features, SUMMED_AT_ONCE) + n_sums + 2
    return (count * norms + 2) * (SINGLE_ROUNDING * 1.05)


def _offer_all(single: _Single, kept: tuple[Tensor, ...], need: int) -> bool:
    """Offer every row to every other; return False, early, where most rows have too many candidates."""
    from resi.measures.shared.compiled_candidates import offer_to_columns, offer_to_rows, raise_limits

    n_samples = len(single.points)
    step = math.ceil(n_samples / math.ceil(n_samples / TILE_ROWS))
    heights, arrays = single.heights.numpy(), tuple(part.numpy() for part in kept)
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
        for (first, second), products in _tiles(single.points, step):
            if first == 0:
                columns = slice(second, second + products.shape[1])
                kept[3][columns] = _first_limits(products, single.heights[: len(products)], need) - kept[4][columns]
            tile = products.numpy(), (first, second), heights, arrays, need
            _in_parts(pool, threads, offer_to_rows, products.shape[0], *tile)
            if first != second:
                _in_parts(pool, threads, offer_to_columns, products.shape[1], *tile)
            elif first == step and int(kept[3][:step].isinf().sum()) > step // 2:
                return False  # the first rows have met all others
        _in_parts(pool, threads, raise_limits, n_samples, arrays, need)
    return True


def _first_limits(products: Tensor, heights: Tensor, need: int) -> Tensor:
    """Return for every column of a tile a value that at least ``need`` of its entries reach, few of them more."""
    groups = GROUPS * need
    size = len(products) // groups
    if size == 0:
        return products.new_full((products.shape[1],), -torch.inf)
    values = products[: groups * size] - heights[: groups * size].unsqueeze(1)
    largest = values.view(groups, size, -1).amax(1)
    return largest.T.contiguous().topk(need, dim=1).values[:, -1]


def _tiles(points: Tensor, step: int) -> Iterator[tuple[tuple[int, int], Tensor]]:
    """Yield the products of all rows with all others, each once; all are written to the same memory."""
    n_samples, n_features = points.shape
    room = points.new_empty((1 + (n_features > SUMMED_AT_ONCE), step * step))
    for first in range(0, n_samples, step):
        rows = points[first : first + step]
        for second in range(first, n_samples, step):
            columns = points[second : second + step]
            shape = len(rows), len(columns)
            products = room[0, : shape[0] * shape[1]].view(shape)
            torch.mm(rows[:, :SUMMED_AT_ONCE], columns[:, :SUMMED_AT_ONCE].T, out=products)
            for start in range(SUMMED_AT_ONCE, n_features, SUMMED_AT_ONCE):
                part = slice(start, start + SUMMED_AT_ONCE)
                more = room[1, : shape[0] * shape[1]].view(shape)
                # By itself, since a sum that begins with the others would round all of them at every step.
                products += torch.mm(rows[:, part], columns[:, part].T, out=more)
            if first == second:
                products.diagonal().fill_(-torch.inf)  # no row is a neighbour of itself
            yield (first, second), products


def _in_parts(
    pool: ThreadPoolExecutor | None, threads: int, work: Callable[..., None], count: int, *arguments: Any
) -> None:
    """Call ``work`` for parts of so many lines, one for each thread."""
    if pool is None:
        work((0, count), *arguments)
        return
    ends = [count * number // threads for number in range(threads + 1)]
    list(pool.map(lambda part: work(part, *arguments), pairwise(ends)))
