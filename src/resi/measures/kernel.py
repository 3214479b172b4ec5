"""Measures on kernel (Gram) matrices."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.measures import artifacts
from resi.measures.base import Features, Measure
from resi.measures.gram import block_entries, gram_is_cheaper, gram_products

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.measures.base import Spread


def product_norm(x: Features) -> float:
    """Return the Frobenius norm of the product ``RcᵀRc`` of the centred features with themselves."""
    centred = x.shared(artifacts.centred)
    n_samples, n_features = centred.shape
    product = x.shared(artifacts.centred_gram) if n_samples < n_features else centred.T @ centred
    return float(product.norm())


@dataclass
class CKA(Measure):
    """Centred kernel alignment with a linear kernel.

    ``‖ScᵀRc‖F² / (‖RcᵀRc‖F ‖ScᵀSc‖F)`` of the column-centred matrices; in [0, 1], 1 when one is a rotated, scaled and
    shifted copy of the other. The same number comes from the Gram matrices, which take less work where there are fewer
    samples than features, or many representations. When many are compared that way, Gram matrices of arrays of single
    precision are computed in single precision, which gives the value to about 1e-7.

    References
    ----------
    .. [1] Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019.
    """

    name = "cka"
    family = "kernel"
    larger_is_more_similar = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 1.0
    benchmark = True
    published_name = "CKA"
    cost = "O(N D²), or O(N²) when N < D"
    reference = "Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019"

    def prepare(self, x: Features) -> Features:
        """Centre the features."""
        x.shared(artifacts.centred)
        return x

    def compare(self, a: Features, b: Features) -> float:
        """Return CKA, in [0, 1]."""
        if a.shape[0] < min(a.shape[1], b.shape[1]):
            cross = float((a.shared(artifacts.centred_gram) * b.shared(artifacts.centred_gram)).sum())
        else:
            cross = float(a.shared_with(b, artifacts.exact_centred_cross).square().sum())
        return min(cross / (a.shared(product_norm) * b.shared(product_norm)), 1.0)

    def compare_many(
        self, states: Sequence[Features], pairs: Sequence[tuple[int, int]], spread: Spread
    ) -> Sequence[float | None]:
        """Compare by Gram matrices those pairs for which that is less work."""
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
            factors = [states[index].shared(artifacts.centred_for_products) for index in members]
            products = gram_products(factors, spread)
            norms = products.diagonal().sqrt()
            for number in numbers:
                low, high = sorted(position[index] for index in pairs[number])
                values[number] = min(float(products[high, low] / (norms[high] * norms[low])), 1.0)
        return values

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, its centred copy in both precisions, and blocks of Gram matrices."""
        return 20 * n_samples * n_features + 8 * block_entries(n_samples)
