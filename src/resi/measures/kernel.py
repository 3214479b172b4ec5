"""Measures on kernel (Gram) matrices."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.measures.base import Measure
from resi.measures.shared import chance, intermediates
from resi.measures.shared.gram import block_entries, gram_is_cheaper, gram_products
from resi.measures.shared.precision import or_exactly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.measures.base import Spread
    from resi.measures.features import Features


# Products of single precision give the value to about 1e-7. Nearer to 1 than this it is computed in double precision:
# what is the same has exactly 1, and what is nearly so keeps its order.
SINGLE_IS_ENOUGH = 1 - 1e-4


@dataclass
class CKA(Measure):
    """Centred kernel alignment with a linear kernel.

    ``‖ScᵀRc‖F² / (‖RcᵀRc‖F ‖ScᵀSc‖F)`` of the column-centred matrices; in [0, 1], 1 when one is a rotated, scaled and
    shifted copy of the other. The same number comes from the Gram matrices, which take less work where there are fewer
    samples than features, or many representations. When many are compared that way, Gram matrices of arrays of single
    precision are computed in single precision, which gives values up to 0.9999 to about 1e-7.

    Unrelated representations have on average ``√(p_R p_S) / (N - 1)``, where ``p = tr(K)² / ‖K‖F²`` says in how many
    directions a centred Gram matrix K extends; a value is noted where that is half or more.

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
    benchmark = True
    published_name = "CKA"
    cost = "O(N D²), or O(N²) when N < D"
    reference = "Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019"

    def prepare(self, x: Features) -> Features:
        """Centre the features."""
        x.shared(intermediates.centred)
        return x

    def compare(self, a: Features, b: Features) -> float:
        """Return CKA, in [0, 1]."""
        if a.shape[0] < min(a.shape[1], b.shape[1]):
            cross = float((a.shared(intermediates.centred_gram) * b.shared(intermediates.centred_gram)).sum())
        else:
            cross = float(a.shared_with(b, intermediates.exact_centred_cross).square().sum())
        norms = a.shared(intermediates.product_norm) * b.shared(intermediates.product_norm)
        return or_exactly(1.0, min(cross / norms, 1.0))

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
            factors = [states[index].shared(intermediates.centred_unit) for index in members]
            products = gram_products(factors, spread)
            norms = products.diagonal().sqrt()
            for index, norm in zip(members, norms.tolist(), strict=True):
                length = math.frexp(states[index].shared(intermediates.centred_norm))[0]
                states[index].keep(chance.extent, (length**2 / norm) ** 2)
            for number in numbers:
                low, high = sorted(position[index] for index in pairs[number])
                value = float(products[high, low] / (norms[high] * norms[low]))
                if not (states[members[low]].single and value > SINGLE_IS_ENOUGH):
                    values[number] = or_exactly(1.0, min(value, 1.0))
        return values

    def note(self, a: Features, b: Features) -> str:
        """Return a sentence if unrelated representations have half of the largest value or more."""
        extent, share_a, share_b = chance.extents(a, b)
        expected = math.sqrt(share_a * share_b)
        return chance.note(a.shape[0], extent, expected) if expected >= chance.NOTED else ""

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, its centred copy in both precisions, and blocks of Gram matrices."""
        return 20 * n_samples * n_features + 8 * block_entries(n_samples)
