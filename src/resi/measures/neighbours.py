"""Measures on nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import ShapeError
from resi.measures import artifacts, nearest, rows
from resi.measures.base import Features, Measure, check_variant

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from resi.lazy import torch

HELD_ROWS = 8192
"""Up to this many rows all cosine distances are kept; beyond, the few that are needed are computed for each pair."""


@dataclass
class _NeighbourMeasure(Measure):
    """What the measures here share: the number of neighbours, and how they are found."""

    k: int = 10
    variant: str = "corrected"

    family = "neighbours"
    larger_is_more_similar = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling"})
    self_value = 1.0
    spatial = "align"
    benchmark = True
    reference = "Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"{self.name}: k = {self.k}; at least one neighbour is needed")
        check_variant(self.name, self.variant)

    def neighbours(self, x: Features) -> Tensor:
        """Return the k nearest neighbours of every sample, shape (n_samples, k).

        Raises
        ------
        ShapeError
            If there are not more than k rows.
        """
        n_samples, n_features = x.shape
        if self.k >= n_samples:
            raise ShapeError(
                f"{self.name}: k = {self.k} neighbours need at least {self.k + 1} rows, but the representation has "
                f"shape ({n_samples}, {n_features})"
            )
        search = nearest.first_but_one if self.variant == "published" else nearest.neighbours
        return x.shared(search, k=self.k)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the unit rows, one block of distances, and the neighbours."""
        return (
            4 * 8 * n_samples * n_features + 8 * 8 * min(artifacts.BLOCK_ENTRIES, n_samples**2) + 8 * self.k * n_samples
        )


@dataclass
class Jaccard(_NeighbourMeasure):
    """Overlap of nearest neighbours.

    For each sample, the share of its k nearest neighbours (cosine distance, itself left out) that both representations
    agree on: intersection over union of the two sets; then the mean over samples. In [0, 1].

    Parameters
    ----------
    k : int
        Number of neighbours.
    variant : {"corrected", "published"}
        ``published`` gives the numbers of the published benchmark, see :func:`resi.measures.nearest.first_but_one`.

    References
    ----------
    .. [1] Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022.
    """

    name = "jaccard"
    published_name = "JaccardSimilarity"
    cost = "O(N k²)"

    def prepare(self, x: Features) -> Tensor:
        """Find the nearest neighbours of every sample."""
        return self.neighbours(x)

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the mean overlap, in [0, 1]."""
        common = (a.unsqueeze(2) == b.unsqueeze(1)).sum((1, 2)).double()
        return float((common / (2 * self.k - common)).mean())


@dataclass
class RankSimilarity(_NeighbourMeasure):
    """Agreement in the ranks of common nearest neighbours.

    For each sample, over the neighbours that are among its k nearest (cosine distance, itself left out) on both sides,
    with ranks a and b from 1: ``Σ 2 / ((1 + |a - b|) (a + b))``, divided by ``Σ 1/m`` for m up to their number; 0 where
    there are none. Then the mean over samples. In [0, 1].

    Parameters
    ----------
    k : int
        Number of neighbours.
    variant : {"corrected", "published"}
        ``published`` gives the numbers of the published benchmark, see :func:`resi.measures.nearest.first_but_one`.

    References
    ----------
    .. [1] Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022.
    """

    name = "rank_similarity"
    published_name = "RankSimilarity"
    cost = "O(N k²)"

    def prepare(self, x: Features) -> Tensor:
        """Find the nearest neighbours of every sample."""
        return self.neighbours(x)

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the mean agreement, in [0, 1]."""
        ranks = torch.arange(1, self.k + 1, dtype=torch.float64, device=a.device)
        first, second = ranks.unsqueeze(1), ranks.unsqueeze(0)
        gains = 2 / ((1 + (first - second).abs()) * (first + second))
        common = a.unsqueeze(2) == b.unsqueeze(1)
        largest = torch.cat((ranks.new_ones(1), (1 / ranks).cumsum(0)))
        return float(((common * gains).sum((1, 2)) / largest[common.sum((1, 2))]).mean())


class NeighbourhoodState(NamedTuple):
    """Nearest neighbours, with the rows of length one and, unless there are too many, all cosine distances."""

    neighbours: Tensor
    unit: Tensor
    distances: Tensor | None


@dataclass
class SecondOrderCosine(_NeighbourMeasure):
    """Second-order cosine similarity.

    For each sample, the cosine between its two vectors of cosine distances to the samples that are among its k nearest
    neighbours (itself left out) on either side; then the mean over samples. In [0, 1]. A sample that coincides with
    all of these has a zero vector: it counts as 1 where both are zero, as 0 where one is.

    Parameters
    ----------
    k : int
        Number of neighbours.
    variant : {"corrected", "published"}
        ``published`` gives the numbers of the published benchmark, see :func:`resi.measures.nearest.first_but_one`.

    References
    ----------
    .. [1] Hamilton et al., Cultural Shift or Linguistic Drift? Comparing Two Computational Measures of Semantic
       Change, EMNLP 2016.
    """

    name = "second_order_cosine"
    published_name = "SecondOrderCosineSimilarity"
    cost = "O(N k), or O(N k D) for more than 8192 samples"
    reference = (
        "Hamilton et al., Cultural Shift or Linguistic Drift? Comparing Two Computational Measures of Semantic Change, "
        "EMNLP 2016"
    )

    def prepare(self, x: Features) -> NeighbourhoodState:
        """Find the nearest neighbours, and keep the distances where they fit."""
        distances = x.shared(nearest.cosine_distances) if x.shape[0] <= HELD_ROWS else None
        return NeighbourhoodState(self.neighbours(x), x.shared(rows.unit_rows), distances)

    def compare(self, a: NeighbourhoodState, b: NeighbourhoodState) -> float:
        """Return the mean cosine, in [0, 1]."""
        union = torch.cat((a.neighbours, b.neighbours), dim=1)
        repeated = (b.neighbours.unsqueeze(2) == a.neighbours.unsqueeze(1)).any(2)
        first, second = (_distances_to(side, union) for side in (a, b))
        for side in (first, second):
            side[:, self.k :].masked_fill_(repeated, 0.0)
        lengths = first.norm(dim=1) * second.norm(dim=1)
        both_zero = ~(first.any(1) | second.any(1))
        cosines = (first * second).sum(1) / lengths.where(lengths > 0, 1)
        return min(float(torch.where(both_zero, 1.0, cosines).mean()), 1.0)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the unit rows, the distances, and the neighbours."""
        held = n_samples if n_samples <= HELD_ROWS else 0
        return super().prepared_bytes(n_samples, n_features) + 8 * held * n_samples


def _distances_to(side: NeighbourhoodState, others: Tensor) -> Tensor:
    """Return the cosine distances of every sample to the samples in its row of ``others``."""
    if side.distances is not None:
        return side.distances.gather(1, others)
    result = torch.empty(others.shape, dtype=side.unit.dtype, device=side.unit.device)
    chunk = max(1, artifacts.BLOCK_ENTRIES // (others.shape[1] * side.unit.shape[1]))
    for start in range(0, len(others), chunk):
        part = slice(start, start + chunk)
        result[part] = (side.unit[others[part]] @ side.unit[part].unsqueeze(2)).squeeze(2)
    return nearest.as_distances(result)
