"""Cosine distances and the nearest neighbours by them, each computed once per representation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError, ShapeError
from resi.measures.shared.candidates import Near, candidates, exact_distances, is_worthwhile
from resi.measures.shared.distances import are_parallel, cloud_of_directions, largest_tie_width, pair_blocks
from resi.measures.shared.intermediates import BLOCK_ENTRIES
from resi.measures.shared.vectors import directions, name_of, resolution

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.shared.distances import Cloud

    Squares = Callable[[slice | Tensor], Tensor]
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
        moved = self._replace(nearest=nearest, ranks=ranks, tied=place[self.tied], members=place[self.members])
        return moved._ties_in_order()

    def in_lines(self, order: Tensor) -> Neighbours:
        """Return the same with its lines in another order, given the line that goes to each place."""
        ranks = None if self.ranks is None else self.ranks[order]
        return self._replace(nearest=self.nearest[order], ranks=ranks)._ties_in_order()

    def _ties_in_order(self) -> Neighbours:
        """Return the same with the tied rows in increasing order."""
        if len(self.tied) == 0:
            return self
        tied, line = self.tied.sort()
        counts = self.starts.diff()[line]
        starts = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
        offsets = torch.arange(int(starts[-1]), device=tied.device) - starts[:-1].repeat_interleave(counts)
        members = self.members[self.starts[line].repeat_interleave(counts) + offsets]
        return self._replace(tied=tied, nearer=self.nearer[line], starts=starts, members=members)

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
            f"all rows have the same direction, to the precision of {name_of(x.dtype)} numbers: no row is nearer than "
            "another"
        )
    if missing is not None and len(missing) == len(result.lengths):
        raise DegenerateInputError("all rows are zero: no row is nearer than another")
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
    if whole is None:
        return nearest_in(cloud, k, cloud.squares)
    return _compared_with_all(cloud, k, lambda rows: whole[rows] * 2)


def nearest_in(cloud: Cloud, k: int, squares_of: Squares) -> Neighbours:
    """Return the k nearest rows of each row of a cloud.

    Among many rows they are looked for in single precision; double precision decides which are the nearest.

    Parameters
    ----------
    cloud : Cloud
        Of more than k rows.
    squares_of : callable
        Returns the squared distances of some rows to all rows, which are then overwritten.
    """
    n_samples = len(cloud.points)
    if cloud.points.device.type == "cpu" and is_worthwhile(n_samples, k + 1):
        found = _among_candidates(cloud, k, squares_of)
        if found is not None:
            return found
    return _compared_with_all(cloud, k, squares_of)


def _compared_with_all(cloud: Cloud, k: int, squares_of: Squares) -> Neighbours:
    return join([_among_all(cloud, k, squares_of, rows) for rows in pair_blocks(len(cloud.points))])


def _among_all(cloud: Cloud, k: int, squares_of: Squares, chosen: slice | Tensor) -> Neighbours:
    """Return the neighbours of some rows from their distances to all rows."""
    rows = torch.arange(len(cloud.points), device=cloud.points.device)[chosen]
    squares = squares_of(chosen)
    squares.scatter_(1, rows.unsqueeze(1), torch.inf)
    values, index = squares.topk(k + 1, dim=1, largest=False)
    return _settled(
        cloud, k, Near(rows, values, index), lambda tied: Near(rows[tied], *squares[tied].sort(dim=1, stable=True))
    )


def _among_candidates(cloud: Cloud, k: int, squares_of: Squares) -> Neighbours | None:
    """Return the neighbours of all rows from their distances to a few, or None where these would be too many.

    Rows for which single precision leaves open which are the few are compared with all.
    """
    chosen = candidates(cloud, k + 1)
    if chosen is None:
        return None
    widest = largest_tie_width(cloud.points.shape[1])
    parts, rows, left = [], [], []
    for near, reach in exact_distances(cloud, chosen):
        is_complete = _last_of_its_distance(cloud, near, k) * (1 + 2 * widest) < reach
        complete = near.lines(is_complete)
        parts.append(_settled(cloud, k, complete, complete.lines))
        rows.append(complete.rows)
        left.append(near.rows[~is_complete])
    others = torch.cat(left)
    block = max(1, BLOCK_ENTRIES // len(cloud.points))
    for start in range(0, len(others), block):
        rows.append(others[start : start + block])
        parts.append(_among_all(cloud, k, squares_of, rows[-1]))
    return join(parts).in_lines(torch.cat(rows).argsort())


def _last_of_its_distance(cloud: Cloud, near: Near, k: int) -> Tensor:
    """Return the largest squared distance that is the same as that of the k-th neighbour."""
    beyond = slice(k - 1, None)
    same = cloud.same(near.squares[:, beyond], near.others[:, beyond], near.rows)
    place = k - 1 + same.to(torch.int64).cumprod(1).sum(1, keepdim=True)
    return near.squares.gather(1, place).squeeze(1)


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


def _settled(cloud: Cloud, k: int, near: Near, as_far: Callable[[Tensor], Near]) -> Neighbours:
    """Return the k nearest rows, given the k + 1 nearest or more.

    Parameters
    ----------
    as_far : callable
        Returns some of the lines, with all rows that have the distance of the k-th in them.
    """
    rows, values, index = near.rows, near.squares[:, : k + 1], near.others[:, : k + 1]
    same = cloud.same(values, index, rows)
    result = untied(index[:, :k].contiguous())
    if same[:, : k - 1].any():
        groups = _groups(same[:, : k - 1])
        result = result._replace(nearest=_in_groups(result.nearest, groups), ranks=_mean_ranks(groups))
    tied = same[:, k - 1].nonzero().squeeze(1)
    if len(tied) == 0:
        return result
    nearer, counts, members = _of_the_last_place(cloud, as_far(tied), k)
    starts = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
    return result._replace(tied=rows[tied], nearer=nearer, starts=starts, members=members)


def _groups(same: Tensor) -> Tensor:
    """Return numbers, from 0, for distances in order that are the same, given which are the same as the next."""
    return torch.nn.functional.pad((~same).to(torch.int64), (1, 0)).cumsum(1)


def _in_groups(index: Tensor, groups: Tensor) -> Tensor:
    """Return neighbours with those at the same distance in the order of the rows, instead of that of their rounding."""
    order = (groups * (int(index.max()) + 1) + index).argsort(1)
    return index.gather(1, order)


def _mean_ranks(groups: Tensor) -> Tensor:
    """Return the ranks of distances in order, given which group each belongs to, shape (n, k)."""
    places = torch.arange(1.0, groups.shape[1] + 1, dtype=torch.float64, device=groups.device).expand(groups.shape)
    sums, counts = (
        torch.zeros_like(places).scatter_add_(1, groups, part) for part in (places, torch.ones_like(places))
    )
    return (sums / counts).gather(1, groups)


def _of_the_last_place(cloud: Cloud, near: Near, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each row how many are nearer than its k-th neighbour, how many as near, and these in one vector."""
    groups = _groups(cloud.same(near.squares, near.others, near.rows))
    last = groups[:, k - 1 : k]
    chosen = groups == last
    n_samples = len(cloud.points)
    members = (chosen.nonzero()[:, 0] * n_samples + near.others[chosen]).sort().values % n_samples
    return (groups < last).sum(1), chosen.sum(1), members


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
