"""Cosine distances and the nearest neighbours by them, each computed once per representation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError, ShapeError
from resi.measures.shared.distances import are_parallel, cloud_of_directions, pair_blocks
from resi.measures.shared.vectors import directions, name_of, resolution

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.shared.distances import Cloud
else:
    from resi.lazy import torch


class Neighbours(NamedTuple):
    """Each row's k nearest other rows; rows at the same distance share the places that they take.

    Attributes
    ----------
    nearest : Tensor of shape (n_samples, k), int64
        The neighbours, nearest first.
    ranks : Tensor of shape (n_samples, k) or None
        From 1; rows at the same distance have the mean of their places up to k. None stands for 1 to k everywhere.
    tied : Tensor of shape (n_tied,)
        The rows for which more rows are at the distance of the k-th neighbour than fit. Increasing.
    nearer : Tensor of shape (n_tied,)
        How many rows are nearer than these: so many entries of ``nearest`` and ``ranks`` count.
    starts : Tensor of shape (n_tied + 1,)
        Where the rows at that distance, of each tied row, begin among ``members``.
    members : Tensor, int64
        The rows at that distance.
    """

    nearest: Tensor
    ranks: Tensor | None
    tied: Tensor
    nearer: Tensor
    starts: Tensor
    members: Tensor

    def reordered(self, order: Tensor) -> Neighbours:
        """Return the neighbours of the rows in another order, by their new places."""
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order), device=order.device)
        nearest = place[self.nearest[order]]
        ranks = None if self.ranks is None else self.ranks[order]
        if len(self.tied) == 0:
            return self._replace(nearest=nearest, ranks=ranks)
        tied, line = place[self.tied].sort()
        counts = self.starts.diff()[line]
        starts = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
        offsets = torch.arange(int(starts[-1]), device=order.device) - starts[:-1].repeat_interleave(counts)
        members = place[self.members[self.starts[line].repeat_interleave(counts) + offsets]]
        return Neighbours(nearest, ranks, tied, self.nearer[line], starts, members)

    def shares(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return how much of a neighbour every row is to each of ``rows``, and its rank.

        Parameters
        ----------
        rows : Tensor of shape (n_rows,)
            Increasing, and all tied rows between its first and its last.

        Returns
        -------
        shares, ranks : Tensor of shape (n_rows, n_samples)
            From 0 to 1, with a sum of k for each row. Ranks are 0 where the share is.
        """
        n_samples, k = self.nearest.shape
        index = self.nearest[rows]
        places = torch.arange(1.0, k + 1, dtype=torch.float64, device=index.device)
        ranks = places.expand(len(rows), k) if self.ranks is None else self.ranks[rows]
        first, last = torch.searchsorted(self.tied, torch.stack((rows[0], rows[-1] + 1))).tolist()
        nearer = torch.full((len(rows),), k, device=index.device)
        tied = torch.searchsorted(rows, self.tied[first:last])
        nearer[tied] = self.nearer[first:last]
        settled = places <= nearer.unsqueeze(1)
        shares = torch.zeros((len(rows), n_samples), dtype=torch.float64, device=index.device)
        of_rank = torch.zeros_like(shares)
        shares.scatter_(1, index, settled.to(torch.float64))
        of_rank.scatter_(1, index, ranks * settled)
        if last > first:
            counts = self.starts[first : last + 1].diff()
            line = tied.repeat_interleave(counts)
            column = self.members[self.starts[first] : self.starts[last]]
            shares[line, column] = ((k - nearer[tied]).double() / counts).repeat_interleave(counts)
            of_rank[line, column] = ((nearer[tied] + 1 + k).double() / 2).repeat_interleave(counts)
        return shares, of_rank


def all_directions(x: Features) -> Cloud:
    """Return the directions of all rows.

    Raises
    ------
    DegenerateInputError
        If all rows have the same direction, to the precision of the numbers.
    """
    vectors = x.shared(directions)
    result = cloud_of_directions(vectors)
    missing = vectors.missing
    if are_parallel(vectors, result.lengths, resolution(x)):
        raise DegenerateInputError(
            f"all rows have the same direction, to the precision of {name_of(x.dtype)} numbers: none is nearer than "
            "another"
        )
    if missing is not None and len(missing) == len(result.lengths):
        raise DegenerateInputError("all rows are zero: none is nearer than another")
    return result


def cosine_distances(x: Features) -> Tensor:
    """Return all cosine distances between rows, shape (n_samples, n_samples), those of rows to themselves 0."""
    cloud = x.shared(all_directions)
    n_samples = x.shape[0]
    result = torch.empty((n_samples, n_samples), dtype=torch.float64, device=x.given.device)
    for part in pair_blocks(n_samples):
        torch.div(cloud.squares(part), 2, out=result[part])
    return result


def neighbours(x: Features, k: int) -> Neighbours:
    """Return each row's k nearest other rows by cosine distance.

    Distances that differ by rounding only (:func:`resi.measures.shared.distances.tie_width`) are the same.
    Rows at the same distance share the places that they take: each has the mean of their ranks and, where not all of
    them fit among the k nearest, counts as that part of a neighbour that fits. So neither the order of rows nor
    that of features decides who is a neighbour. An all-zero row has distance 1 to every other.

    Raises
    ------
    ShapeError
        If there are not more than k rows.
    DegenerateInputError
        If all rows have the same direction, so that no row is nearer than another.
    """
    n_samples = x.shape[0]
    if not 1 <= k < n_samples:
        raise ShapeError(f"k = {k} neighbours need at least {k + 1} rows, but there are {n_samples}")
    cloud = x.shared(all_directions)
    whole = x.known(cosine_distances)
    return nearest_in(cloud, k, cloud.squares if whole is None else lambda rows: whole[rows] * 2)


def nearest_in(cloud: Cloud, k: int, squares_of: Callable[[slice], Tensor]) -> Neighbours:
    """Return the k nearest rows of each row of a cloud.

    Parameters
    ----------
    cloud : Cloud
        Of more than k rows.
    squares_of : callable
        Returns the squared distances of a block of rows to all rows, which are then overwritten.
    """
    found = []
    for part in pair_blocks(len(cloud.points)):
        squares = squares_of(part)
        squares.diagonal(part.start).fill_(torch.inf)
        found.append(_nearest(cloud, squares, part.start, k))
        del squares  # before the next block is made
    return join(found)


def join(parts: list[Neighbours]) -> Neighbours:
    """Return the neighbours of consecutive rows as one."""
    index, ranks, tied, nearer, starts, members = zip(*parts, strict=True)
    k = parts[0].nearest.shape[1]
    all_ranks = None
    if any(part is not None for part in ranks):
        places = torch.arange(1.0, k + 1, dtype=torch.float64, device=index[0].device)
        all_ranks = torch.cat(
            [places.expand(i.shape) if part is None else part for i, part in zip(index, ranks, strict=True)]
        )
    counts = torch.cat([start.diff() for start in starts])
    ends = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
    return Neighbours(torch.cat(index), all_ranks, torch.cat(tied), torch.cat(nearer), ends, torch.cat(members))


def untied(index: Tensor) -> Neighbours:
    """Return neighbours none of which are at the same distance."""
    nothing = index.new_empty(0)
    return Neighbours(index, None, nothing, nothing, index.new_zeros(1), nothing)


def _nearest(cloud: Cloud, squares: Tensor, start: int, k: int) -> Neighbours:
    """Return the k nearest rows of the rows from ``start`` on, given their squared distances to all rows."""
    values, index = squares.topk(k + 1, dim=1, largest=False)
    same = cloud.same(values, index, torch.arange(start, start + len(squares), device=index.device))
    result = untied(index[:, :k].contiguous())
    if same[:, : k - 1].any():
        result = result._replace(ranks=_mean_ranks(same[:, : k - 1]))
    tied = same[:, k - 1].nonzero().squeeze(1)
    if len(tied) == 0:
        return result
    nearer, counts, members = _of_the_last_place(cloud, squares[tied], tied + start, k)
    starts = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
    return result._replace(tied=tied + start, nearer=nearer, starts=starts, members=members)


def _mean_ranks(same: Tensor) -> Tensor:
    """Return the ranks of values in order, given which of them are the same as the next, shape (n, k)."""
    groups = torch.nn.functional.pad((~same).to(torch.int64), (1, 0)).cumsum(1)
    places = torch.arange(1.0, groups.shape[1] + 1, dtype=torch.float64, device=same.device).expand(groups.shape)
    sums, counts = (
        torch.zeros_like(places).scatter_add_(1, groups, part) for part in (places, torch.ones_like(places))
    )
    return (sums / counts).gather(1, groups)


def _of_the_last_place(cloud: Cloud, squares: Tensor, rows: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each row how many are nearer than its k-th neighbour, how many as near, and these in one vector."""
    values, index = squares.sort(dim=1, stable=True)
    groups = torch.nn.functional.pad((~cloud.same(values, index, rows)).to(torch.int64), (1, 0)).cumsum(1)
    last = groups[:, k - 1 : k]
    chosen = groups == last
    return (groups < last).sum(1), chosen.sum(1), index[chosen]


def first_but_one(x: Features, k: int) -> Neighbours:
    """Return each row's k nearest rows as the published benchmark finds them.

    The k + 1 nearest of all rows, the row itself among them, in float32, without the first: which is another row where
    one has the same direction, as rounding decides.
    """
    from sklearn.neighbors import NearestNeighbors

    matrix = x.given.float().cpu().numpy()
    # The rows asked for are a copy, since scikit-learn otherwise knows that each is itself.
    found = NearestNeighbors(n_neighbors=k + 1, metric="cosine").fit(matrix).kneighbors(matrix.copy())[1]
    return untied(torch.from_numpy(found[:, 1:]).to(x.given.device))
