"""Measures based on representational similarity matrices: all pairs of samples within each representation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.errors import DegenerateInputError
from resi.measures.base import PAPER, BuiltIn, check_variant
from resi.measures.needs import Needs
from resi.measures.shared import parts, permuted_products
from resi.measures.shared.difference_norm import MOST_PRODUCTS, frobenius_norms, search_bytes, spectral_norms
from resi.measures.shared.distance_sums import CentredDistances, covariances
from resi.measures.shared.distances import (
    Distances,
    check_varied,
    euclidean_distances,
    inner_products,
)
from resi.measures.shared.permutation_moments import LEAST_SAMPLES, Traces, of_centred
from resi.measures.shared.spectral import spectral_norm
from resi.measures.shared.tiled_distances import tiled_distances, tiled_products
from resi.measures.shared.tiles import MOST_HELD, by_size, tile_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from resi.measures.base import Spread
    from resi.measures.features import Features
    from resi.measures.needs import Size
    from resi.measures.shared.permutation_moments import Moments
    from resi.measures.shared.tiled_distances import Tiled


LARGE_CHANCE = 0.5
"""Distance correlation of unrelated representations above which a note says so."""


@dataclass
class RSMNormDifference(BuiltIn):
    """Spectral norm of the difference of the two matrices of Euclidean distances between samples.

    In the units of the features. The difference is symmetric, so this is its largest absolute eigenvalue, computed
    iteratively from a few products with vectors to a relative accuracy of 2e-10 or better.

    The cited paper takes the Frobenius norm of the difference of the two matrices of inner products ``X Xᵀ``; the
    default follows the published benchmark instead. ``variant=paper`` gives the paper's, in the squared units of the
    features; it is not invariant to translation.

    Parameters
    ----------
    variant : {"published", "paper"}
        The definition to use.

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

    def prepare(self, x: Features) -> Distances | Tiled:
        """Compute all distances, or all inner products; of many samples later, tile by tile."""
        if x.shape[0] > MOST_HELD:
            return x.shared(tiled_products if self.variant == PAPER else tiled_distances)
        return x.shared(inner_products if self.variant == PAPER else euclidean_distances)

    def permuted(self, state: Distances | Tiled, order: Tensor) -> Distances | Tiled:
        """Return the matrix of the samples in another order."""
        return state.reordered(order)

    def compare(self, a: Distances | Tiled, b: Distances | Tiled) -> float:
        """Return the norm, in the units of the features, squared ones for the variant of the paper."""
        if not isinstance(a, Distances) or not isinstance(b, Distances):
            value = self._norms([a, b], [(0, 1)], map)[0]
            if value is None:
                raise DegenerateInputError(
                    f"the largest eigenvalue of the difference of distances did not converge in {MOST_PRODUCTS} "
                    f"products; compare at most {MOST_HELD} samples, for which all eigenvalues are computed instead"
                )
            return value
        scale = max(a.scale, b.scale)
        first, first_means = _at_scale(a, scale)
        second, second_means = _at_scale(b, scale)
        if self.variant == PAPER:
            return scale * float((first - second).norm())
        # The row means of the difference are its product with a constant vector: one step ahead for nothing.
        return scale * spectral_norm(first - second, first_means - second_means)

    def compare_many(
        self, states: Sequence[Any], pairs: Sequence[tuple[int, int]], spread: Spread
    ) -> Sequence[float | None]:
        """Compute the distances of many samples once for several pairs."""
        values: list[float | None] = [None] * len(pairs)
        sizes = {index: len(state.lengths) for index, state in enumerate(states) if not isinstance(state, Distances)}
        for part in by_size(sizes, pairs):
            found = self._norms([states[index] for index in part.members], part.pairs, spread)
            for number, value in zip(part.numbers, found, strict=True):
                values[number] = value
        return values

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of all distances, of measuring them and of a pair's difference; or of tiles and vectors."""
        if size.n_samples > MOST_HELD:
            held = parts.vectors(size) | {"search": search_bytes(size.n_samples) // 2}
            return _tiled(size, held)
        measuring = parts.measuring(size) - size.pairs
        name = "products" if self.variant == PAPER else "distances"
        held = parts.vectors(size) | {name: size.pairs}
        return Needs(held, preparing=measuring, comparing=size.pairs)

    def _norms(self, states: Sequence[Any], pairs: Sequence[tuple[int, int]], spread: Spread) -> Sequence[float | None]:
        return (frobenius_norms if self.variant == PAPER else spectral_norms)(states, pairs, spread)


def _at_scale(distances: Distances, scale: float) -> tuple[Tensor, Tensor]:
    share = distances.scale / scale
    if share == 1:
        return distances.matrix, distances.row_means
    return share * distances.matrix, share * distances.row_means


@dataclass
class DistanceCorrelation(BuiltIn):
    """Distance correlation.

    ``sqrt(dCov² / sqrt(dVar_R dVar_S))`` of the double-centred Euclidean distances, means over all N² entries (the
    biased estimate); in [0, 1], 0 for independent representations in the limit of many samples.

    Notes
    -----
    Distances are not held in memory, unless there are as many features as samples: all representations are compared
    tile by tile (:mod:`resi.measures.shared.distance_sums`).

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

    def prepare(self, x: Features) -> CentredDistances:
        """Return the distances, to be computed while they are compared.

        Raises
        ------
        DegenerateInputError
            If all rows are the same, to the precision of the numbers.
        """
        check_varied(x)
        return CentredDistances.of(x.shared(tiled_distances))

    def permuted(self, state: CentredDistances, order: Tensor) -> CentredDistances:
        """Return the distances of the samples in another order."""
        return state.reordered(order)

    def permuted_values(
        self,
        states: Sequence[CentredDistances],
        pairs: Sequence[tuple[int, int]],
        orders: Tensor,
        spread: Spread,
    ) -> Sequence[Tensor | None]:
        """Compare in all orders at once."""

        def rows_of(state: CentredDistances) -> Callable[[slice], Tensor]:
            length = state.deviation * orders.shape[1]
            return lambda rows: state.rows(rows) / length

        values: list[Tensor | None] = [None] * len(pairs)
        for number, found in permuted_products.of_states(states, pairs, orders, rows_of, spread).items():
            both = states[pairs[number][0]], states[pairs[number][1]]
            values[number] = permuted_products.settled(self, both, orders, found.clamp(min=0).sqrt())
        return values

    def compare(self, a: CentredDistances, b: CentredDistances) -> float:
        """Return the distance correlation, in [0, 1]."""
        return _correlation(a, b, covariances([a, b], [(0, 1)], map)[0])

    def compare_many(
        self, states: Sequence[CentredDistances], pairs: Sequence[tuple[int, int]], spread: Spread
    ) -> Sequence[float | None]:
        """Compute each distance once for all pairs."""
        values: list[float | None] = [None] * len(pairs)
        for part in by_size({index: state.n_samples for index, state in enumerate(states)}, pairs):
            found = covariances([states[index] for index in part.members], part.pairs, spread)
            for number, covariance in zip(part.numbers, found, strict=True):
                one, other = pairs[number]
                values[number] = _correlation(states[one], states[other], covariance)
        return values

    def chance_moments(self, a: CentredDistances, b: CentredDistances) -> Moments | None:
        """Return the moments over all orders of the square: the root of these would not be exact."""
        if a.n_samples < LEAST_SAMPLES:
            return None
        found = of_centred(_traces_of_centred(a), _traces_of_centred(b), a.n_samples)
        return found.scaled(1 / (a.n_samples**2 * a.deviation * b.deviation))._replace(of_square=True)

    def note(self, a: CentredDistances, b: CentredDistances) -> str:
        """Note if unrelated representations with as many samples and such distances also have a large value."""
        # The mean over all orders of the samples of one side.
        chance = a.mean * b.mean / (a.deviation * b.deviation * (a.n_samples - 1))
        if chance <= LARGE_CHANCE**2:
            return ""
        return (
            f"representations like these of {a.n_samples} samples have about {math.sqrt(chance):.2f} "
            "when their samples do not belong together"
        )

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the numbers and of tiles of distances, or of all distances where these are no more."""
        return _tiled(size, parts.vectors(size))


def _tiled(size: Size, held: dict[str, int]) -> Needs:
    """Return what distances take that are held, where these are no more than the numbers, or computed by tiles."""
    are_held = size.n_features >= size.n_samples
    tile, computing = tile_bytes(size.n_samples, 0 if are_held else size.n_features)
    preparing = parts.taking(size)
    if are_held:
        held, preparing = held | {"distances": size.pairs}, parts.measuring(size) - size.pairs
    return Needs(held, preparing, computing, tile)


def _correlation(a: CentredDistances, b: CentredDistances, covariance: float) -> float:
    return math.sqrt(max(min(covariance / (a.deviation * b.deviation), 1.0), 0.0))


def _traces_of_centred(state: CentredDistances) -> Traces:
    """Return the sums of the double-centred distances."""
    diagonal = state.mean - 2 * state.row_means
    squares = (state.deviation * state.n_samples) ** 2
    return Traces(float(diagonal.sum()), squares, float(diagonal.square().sum()))
