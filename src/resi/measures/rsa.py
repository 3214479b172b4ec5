"""Representational similarity analysis: rank correlation of the correlations between samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.measures.base import BuiltIn
from resi.measures.needs import Needs
from resi.measures.shared import parts, permuted_products
from resi.measures.shared.binned_ranks import (
    BinnedRanks,
    binned_ranks,
    bins_bytes,
    counting_bytes,
    error_bound,
    rank_correlations,
)
from resi.measures.shared.permutation_moments import LEAST_SAMPLES, Sums, of_hollow
from resi.measures.shared.precision import or_exactly
from resi.measures.shared.ranks import ranked_correlations, ranks_between, sorting_bytes, triangle_places
from resi.measures.shared.tiles import MOST_HELD, by_size, tile_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from resi.measures.base import Spread
    from resi.measures.features import Features
    from resi.measures.needs import Size
    from resi.measures.shared.permutation_moments import Moments

WIDE_SCATTER = 0.1
"""Standard deviation of rank correlations above which a note says so."""
MOST_ERROR = 1e-5
"""Bound on the error of a value, by bins, above which a note says so."""


@dataclass
class RSA(BuiltIn):
    """Representational similarity analysis.

    Spearman's rank correlation between the strict lower triangles of the two matrices of Pearson correlations between
    samples; in [-1, 1]. Ties take average ranks; a sample whose features are all equal has correlation 0 with the rest.

    With more than 8192 samples, correlations are not sorted but counted in 33 million bins; correlations in one bin
    share their average rank, which changes the value by about 1e-11 (:mod:`resi.measures.shared.binned_ranks`). A note
    says so where the change may exceed 1e-5.

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

    def prepare(self, x: Features) -> Tensor | BinnedRanks:
        """Rank the correlations between all pairs of samples."""
        return x.shared(binned_ranks) if x.shape[0] > MOST_HELD else x.shared(ranked_correlations)

    def permuted(self, state: Tensor | BinnedRanks, order: Tensor) -> Tensor | BinnedRanks:
        """Return the ranks of the pairs of samples in another order."""
        return state.reordered(order) if isinstance(state, BinnedRanks) else state[triangle_places(order)]

    def permuted_values(
        self, states: Sequence[Tensor | BinnedRanks], pairs: Sequence[tuple[int, int]], orders: Tensor, spread: Spread
    ) -> Sequence[Tensor | None]:
        """Compare in all orders at once."""

        def rows_of(ranks: Tensor) -> Callable[[slice], Tensor]:
            return lambda rows: ranks_between(ranks, rows, orders.shape[1]) / math.sqrt(2)

        values: list[Tensor | None] = [None] * len(pairs)
        if any(isinstance(state, BinnedRanks) for state in states):
            return values
        for number, found in permuted_products.of_states(states, pairs, orders, rows_of, spread).items():
            both = states[pairs[number][0]], states[pairs[number][1]]
            values[number] = permuted_products.settled(self, both, orders, found)
        return values

    def compare(self, a: Tensor | BinnedRanks, b: Tensor | BinnedRanks) -> float:
        """Return the rank correlation, in [-1, 1]."""
        if isinstance(a, BinnedRanks) and isinstance(b, BinnedRanks):
            return _bounded(rank_correlations([a, b], [(0, 1)], map)[0])
        return max(-1.0, min(1.0, float(a @ b)))  # type: ignore[operator]

    def compare_many(
        self, states: Sequence[Tensor | BinnedRanks], pairs: Sequence[tuple[int, int]], spread: Spread
    ) -> Sequence[float | None]:
        """Compute the correlations of many samples once for all pairs."""
        binned = {index: state for index, state in enumerate(states) if isinstance(state, BinnedRanks)}
        values: list[float | None] = [None] * len(pairs)
        for part in by_size({index: state.n_samples for index, state in binned.items()}, pairs):
            sides = [binned[index] for index in part.members]
            for number, value in zip(part.numbers, rank_correlations(sides, part.pairs, spread), strict=True):
                values[number] = _bounded(value)
        return values

    def chance_moments(self, a: Tensor | BinnedRanks, b: Tensor | BinnedRanks) -> Moments | None:
        """Return the moments over all orders, as in the test of Mantel."""
        n_samples = _n_samples(a)
        if n_samples < LEAST_SAMPLES:
            return None
        first, second = (_sums_of_ranks(side) for side in (a, b))
        return of_hollow(first, second, n_samples).scaled(0.5)

    def note(self, a: Tensor | BinnedRanks, b: Tensor | BinnedRanks) -> str:
        """Note if bins change the value, or if there are so few pairs that values of unrelated data vary widely."""
        if isinstance(a, BinnedRanks) and isinstance(b, BinnedRanks) and (bound := error_bound(a, b)) > MOST_ERROR:
            return (
                "correlations between samples lie so close together that ranks of groups of them had to do: the value "
                f"may be off by up to {bound:.0e}"
            )
        n_pairs = math.comb(_n_samples(a), 2)
        # Spearman's correlation of unrelated numbers.
        deviation = 1 / math.sqrt(max(n_pairs - 1, 1))
        if deviation <= WIDE_SCATTER:
            return ""
        return f"of {n_pairs} pairs of samples: values of unrelated representations scatter by {deviation:.2f}"

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of all correlations, of measuring and sorting them, or of bins and tiles."""
        if size.n_samples > MOST_HELD:
            held = parts.vectors(size) | {"bins": bins_bytes()}
            tile, computing = tile_bytes(size.n_samples, size.n_features)
            preparing = max(parts.taking(size), computing + counting_bytes(size.n_samples))
            return Needs(held, preparing=preparing, comparing=computing, together=tile)
        count = math.comb(size.n_samples, 2)
        held = parts.vectors(size) | {"ranks": 8 * count}
        most = max(sorting_bytes(count), parts.measuring(size), size.pairs + 8 * count)
        return Needs(held, preparing=most - 8 * count)


def _bounded(value: float) -> float:
    return max(-1.0, or_exactly(1.0, min(value, 1.0)))


def _n_samples(ranks: Tensor | BinnedRanks) -> int:
    if isinstance(ranks, BinnedRanks):
        return ranks.n_samples
    return round((1 + math.sqrt(1 + 8 * len(ranks))) / 2)


def _sums_of_ranks(ranks: Tensor | BinnedRanks) -> Sums:
    """Return the sums of the symmetric matrix of ranks."""
    if isinstance(ranks, BinnedRanks):
        return Sums(float(ranks.sums.sum()), 2.0, float(ranks.sums.square().sum()))
    return _sums_of_triangle(ranks, _n_samples(ranks))


def _sums_of_triangle(triangle: Tensor, n_samples: int) -> Sums:
    """Return the sums of the symmetric matrix with zero diagonal whose strict lower triangle is given."""
    rows = triangle.new_zeros(n_samples)
    for row in range(1, n_samples):
        line = triangle[row * (row - 1) // 2 : row * (row + 1) // 2]
        rows[:row] += line
        rows[row] += line.sum()
    return Sums(2 * float(triangle.sum()), 2 * float(triangle.square().sum()), float(rows.square().sum()))
