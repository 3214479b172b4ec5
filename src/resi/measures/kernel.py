"""Measures based on kernel (Gram) matrices."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.measures.base import BuiltIn
from resi.measures.needs import Needs
from resi.measures.shared import chance, intermediates, parts, permuted_products
from resi.measures.shared.gram import gram_bytes, gram_is_cheaper, gram_products
from resi.measures.shared.permutation_moments import LEAST_SAMPLES, Traces, of_centred
from resi.measures.shared.precision import or_exactly
from resi.measures.shared.reordered import Reordered
from resi.measures.shared.weighted import cross_squares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from torch import Tensor

    from resi.measures.base import Spread
    from resi.measures.features import Features
    from resi.measures.needs import Size
    from resi.measures.shared.permutation_moments import Moments
else:
    from resi.lazy import torch

# Products of single precision give the value to about 1e-7. Nearer to 1 than this it is computed in double precision:
# what is the same has exactly 1, and what is nearly so keeps its order.
SINGLE_IS_ENOUGH = 1 - 1e-4


def cross_square(a: Features, b: Features) -> float:
    """Return ``‖RcᵀSc‖F²``, from Gram matrices where there are fewer samples than features."""
    if a.shape[0] < min(a.shape[1], b.shape[1]):
        return float((a.shared(intermediates.centred_gram) * b.shared(intermediates.centred_gram)).sum())
    return float(a.shared_with(b, intermediates.exact_centred_cross).square().sum())


# Multiplying and adding so many numbers in a matrix product takes as long as permuting one entry of 16 Gram matrices.
OPERATIONS_A_LINE = 400


def _traces(x: Features) -> Traces:
    """Return the sums of the centred Gram matrix that moments over all orders are made of."""
    return Traces.of_factor(x.shared(intermediates.centred), x.shared(intermediates.product_norm) ** 2)


def _operations(a: Features, b: Features) -> int:
    """Return about how many numbers are multiplied and added to compare two representations by their features."""
    n_samples, n_features = a.shape
    return n_samples * n_features * b.shape[1] if n_samples >= min(n_features, b.shape[1]) else 30 * n_samples**2


def _rows_of_gram(x: Features) -> Callable[[slice], Tensor]:
    """Return what computes some rows of the centred Gram matrix divided by its norm."""
    norm = x.shared(intermediates.centred_norm)
    factor = (x.shared(intermediates.centred) / norm).float()
    scale = norm**2 / x.shared(intermediates.product_norm)
    return lambda rows: factor[rows] @ factor.T * scale


@dataclass
class CKA(BuiltIn):
    """Centred kernel alignment with a linear kernel.

    ``‖ScᵀRc‖F² / (‖RcᵀRc‖F ‖ScᵀSc‖F)`` of the column-centred matrices; in [0, 1], 1 when one is a rotated, scaled and
    shifted copy of the other. Gram matrices give the same number, with less work if there are fewer samples than
    features, or many representations. In comparisons of many representations, Gram matrices of single-precision arrays
    are computed in single precision, which is accurate to about 1e-7 for values up to 0.9999.

    Unrelated representations have on average ``√(p_R p_S) / (N - 1)``, where ``p = tr(K)² / ‖K‖F²`` is the effective
    number of directions of a centred Gram matrix K; a note says so where that is half or more.

    References
    ----------
    .. [1] Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019.
    """

    name = "cka"
    family = "kernel"
    version = 2
    larger_is_more_similar = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 1.0
    copies = True
    benchmark = True
    published_name = "CKA"
    cost = "O(N D²), or O(N²) when N < D"
    reference = "Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019"

    def prepare(self, x: Features) -> Features:
        """Centre the features."""
        x.shared(intermediates.centred)
        return x

    def permuted(self, state: Features, order: Tensor) -> Features:
        """Return what was prepared with its rows in another order."""
        return Reordered(state, order)

    def compare(self, a: Features, b: Features) -> float:
        """Return CKA, in [0, 1]."""
        norms = a.shared(intermediates.product_norm) * b.shared(intermediates.product_norm)
        return or_exactly(1.0, min(cross_square(a, b) / norms, 1.0))

    def compare_many(
        self, states: Sequence[Features], pairs: Sequence[tuple[int, int]], spread: Spread
    ) -> Sequence[float | None]:
        """Compare pairs by Gram matrices where that takes less work."""
        values: list[float | None] = [None] * len(pairs)
        kinds: defaultdict[tuple[int, bool], list[int]] = defaultdict(list)
        for number, (one, other) in enumerate(pairs):
            a, b = states[one], states[other]
            n_samples, n_features = a.shape[0], min(a.shape[1], b.shape[1])
            if a.single == b.single and gram_is_cheaper(n_samples, n_features):
                kinds[n_samples, a.single].append(number)
        for numbers in kinds.values():
            members = sorted({index for number in numbers for index in pairs[number]})
            position = {index: place for place, index in enumerate(members)}
            factors = [states[index].shared(intermediates.centred_unit) for index in members]
            products = gram_products(factors, spread).cpu()  # as a GPU would be waited for with every pair
            norms = products.diagonal().sqrt()
            for index, norm in zip(members, norms.tolist(), strict=True):
                x = states[index]
                length = x.shared(intermediates.centred_norm) / 2.0 ** intermediates.unit_exponent(x)
                states[index].keep(chance.extent, (length**2 / norm) ** 2)
            for number in numbers:
                low, high = sorted(position[index] for index in pairs[number])
                value = float(products[high, low] / (norms[high] * norms[low]))
                if not (states[members[low]].single and value > SINGLE_IS_ENOUGH):
                    values[number] = or_exactly(1.0, min(value, 1.0))
        return values

    def permuted_values(
        self, states: Sequence[Features], pairs: Sequence[tuple[int, int]], orders: Tensor, spread: Spread
    ) -> Sequence[Tensor | None]:
        """Permute Gram matrices where that takes less work than a product of features for every pair."""
        values: list[Tensor | None] = [None] * len(pairs)
        n_samples = orders.shape[1]
        if not permuted_products.fits(n_samples, orders.device):
            return values
        chosen = [
            tile
            for tile in permuted_products.tiles(pairs)
            if sum(_operations(states[one], states[other]) for one, other in (pairs[n] for n in tile.pairs))
            > OPERATIONS_A_LINE * n_samples**2 / 2
        ]
        if chosen:
            rows_of = {index: _rows_of_gram(state) for index, state in enumerate(states)}
            for number, found in permuted_products.permuted_products(rows_of, pairs, chosen, orders, spread).items():
                both = states[pairs[number][0]], states[pairs[number][1]]
                values[number] = permuted_products.settled(self, both, orders, found).clamp(max=1.0)
        return values

    def chance_moments(self, a: Features, b: Features) -> Moments | None:
        """Return the moments over all orders: the same as those of the RV coefficient."""
        n_samples = a.shape[0]
        if n_samples < LEAST_SAMPLES:
            return None
        first, second = a.shared(_traces), b.shared(_traces)
        return of_centred(first, second, n_samples).scaled(1 / math.sqrt(first.squares * second.squares))

    def resampled_values(
        self, states: Sequence[Features], pairs: Sequence[tuple[int, int]], counts: Tensor, spread: Spread
    ) -> Sequence[Tensor | None]:
        """Return the values of all draws from products of weighted rows."""

        def own(index: int) -> Tensor:
            return cross_squares(states[index], states[index], counts)

        members = sorted({index for pair in pairs for index in pair})
        norms = dict(zip(members, spread(own, members), strict=True))

        def of_pair(pair: tuple[int, int]) -> Tensor:
            one, other = sorted(pair, key=lambda index: states[index].position)
            squares = norms[one] * norms[other]
            values = cross_squares(states[one], states[other], counts) / squares.sqrt()
            return values.clamp(max=1.0).where(squares > 0, torch.nan)

        return list(spread(of_pair, pairs))

    def note(self, a: Features, b: Features) -> str:
        """Return a note if unrelated representations have half of the largest value or more."""
        extent, share_a, share_b = chance.extents(a, b)
        expected = math.sqrt(share_a * share_b)
        return chance.note(a.shape[0], extent, expected) if expected >= chance.NOTED else ""

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the centred matrix, of Gram matrices or blocks of them, and of products of features."""
        held, comparing = parts.shifted(size), 2 * size.square
        if gram_is_cheaper(size.n_samples, size.n_features):
            if size.single:
                held["centred_unit"] = 4 * size.entries
            # Beside few numbers that is little in all.
            blocks = min(gram_bytes(size.n_samples, 4 if size.single else 8), 2 * sum(held.values()))
            comparing = max(comparing, blocks)
        return Needs(held, comparing=comparing)
