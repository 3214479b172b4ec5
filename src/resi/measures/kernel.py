"""Measures on kernel (Gram) matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from resi.measures import artifacts
from resi.measures.base import Features, Measure


class CkaState(NamedTuple):
    """Features, with the Frobenius norm of the product ``RcᵀRc`` of the centred ones."""

    features: Features
    self_norm: float


@dataclass
class CKA(Measure):
    """Centred kernel alignment with a linear kernel.

    ``‖ScᵀRc‖F² / (‖RcᵀRc‖F ‖ScᵀSc‖F)`` of the column-centred matrices; in [0, 1], 1 when one is a rotated, scaled and
    shifted copy of the other. With fewer samples than features the same number comes from the Gram matrices, which are
    smaller then.

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

    def prepare(self, x: Features) -> CkaState:
        """Centre the features and take the norm of their product with themselves."""
        centred = x.shared(artifacts.centred)
        n_samples, n_features = centred.shape
        product = x.shared(artifacts.centred_gram) if n_samples < n_features else centred.T @ centred
        return CkaState(x, float(product.norm()))

    def compare(self, a: CkaState, b: CkaState) -> float:
        """Return CKA, in [0, 1]."""
        first, second = a.features, b.features
        n_samples = len(first.matrix)
        if n_samples < min(first.matrix.shape[1], second.matrix.shape[1]):
            cross = float((first.shared(artifacts.centred_gram) * second.shared(artifacts.centred_gram)).sum())
        else:
            cross = float(first.shared_with(second, artifacts.centred_cross).square().sum())
        return min(cross / (a.self_norm * b.self_norm), 1.0)
