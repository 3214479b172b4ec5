"""Measures on representational similarity matrices: all pairs of samples within each representation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.measures.base import PAPER, Measure, check_variant
from resi.measures.shared import permuted_products
from resi.measures.shared.distances import Distances, check_varied, euclidean_distances, inner_products
from resi.measures.shared.intermediates import BLOCK_ENTRIES
from resi.measures.shared.permutation_moments import LEAST_SAMPLES, Sums, Traces, of_centred, of_hollow
from resi.measures.shared.ranks import ranked_correlations, ranks_between, triangle_places
from resi.measures.shared.spectral import spectral_norm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from torch import Tensor

    from resi.measures.base import Spread
    from resi.measures.features import Features
    from resi.measures.shared.permutation_moments import Moments
else:
    from resi.lazy import torch


WIDE_SCATTER = 0.1
"""Standard deviation of rank correlations above which a note says so."""
LARGE_CHANCE = 0.5
"""Distance correlation of unrelated representations above which a note says so."""


def _distance_bytes(n_samples: int, n_features: int) -> int:
    """Return the bytes of the matrix, of all distances, and of a block of either."""
    block = min(BLOCK_ENTRIES, max(n_samples * n_features, n_samples**2))
    return 8 * n_samples * n_features + 8 * n_samples**2 + 10 * block


@dataclass
class RSA(Measure):
    """Representational similarity analysis.

    Spearman's rank correlation between the strict lower triangles of the two matrices of Pearson correlations between
    samples; in [-1, 1]. Ties take average ranks; a sample whose features are all equal has correlation 0 with the rest.

    References
    ----------
    .. [1] Kriegeskorte et al., Representational similarity analysis, Frontiers in Systems Neuroscience 2008.
    """

    name = "rsa"
    version = 2
    family = "rsm"
    larger_is_more_similar = True
    invariances = frozenset({"permutation", "isotropic_scaling"})
    self_value = 1.0
    copies = True
    benchmark = True
    published_name = "RSA"
    cost = "O(N²)"
    reference = (
        "Kriegeskorte et al., Representational similarity analysis - connecting the branches of systems neuroscience, "
        "Frontiers in Systems Neuroscience 2008"
    )

    def prepare(self, x: Features) -> Tensor:
        """Rank the correlations between all pairs of samples."""
        return x.shared(ranked_correlations)

    def permuted(self, state: Tensor, order: Tensor) -> Tensor:
        """Return the ranks of the pairs of samples in another order."""
        return state[triangle_places(order)]

    def permuted_values(
        self, states: Sequence[Tensor], pairs: Sequence[tuple[int, int]], orders: Tensor, spread: Spread
    ) -> Sequence[Tensor | None]:
        """Compare in all orders at once."""

        def rows_of(ranks: Tensor) -> Callable[[slice], Tensor]:
            return lambda rows: ranks_between(ranks, rows, orders.shape[1]) / math.sqrt(2)

        values: list[Tensor | None] = [None] * len(pairs)
        for number, found in _permuted_products(states, pairs, orders, rows_of, spread).items():
            both = states[pairs[number][0]], states[pairs[number][1]]
            values[number] = permuted_products.settled(self, both, orders, found)
        return values

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the rank correlation, in [-1, 1]."""
        return max(-1.0, min(1.0, float(a @ b)))

    def chance_moments(self, a: Tensor, b: Tensor) -> Moments | None:
        """Return the moments over all orders, as in the test of Mantel."""
        n_samples = round((1 + math.sqrt(1 + 8 * len(a))) / 2)
        if n_samples < LEAST_SAMPLES:
            return None
        first, second = (_sums_of_triangle(side, n_samples) for side in (a, b))
        return of_hollow(first, second, n_samples).scaled(0.5)

    def note(self, a: Tensor, b: Tensor) -> str:
        """Say where there are so few pairs of samples that values of unrelated representations scatter widely."""
        # Spearman's correlation of unrelated numbers.
        deviation = 1 / math.sqrt(max(len(a) - 1, 1))
        if deviation <= WIDE_SCATTER:
            return ""
        return f"of {len(a)} pairs of samples: values of unrelated representations scatter by {deviation:.2f}"

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, and of all correlations or of sorting half of them."""
        sorting = 8 * n_samples * n_features + 40 * n_samples**2
        return max(sorting, _distance_bytes(n_samples, n_features))


@dataclass
class RSMNormDifference(Measure):
    """Spectral norm of the difference of the two matrices of Euclidean distances between samples.

    In the units of the features. The difference is symmetric, so this is its largest absolute eigenvalue; it comes
    from a few products with vectors, to a relative accuracy of 2e-10 or better.

    The cited paper takes the Frobenius norm of the difference of the two matrices of inner products ``X Xᵀ``; the
    default follows the published benchmark instead. ``variant=paper`` gives the paper's, in the squared units of the
    features; it is not invariant to translation.

    Parameters
    ----------
    variant : {"published", "paper"}
        Whose definition is followed.

    References
    ----------
    .. [1] Yin and Shen, On the Dimensionality of Word Embedding, NeurIPS 2018.
    """

    variant: str = "published"

    name = "rsm_norm_difference"
    family = "rsm"
    larger_is_more_similar = False
    metric = True
    invariances = frozenset({"orthogonal", "permutation", "translation"})
    self_value = 0.0
    copies = True
    benchmark = True
    published_name = "RSMNormDifference"
    cost = "O(N²) times the number of products, tens of them"
    reference = "Yin and Shen, On the Dimensionality of Word Embedding, NeurIPS 2018"

    def __post_init__(self) -> None:
        check_variant(self.name, self.variant, ("published", PAPER))

    def prepare(self, x: Features) -> Distances:
        """Compute all distances, or all inner products."""
        return x.shared(inner_products if self.variant == PAPER else euclidean_distances)

    def permuted(self, state: Distances, order: Tensor) -> Distances:
        """Return the matrix of the samples in another order."""
        return state.reordered(order)

    def compare(self, a: Distances, b: Distances) -> float:
        """Return the norm, in the units of the features, squared ones for the variant of the paper."""
        scale = max(a.scale, b.scale)
        first, first_means = _at_scale(a, scale)
        second, second_means = _at_scale(b, scale)
        if self.variant == PAPER:
            return scale * float((first - second).norm())
        # The row means of the difference are its product with a constant vector: one step ahead for nothing.
        return scale * spectral_norm(first - second, first_means - second_means)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of all distances, while they are made or beside half of a pair's difference."""
        compared = 8 * n_samples * n_features + 12 * n_samples**2 + 2**20
        return max(compared, _distance_bytes(n_samples, n_features))


def _at_scale(distances: Distances, scale: float) -> tuple[Tensor, Tensor]:
    share = distances.scale / scale
    if share == 1:
        return distances.matrix, distances.row_means
    return share * distances.matrix, share * distances.row_means


class DistanceCorrelationState(NamedTuple):
    """Distances, the mean of all, and the standard deviation of the double-centred ones."""

    distances: Distances
    mean: float
    deviation: float


@dataclass
class DistanceCorrelation(Measure):
    """Distance correlation.

    ``sqrt(dCov² / sqrt(dVar_R dVar_S))`` of the double-centred Euclidean distances, means over all N² entries (the
    biased estimate); in [0, 1], 0 for independent representations in the limit of many samples.

    Notes
    -----
    Only means of rows have to be taken off: ``dCov² = mean(d d') - 2 mean(m m') + M M'`` with d the distances, m their
    row means and M their mean. The diagonal keeps the result above a share 1/N of the terms, so that no more digits
    than those of N are lost.

    References
    ----------
    .. [1] Székely et al., Measuring and testing dependence by correlation of distances, Annals of Statistics 2007.
    """

    name = "distance_correlation"
    version = 2
    family = "rsm"
    larger_is_more_similar = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 1.0
    copies = True
    benchmark = True
    published_name = "DistanceCorrelation"
    cost = "O(N²)"
    reference = (
        "Székely et al., Measuring and testing dependence by correlation of distances, Annals of Statistics 2007"
    )

    def prepare(self, x: Features) -> DistanceCorrelationState:
        """Compute all distances and their variance.

        Raises
        ------
        DegenerateInputError
            If all rows are the same, to the precision of the numbers.
        """
        check_varied(x)
        distances = x.shared(euclidean_distances)
        mean = float(distances.row_means.mean())
        return DistanceCorrelationState(distances, mean, math.sqrt(_covariance((distances, mean), (distances, mean))))

    def permuted(self, state: DistanceCorrelationState, order: Tensor) -> DistanceCorrelationState:
        """Return the distances of the samples in another order."""
        return state._replace(distances=state.distances.reordered(order))

    def permuted_values(
        self,
        states: Sequence[DistanceCorrelationState],
        pairs: Sequence[tuple[int, int]],
        orders: Tensor,
        spread: Spread,
    ) -> Sequence[Tensor | None]:
        """Compare in all orders at once."""

        def rows_of(state: DistanceCorrelationState) -> Callable[[slice], Tensor]:
            matrix, means, _ = state.distances
            length = state.deviation * orders.shape[1]
            return lambda rows: (matrix[rows] - means[rows].unsqueeze(1) - means + state.mean) / length

        values: list[Tensor | None] = [None] * len(pairs)
        for number, found in _permuted_products(states, pairs, orders, rows_of, spread).items():
            both = states[pairs[number][0]], states[pairs[number][1]]
            values[number] = permuted_products.settled(self, both, orders, found.clamp(min=0).sqrt())
        return values

    def compare(self, a: DistanceCorrelationState, b: DistanceCorrelationState) -> float:
        """Return the distance correlation, in [0, 1]."""
        covariance = _covariance((a.distances, a.mean), (b.distances, b.mean))
        return math.sqrt(max(min(covariance / (a.deviation * b.deviation), 1.0), 0.0))

    def chance_moments(self, a: DistanceCorrelationState, b: DistanceCorrelationState) -> Moments | None:
        """Return the moments over all orders of the square: the root of these would not be exact."""
        n_samples = len(a.distances.row_means)
        if n_samples < LEAST_SAMPLES:
            return None
        found = of_centred(_traces_of_centred(a), _traces_of_centred(b), n_samples)
        return found.scaled(1 / (n_samples**2 * a.deviation * b.deviation))._replace(of_square=True)

    def note(self, a: DistanceCorrelationState, b: DistanceCorrelationState) -> str:
        """Say where unrelated representations of as many samples, and of such distances, have a large value, too."""
        # The mean over all orders of the samples of one side.
        chance = a.mean * b.mean / (a.deviation * b.deviation * (len(a.distances.row_means) - 1))
        if chance <= LARGE_CHANCE**2:
            return ""
        return (
            f"representations like these of {len(a.distances.row_means)} samples have about {math.sqrt(chance):.2f} "
            "when their samples do not belong together"
        )

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of all distances."""
        return _distance_bytes(n_samples, n_features)


def _permuted_products(
    states: Sequence[Any],
    pairs: Sequence[tuple[int, int]],
    orders: Tensor,
    rows_of: Callable[[Any], Callable[[slice], Tensor]],
    spread: Spread,
) -> dict[int, Tensor]:
    """Return the products of two matrices in many orders, by the number of the pair; none of too many samples.

    Parameters
    ----------
    rows_of : callable
        Returns what computes some rows of the matrix, of norm one, that belongs to a state.
    """
    if not permuted_products.fits(orders.shape[1], orders.device):
        return {}
    sides = {index: rows_of(state) for index, state in enumerate(states)}
    return permuted_products.permuted_products(sides, pairs, permuted_products.tiles(pairs), orders, spread)


def _sums_of_triangle(triangle: Tensor, n_samples: int) -> Sums:
    """Return the sums of the symmetric matrix with zero diagonal whose strict lower triangle is given."""
    rows = triangle.new_zeros(n_samples)
    for row in range(1, n_samples):
        line = triangle[row * (row - 1) // 2 : row * (row + 1) // 2]
        rows[:row] += line
        rows[row] += line.sum()
    return Sums(2 * float(triangle.sum()), 2 * float(triangle.square().sum()), float(rows.square().sum()))


def _traces_of_centred(state: DistanceCorrelationState) -> Traces:
    """Return the sums of the double-centred distances."""
    means = state.distances.row_means
    diagonal = state.mean - 2 * means
    squares = (state.deviation * len(means)) ** 2
    return Traces(float(diagonal.sum()), squares, float(diagonal.square().sum()))


def _covariance(a: tuple[Distances, float], b: tuple[Distances, float]) -> float:
    (first, first_mean), (second, second_mean) = a, b
    product = float(torch.dot(first.matrix.flatten(), second.matrix.flatten()))
    rows = float(first.row_means @ second.row_means)
    n_samples = len(first.row_means)
    return product / n_samples**2 - 2 * rows / n_samples + first_mean * second_mean
