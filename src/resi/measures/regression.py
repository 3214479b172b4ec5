"""Measures on how well one representation predicts the other, or what both predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.measures import bases
from resi.measures.base import Features, Measure

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class LinearRegression(Measure):
    """Share of the variance of R that a linear map of S explains.

    ``‖QᵀRc‖F² / ‖Rc‖F²`` with Q an orthonormal basis of the column space of Sc; in [0, 1]. Not symmetric: R is
    predicted from S.

    References
    ----------
    .. [1] Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019.
    """

    name = "linear_regression"
    family = "regression"
    larger_is_more_similar = True
    symmetric = False
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 1.0
    spatial = "align"
    benchmark = True
    published_name = "LinearRegression"
    cost = "O(N D²)"
    reference = "Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019"

    def prepare(self, x: Features) -> Features:
        """Decompose the centred features."""
        x.shared(bases.centred_basis)
        return x

    def compare(self, a: Features, b: Features) -> float:
        """Return the explained share of the variance of R, in [0, 1]."""
        values = a.shared(bases.centred_basis).values
        explained = (values.unsqueeze(1) * a.shared_with(b, bases.centred_overlap)).square().sum()
        return min(float(explained / values.square().sum()), 1.0)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the decomposition."""
        return bases.basis_bytes(n_samples, n_features)


@dataclass
class Gulp(Measure):
    """GULP: how differently two representations can predict, by ridge regression, any target.

    With both sides centred and scaled to one unit of variance per sample, their covariances Σ_R, Σ_S and cross
    covariance Σ_RS, and ``W = (Σ + λI)⁺``, the value is
    ``tr(W_R Σ_R W_R Σ_R) + tr(W_S Σ_S W_S Σ_S) - 2 tr(W_R Σ_RS W_S Σ_SR)``. It is the square of a metric, as in the
    published benchmark, and therefore none itself. Defined for any number of samples and features.

    Parameters
    ----------
    regularization : float
        The ridge λ, at least 0. With more than 0, only rotations, reflections, translations and scalings of the
        features leave the value as it is.

    References
    ----------
    .. [1] Boix-Adsera et al., GULP: a prediction-based metric between representations, NeurIPS 2022.
    """

    regularization: float = 0.0

    name = "gulp"
    family = "regression"
    larger_is_more_similar = False
    invariances = frozenset(
        {"affine", "invertible_linear", "orthogonal", "permutation", "isotropic_scaling", "translation"}
    )
    self_value = 0.0
    spatial = "align"
    benchmark = True
    published_name = "Gulp"
    cost = "O(N D²)"
    reference = "Boix-Adsera et al., GULP: a prediction-based metric between representations, NeurIPS 2022"

    def __post_init__(self) -> None:
        if not 0 <= self.regularization < float("inf"):
            raise ValueError(f"{self.name}: regularization {self.regularization} must be a number of at least 0")

    def prepare(self, x: Features) -> Features:
        """Decompose the centred features."""
        x.shared(bases.centred_basis)
        return x

    def compare(self, a: Features, b: Features) -> float:
        """Return the squared distance, at least 0, unitless."""
        weights_a, weights_b = self._weights(a), self._weights(b)
        shared = weights_a @ a.shared_with(b, bases.centred_overlap).square() @ weights_b
        return max(float(weights_a.square().sum() + weights_b.square().sum() - 2 * shared), 0.0)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the decomposition."""
        return bases.basis_bytes(n_samples, n_features)

    def _weights(self, x: Features) -> Tensor:
        """Return the eigenvalues of ``(Σ + λI)⁺ Σ``."""
        variances = x.shared(bases.centred_basis).values.square()
        variances = variances / variances.sum()
        return variances / (variances + self.regularization)


class ColumnSpace(NamedTuple):
    """Orthonormal basis of the features, not centred, and their number."""

    left: Tensor
    n_features: int


@dataclass
class EigenspaceOverlap(Measure):
    """Eigenspace overlap score.

    ``‖UᵀV‖F² / max(D, D')`` with U and V orthonormal bases of the column spaces, not centred; in [0, 1]. A
    representation that is not of full column rank is less than 1 like itself.

    References
    ----------
    .. [1] May et al., On the Downstream Performance of Compressed Word Embeddings, NeurIPS 2019.
    """

    name = "eigenspace_overlap"
    family = "regression"
    larger_is_more_similar = True
    invariances = frozenset({"invertible_linear", "orthogonal", "permutation", "isotropic_scaling"})
    spatial = "align"
    benchmark = True
    published_name = "EigenspaceOverlapScore"
    cost = "O(N D²)"
    reference = "May et al., On the Downstream Performance of Compressed Word Embeddings, NeurIPS 2019"

    def prepare(self, x: Features) -> ColumnSpace:
        """Find an orthonormal basis of the features."""
        return ColumnSpace(x.shared(bases.uncentred_basis).left, x.shape[1])

    def compare(self, a: ColumnSpace, b: ColumnSpace) -> float:
        """Return the overlap, in [0, 1]."""
        return min(float((a.left.T @ b.left).square().sum()) / max(a.n_features, b.n_features), 1.0)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the decomposition."""
        return bases.basis_bytes(n_samples, n_features)
