"""Measures on nearest neighbours, as the study of converging representations by Huh et al. 2024 takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from resi import Measure
from resi.errors import DegenerateInputError, ShapeError
from resi.measures.shared import intermediates
from resi_more_measures.grams import NEGLIGIBLE, bounded, check_choice, squared_distances, unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch

HUH = "Huh et al., The Platonic Representation Hypothesis, ICML 2024"
DISTANCES = ("cosine", "inner_product", "euclidean")
MANY_NEIGHBOURS = 0.2
"""With k this share of the other samples, unrelated representations share many neighbours."""


class Neighbours(NamedTuple):
    """Each sample's k nearest others, nearest first.

    Attributes
    ----------
    nearest : Tensor of shape (n_samples, m), int64
        At least k; more where several others share the last place, and padded with any.
    weights : Tensor of shape (n_samples, m), float64
        1 for a neighbour; less for those that share the last places, which add up to those places; 0 for padding.
    has_ties : bool
        Whether some sample has others that are equally near, the first of which come first.
    """

    nearest: Tensor
    weights: Tensor
    has_ties: bool = False

    def reordered(self, order: Tensor) -> Neighbours:
        """Return the neighbours of the samples in another order."""
        places = torch.empty_like(order)
        places[order] = torch.arange(len(order), device=order.device)
        return Neighbours(places[self.nearest[order]], self.weights[order], self.has_ties)


def nearnesses(x: Features, distance: str) -> Tensor:
    """Return how near all samples are to each other, larger values nearer; the diagonal is minus infinity.

    Values that differ by rounding only are the same.
    """
    matrix = x.matrix
    if distance == "euclidean":
        values = -squared_distances(matrix)
    else:
        rows = unit_rows(matrix) if distance == "cosine" else matrix
        values = rows @ rows.T
    largest = float(values.abs().max())
    if largest > 0:
        step = largest * NEGLIGIBLE
        values = values.div_(step).round_().mul_(step)
    return values.fill_diagonal_(-torch.inf)


def neighbours(x: Features, k: int, distance: str) -> Neighbours:
    """Return each sample's k nearest others.

    Raises
    ------
    ShapeError
        If there are not more than k samples.
    DegenerateInputError
        If all samples are equally near to each other.
    """
    n_samples = x.shape[0]
    if k >= n_samples:
        raise ShapeError(f"k = {k} neighbours need at least {k + 1} rows, but there are {n_samples}")
    near = nearnesses(x, distance)
    # The last of all is the row itself, infinitely far.
    values, index = near.topk(k + 1, dim=1)
    if bool((values.diff(dim=1) == 0).any()):
        return _with_ties(near, k)
    index = index[:, :k].contiguous()
    return Neighbours(index, torch.ones(index.shape, dtype=torch.float64, device=index.device))


def _with_ties(near: Tensor, k: int) -> Neighbours:
    """Return the neighbours where some are equally near, those in the order of their rows."""
    order = near.sort(dim=1, descending=True, stable=True)
    last = order.values[:, k - 1 : k]
    nearer = order.values > last
    level = (order.values == last) & order.values.isfinite()
    if bool((level.sum(1) == len(near) - 1).all()):
        raise DegenerateInputError("all samples are equally near to each other: none is a nearest neighbour")
    share = (k - nearer.sum(1, keepdim=True)).double() / level.sum(1, keepdim=True)
    weights = nearer.double() + level.double() * share
    width = int((weights > 0).sum(1).max())
    return Neighbours(order.indices[:, :width].contiguous(), weights[:, :width].contiguous(), has_ties=True)


def note_of_many(k: int, n_samples: int) -> str:
    """Return a sentence if k is a large share of the samples, else an empty text."""
    if k <= MANY_NEIGHBOURS * (n_samples - 1):
        return ""
    return f"k = {k} of {n_samples - 1} other rows: unrelated representations share many neighbours, too"


@dataclass
class _NeighbourMeasure(Measure):
    """What the measures here share: how many neighbours, and what is near."""

    k: int = 10
    distance: str = "cosine"

    family = "neighbours"
    larger_is_more_similar = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling"})
    self_value: ClassVar[float | None] = 1.0
    reference = HUH

    def __post_init__(self) -> None:
        check_choice(self.name, "distance", self.distance, DISTANCES)
        if self.k < 1:
            raise ValueError(f"{self.name}: k = {self.k}; at least one neighbour is needed")

    def prepare(self, x: Features) -> Neighbours:
        """Find the nearest neighbours of every sample."""
        return x.shared(neighbours, k=self.k, distance=self.distance)

    def permuted(self, state: Neighbours, order: Tensor) -> Neighbours | None:
        """Return the state of the samples in another order."""
        return state.reordered(order)

    def note(self, a: Neighbours, b: Neighbours) -> str:
        """Say where k is a large share of the samples."""
        del b
        return note_of_many(self.k, len(a.nearest))

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, a copy of it, and all distances while they are sorted."""
        return 16 * n_samples * n_features + 48 * n_samples**2


@dataclass
class MutualKNN(_NeighbourMeasure):
    """Mutual nearest neighbours.

    The share of a sample's k nearest neighbours (itself left out) that are among its k nearest on the other side, too;
    then the mean over samples. In [0, 1]; unrelated representations have k / (N - 1) on average. Where several others
    share the last place, each counts as that part of a neighbour that fits, so that the order of rows decides nothing.

    Parameters
    ----------
    k : int
        Number of neighbours.
    distance : {"cosine", "inner_product", "euclidean"}
        What is near. The cited paper takes inner products of rows of length one, which is ``cosine``; with
        ``euclidean`` the measure is invariant to translation, too, with ``inner_product`` long rows are near to all.

    References
    ----------
    .. [1] Huh et al., The Platonic Representation Hypothesis, ICML 2024, eq. 11.
    """

    name = "mutual_knn"
    cost = "O(N²), or O(N k) but for setting zeros"

    def compare(self, a: Neighbours, b: Neighbours) -> float:
        """Return the mean share of common neighbours, in [0, 1]."""
        total = 0.0
        for rows in _blocks(len(a.nearest)):
            other = _dense(b, rows)
            common = torch.minimum(other.gather(1, a.nearest[rows]), a.weights[rows])
            total += float(common.sum())
        return bounded(total / (self.k * len(a.nearest)))


def _blocks(n_samples: int) -> Iterator[slice]:
    step = max(1, intermediates.BLOCK_ENTRIES // n_samples)
    for start in range(0, n_samples, step):
        yield slice(start, min(start + step, n_samples))


def _dense(side: Neighbours, rows: slice) -> Tensor:
    """Return how much of a neighbour every sample is to some of them, shape (n_rows, n_samples)."""
    index = side.nearest[rows]
    zeros = torch.zeros((len(index), len(side.nearest)), dtype=torch.float64, device=index.device)
    return zeros.scatter_(1, index, side.weights[rows])


@dataclass
class _OrderedNeighbours(_NeighbourMeasure):
    """What measures share that take exactly k neighbours, in order."""

    def permuted(self, state: Neighbours, order: Tensor) -> Neighbours | None:
        """Return the state of the samples in another order, unless that order decides."""
        return None if state.has_ties else state.reordered(order)

    def note(self, a: Neighbours, b: Neighbours) -> str:
        """Say where the order of rows has decided who is a neighbour, or k is a large share of the samples."""
        for side, found in zip("RS", (a, b), strict=True):
            if found.has_ties:
                return f"{side}: some rows are equally near, and the first of them count as neighbours"
        return super().note(a, b)


@dataclass
class CycleKNN(_OrderedNeighbours):
    """Cycle consistency of nearest neighbours.

    The share of samples i that are found again: i is among the k nearest neighbours, in R, of one of the k nearest
    neighbours that i has in S. In [0, 1]. Not symmetric, and not 1 for a representation with itself, where some samples
    are nobody's neighbours. Of rows that are equally near the first count.

    Parameters
    ----------
    k, distance
        As for ``mutual_knn``.

    References
    ----------
    .. [1] Huh et al., The Platonic Representation Hypothesis, ICML 2024.
    """

    name = "cycle_knn"
    symmetric = False
    self_value = None
    cost = "O(N k²)"

    def compare(self, a: Neighbours, b: Neighbours) -> float:
        """Return the share of samples found again, in [0, 1]."""
        of_neighbours = a.nearest[:, : self.k][b.nearest[:, : self.k]].flatten(1)
        itself = torch.arange(len(of_neighbours), device=of_neighbours.device).unsqueeze(1)
        return float((of_neighbours == itself).any(1).double().mean())


@dataclass
class LCSKNN(_OrderedNeighbours):
    """Longest common subsequence of nearest neighbours.

    For each sample, the length of the longest sequence of samples that occurs in this order, not necessarily without
    gaps, in both lists of its k nearest neighbours, nearest first, divided by k; then the mean over samples. In [0, 1].
    Of rows that are equally near the first comes first.

    Parameters
    ----------
    k, distance
        As for ``mutual_knn``.

    References
    ----------
    .. [1] Huh et al., The Platonic Representation Hypothesis, ICML 2024; there it is not divided by k.
    """

    name = "lcs_knn"
    cost = "O(N k²)"

    def compare(self, a: Neighbours, b: Neighbours) -> float:
        """Return the mean length over k, in [0, 1]."""
        same = a.nearest[:, : self.k].unsqueeze(2) == b.nearest[:, : self.k].unsqueeze(1)
        # Lengths for the first i neighbours on one side and the first j on the other, of all samples at once.
        lengths = torch.zeros((self.k + 1, self.k + 1, len(same)), dtype=torch.int64, device=same.device)
        for i in range(self.k):
            for j in range(self.k):
                longer = torch.maximum(lengths[i, j + 1], lengths[i + 1, j])
                lengths[i + 1, j + 1] = torch.where(same[:, i, j], lengths[i, j] + 1, longer)
        return float(lengths[self.k, self.k].double().mean()) / self.k


@dataclass
class EditDistanceKNN(_OrderedNeighbours):
    """Edit similarity of nearest neighbours.

    For each sample, one less the fewest insertions, deletions and replacements that turn the list of its k nearest
    neighbours, nearest first, into that of the other side, divided by k; then the mean over samples. In [0, 1]. Of rows
    that are equally near the first comes first.

    Parameters
    ----------
    k, distance
        As for ``mutual_knn``.

    References
    ----------
    .. [1] Huh et al., The Platonic Representation Hypothesis, ICML 2024.
    """

    name = "edit_distance_knn"
    cost = "O(N k²)"

    def compare(self, a: Neighbours, b: Neighbours) -> float:
        """Return the mean similarity, in [0, 1]."""
        other = (a.nearest[:, : self.k].unsqueeze(2) != b.nearest[:, : self.k].unsqueeze(1)).long()
        steps = torch.zeros((self.k + 1, self.k + 1, len(other)), dtype=torch.int64, device=other.device)
        first = torch.arange(self.k + 1, device=other.device).unsqueeze(1)
        steps[0], steps[:, 0] = first, first
        for i in range(self.k):
            for j in range(self.k):
                moved = torch.minimum(steps[i, j + 1], steps[i + 1, j]) + 1
                steps[i + 1, j + 1] = torch.minimum(moved, steps[i, j] + other[:, i, j])
        return 1 - float(steps[self.k, self.k].double().mean()) / self.k


MEASURES: tuple[type[Measure], ...] = (CycleKNN, EditDistanceKNN, LCSKNN, MutualKNN)
