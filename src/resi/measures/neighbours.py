"""Measures based on nearest neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from resi.errors import ShapeError
from resi.measures.base import PAPER, VARIANTS, BuiltIn, check_variant
from resi.measures.needs import Needs
from resi.measures.shared import nearest, parts
from resi.measures.shared.candidates import searching
from resi.measures.shared.distances import pair_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.needs import Size
    from resi.measures.shared.distances import Cloud
    from resi.measures.shared.nearest import Neighbours
else:
    from resi.lazy import torch

HELD_ROWS = 8192
"""Up to this many rows all cosine distances are kept; beyond, the few that are needed are computed for each pair."""
EVEN_DISTANCES = 0.985
"""Unrelated representations whose distances are more even than this have a second-order cosine above 0.9."""
MANY_NEIGHBOURS = 0.2
"""With k this share of the other rows, unrelated representations share a tenth of their neighbours."""


@dataclass
class _NeighbourMeasure(BuiltIn):
    """Base of these measures: the number of neighbours, and the search for them."""

    k: int = 10
    variant: str = "corrected"

    family = "neighbours"
    larger_is_more_similar = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling"})
    self_value = 1.0
    spatial = "align"
    benchmark = True
    reference = "Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022"

    variants: ClassVar[tuple[str, ...]] = VARIANTS
    of_neighbours: ClassVar[int]
    """Bytes needed for comparing, per pair of neighbours of a sample."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"{self.name}: k = {self.k}; at least one neighbour is needed")
        check_variant(self.name, self.variant, self.variants)

    def neighbours(self, x: Features) -> Neighbours:
        """Return the k nearest neighbours of every sample.

        Raises
        ------
        ShapeError
            If there are not more than k rows.
        DegenerateInputError
            If all rows have the same direction.
        """
        n_samples, n_features = x.shape
        if self.k >= n_samples:
            raise ShapeError(
                f"{self.name}: k = {self.k} neighbours need at least {self.k + 1} rows, but the representation has "
                f"shape ({n_samples}, {n_features})"
            )
        search = nearest.first_but_one if self.variant == "published" else nearest.neighbours
        return x.shared(search, k=self.k)

    def permuted(self, state: Any, order: Tensor) -> Any:
        """Return the neighbours of the samples in another order; which of equal ones are published depends on it."""
        return None if self.variant == "published" else state.reordered(order)

    def note(self, a: Neighbours, b: Neighbours) -> str:
        """Note if k is a large share of the rows, or ties leave most neighbours undecided."""
        n_samples = len(a.nearest)
        if self.k > MANY_NEIGHBOURS * (n_samples - 1):
            return f"k = {self.k} of {n_samples - 1} other rows: unrelated representations share many neighbours, too"
        for side, found in zip("RS", (a, b), strict=True):
            if 2 * len(found.tied) > n_samples:
                return (
                    f"{side}: for {len(found.tied)} of {n_samples} rows, more rows are as near as the k-th neighbour "
                    "than fit, and share the places left"
                )
        return ""

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the unit rows, of what finds the neighbours, of these, and of comparing them."""
        held = parts.directions(size) | {f"neighbours of {self.k}": 16 * self.k * size.n_samples}
        comparing = self.of_neighbours * self.k**2 * size.n_samples
        return Needs(held, preparing=searching(size, self.k + 1, is_unit=True), comparing=comparing)


def _together(a: Neighbours, b: Neighbours) -> tuple[Tensor, Tensor | None]:
    """Return the rows whose neighbours are settled on both sides, and a mask of the others, or None without any."""
    n_samples = len(a.nearest)
    if len(a.tied) == 0 and len(b.tied) == 0:
        return torch.arange(n_samples, device=a.nearest.device), None
    tied = torch.zeros(n_samples, dtype=torch.bool, device=a.nearest.device)
    tied[a.tied] = tied[b.tied] = True
    return (~tied).nonzero().squeeze(1), tied


def _tied_blocks(tied: Tensor | None) -> Iterator[tuple[slice, Tensor]]:
    """Yield blocks of rows with those of them that have ties on either side."""
    if tied is not None:
        for part in pair_blocks(len(tied)):
            rows = tied[part].nonzero().squeeze(1)
            if len(rows) > 0:
                yield part, rows + part.start


@dataclass
class Jaccard(_NeighbourMeasure):
    """Overlap of nearest neighbours.

    For each sample, the share of its k nearest neighbours (cosine distance, itself left out) that both representations
    agree on: intersection over union of the two sets; then the mean over samples. In [0, 1]. Where more rows are at the
    distance of the k-th neighbour than fit, each of them counts as that part of a neighbour that fits, and intersection
    and union are the sums of the smaller and of the larger parts.

    Parameters
    ----------
    k : int
        Number of neighbours.
    variant : {"corrected", "published"}
        ``published`` gives the published benchmark's numbers, see :func:`resi.measures.shared.nearest.first_but_one`.

    References
    ----------
    .. [1] Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022.
    """

    name = "jaccard"
    version = 2
    of_neighbours = 9
    published_name = "JaccardSimilarity"
    cost = "O(N k²)"

    def prepare(self, x: Features) -> Neighbours:
        """Find the nearest neighbours of every sample."""
        return self.neighbours(x)

    def compare(self, a: Neighbours, b: Neighbours) -> float:
        """Return the mean overlap, in [0, 1]."""
        settled, tied = _together(a, b)
        common = (a.nearest[settled].unsqueeze(2) == b.nearest[settled].unsqueeze(1)).sum((1, 2)).double()
        total = (common / (2 * self.k - common)).sum()
        for _, rows in _tied_blocks(tied):
            first, second = a.shares(rows)[0], b.shares(rows)[0]
            total += (torch.minimum(first, second).sum(1) / torch.maximum(first, second).sum(1)).sum()
        return float(total) / len(a.nearest)


@dataclass
class RankSimilarity(_NeighbourMeasure):
    """Agreement in the ranks of common nearest neighbours.

    For each sample, over the neighbours that are among its k nearest (cosine distance, itself left out) on both sides,
    with ranks a and b from 1: ``Σ 2 / ((1 + |a - b|) (a + b))``, divided by ``Σ 1/m`` for m up to their number; 0 where
    there are none. Then the mean over samples. In [0, 1].

    Rows at the same distance have the mean of their ranks. Where not all of them fit among the k nearest, each counts
    as that part of a neighbour that fits, a common neighbour as the smaller of its two parts; the divisor is then the
    mean over both sides of ``Σ 1/a`` for the best ranks a of that side, as many as the common parts add up to.

    Parameters
    ----------
    k : int
        Number of neighbours.
    variant : {"corrected", "published"}
        ``published`` gives the published benchmark's numbers, see :func:`resi.measures.shared.nearest.first_but_one`.

    References
    ----------
    .. [1] Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022.
    """

    name = "rank_similarity"
    version = 2
    of_neighbours = 25
    published_name = "RankSimilarity"
    cost = "O(N k²)"

    def prepare(self, x: Features) -> Neighbours:
        """Find the nearest neighbours of every sample."""
        return self.neighbours(x)

    def compare(self, a: Neighbours, b: Neighbours) -> float:
        """Return the mean agreement, in [0, 1]."""
        settled, tied = _together(a, b)
        ranks = torch.arange(1.0, self.k + 1, dtype=torch.float64, device=a.nearest.device)
        first, second = (
            ranks.expand(len(settled), self.k) if side.ranks is None else side.ranks[settled] for side in (a, b)
        )
        common = a.nearest[settled].unsqueeze(2) == b.nearest[settled].unsqueeze(1)
        gains = _gains(first.unsqueeze(2), second.unsqueeze(1)) * common
        counts = common.sum((1, 2))
        largest = (_most(first, counts) + _most(second, counts)) / 2
        total = _ratios(gains.sum((1, 2)), largest).sum()
        for _, rows in _tied_blocks(tied):
            total += self._of_tied(a.shares(rows), b.shares(rows)).sum()
        return float(total) / len(a.nearest)

    def _of_tied(self, a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> Tensor:
        common = torch.minimum(a[0], b[0])
        gains = (common * _gains(a[1], b[1]).nan_to_num_(posinf=0.0)).sum(1)
        count = common.sum(1)
        largest = sum(_most_of_shares(*side, count) for side in (a, b)) / 2
        return _ratios(gains, torch.as_tensor(largest))


def _gains(first: Tensor, second: Tensor) -> Tensor:
    return 2 / ((1 + (first - second).abs()) * (first + second))


def _most(ranks: Tensor, counts: Tensor) -> Tensor:
    """Return the sum of the reciprocals of the first ``counts`` ranks of every line."""
    sums = torch.nn.functional.pad((1 / ranks).cumsum(1), (1, 0))
    return sums.gather(1, counts.unsqueeze(1)).squeeze(1)


def _most_of_shares(shares: Tensor, ranks: Tensor, count: Tensor) -> Tensor:
    """Return the sum of the reciprocals of the best ranks, those of shares in part, of ``count`` neighbours."""
    held = torch.where(shares > 0, ranks, torch.inf)
    # Places from 1 up, each with the rank of those who share it.
    best, order = held.sort(dim=1, stable=True)
    ends = shares.gather(1, order).cumsum(1)
    begins = torch.nn.functional.pad(ends[:, :-1], (1, 0))
    used = (torch.minimum(ends, count.unsqueeze(1)) - begins).clamp_(min=0)
    return (used / best).sum(1)


def _ratios(values: Tensor, largest: Tensor) -> Tensor:
    return values / largest.where(largest > 0, 1)


class NeighbourhoodState(NamedTuple):
    """Nearest neighbours, with the directions of the rows and, unless there are too many, all cosine distances.

    Attributes
    ----------
    evenness : float
        Mean cosine of a row's distances with a constant vector; 0 where they are not kept.
    order : Tensor of shape (n_samples,) or None
        The rows are those of the cloud and the distances in this order.
    """

    neighbours: Neighbours
    cloud: Cloud
    distances: Tensor | None
    evenness: float
    order: Tensor | None = None

    def reordered(self, order: Tensor) -> NeighbourhoodState:
        """Return the same of the samples in another order, without a copy of the distances."""
        known = order if self.order is None else self.order[order]
        return self._replace(neighbours=self.neighbours.reordered(order), order=known)

    def distances_to(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the cosine distances of each row to the rows in its line of ``others``."""
        if self.order is not None:
            rows, others = self.order[rows], self.order[others]
        if self.distances is not None:
            return self.distances[rows.unsqueeze(1), others]
        return self.cloud.squares_between(rows, others) / 2

    def distances_from(self, part: slice, rows: Tensor) -> Tensor:
        """Return the cosine distances of rows, which lie in a block, to all rows."""
        if self.order is not None:
            if self.distances is not None:
                return self.distances[self.order[rows]][:, self.order]
            return self.cloud.subset(self.order).squares(part)[rows - part.start] / 2
        if self.distances is not None:
            return self.distances[rows]
        return self.cloud.squares(part)[rows - part.start] / 2


@dataclass
class SecondOrderCosine(_NeighbourMeasure):
    """Second-order cosine similarity.

    For each sample, the cosine between its two vectors of cosine distances to the samples that are among its k nearest
    neighbours (itself left out) on either side; then the mean over samples. In [0, 1]. A sample that coincides with
    all of these has a zero vector: it counts as 1 where both are zero, as 0 where one is. Where more rows are at the
    distance of the k-th neighbour than fit, each of them enters the sums with that part of it that fits.

    The cited paper takes vectors of cosine similarities, the published benchmark vectors of distances, and so does the
    default: values differ, and so may the order of pairs. ``variant=paper`` gives the paper's, in [-1, 1].

    Parameters
    ----------
    k : int
        Number of neighbours.
    variant : {"corrected", "published", "paper"}
        ``published`` gives the published benchmark's numbers, see :func:`resi.measures.shared.nearest.first_but_one`;
        ``paper`` finds neighbours as the default does and compares similarities.

    References
    ----------
    .. [1] Hamilton et al., Cultural Shift or Linguistic Drift? Comparing Two Computational Measures of Semantic
       Change, EMNLP 2016.
    """

    name = "second_order_cosine"
    version = 2
    variants = (*VARIANTS, PAPER)
    of_neighbours = 14
    published_name = "SecondOrderCosineSimilarity"
    cost = "O(N k), or O(N k D) for more than 8192 samples"
    reference = (
        "Hamilton et al., Cultural Shift or Linguistic Drift? Comparing Two Computational Measures of Semantic Change, "
        "EMNLP 2016"
    )

    def prepare(self, x: Features) -> NeighbourhoodState:
        """Find the nearest neighbours, and keep the distances where they fit."""
        distances = x.shared(nearest.cosine_distances) if x.shape[0] <= HELD_ROWS else None
        evenness = 0.0 if distances is None else float((distances.mean(1) / distances.norm(dim=1)).mean())
        evenness *= math.sqrt(x.shape[0])
        return NeighbourhoodState(self.neighbours(x), x.shared(nearest.all_directions), distances, evenness)

    def compare(self, a: NeighbourhoodState, b: NeighbourhoodState) -> float:
        """Return the mean cosine, in [0, 1], or [-1, 1] for the variant of the paper."""
        settled, tied = _together(a.neighbours, b.neighbours)
        near_a, near_b = (side.neighbours.nearest[settled] for side in (a, b))
        union = torch.cat((near_a, near_b), dim=1)
        counted = torch.ones(union.shape, dtype=torch.float64, device=union.device)
        counted[:, self.k :].masked_fill_((near_b.unsqueeze(2) == near_a.unsqueeze(1)).any(2), 0.0)
        total = self._cosines(a.distances_to(settled, union), b.distances_to(settled, union), counted).sum()
        for part, rows in _tied_blocks(tied):
            counted = torch.maximum(a.neighbours.shares(rows)[0], b.neighbours.shares(rows)[0])
            total += self._cosines(a.distances_from(part, rows), b.distances_from(part, rows), counted).sum()
        return min(float(total) / len(a.neighbours.nearest), 1.0)

    def _cosines(self, first: Tensor, second: Tensor, counted: Tensor) -> Tensor:
        """Return the cosines of the lines of two tables of distances, whose entries count in part."""
        if self.variant == PAPER:
            first, second = 1 - first, 1 - second
        roots = counted.sqrt()
        first, second = first * roots, second * roots
        lengths = first.norm(dim=1) * second.norm(dim=1)
        both_zero = ~(first.any(1) | second.any(1))
        return torch.where(both_zero, 1.0, (first * second).sum(1) / lengths.where(lengths > 0, 1))

    def note(self, a: NeighbourhoodState, b: NeighbourhoodState) -> str:  # type: ignore[override]
        """Note if distances are similar, k is a large share of the rows, or ties leave most neighbours undecided."""
        if self.variant != PAPER and min(a.evenness, b.evenness) > EVEN_DISTANCES:
            return "cosine distances between rows are all much alike: unrelated representations have nearly 1, too"
        return super().note(a.neighbours, b.neighbours)

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the unit rows, the distances, and the neighbours."""
        needs = super().memory_needs(size)
        if size.n_samples > HELD_ROWS:
            return needs
        held = {**needs.held, "cosine_distances": size.pairs}
        return needs._replace(held=held, preparing=parts.block_of_squares(size, is_unit=True))
