"""Measures of how well one representation predicts the other, or how similarly both predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.measures.base import BuiltIn
from resi.measures.needs import Needs
from resi.measures.shared import bases, chance, parts
from resi.measures.shared.permutation_moments import LEAST_SAMPLES, Traces, of_centred
from resi.measures.shared.precision import or_exactly
from resi.measures.shared.reordered import Reordered

if TYPE_CHECKING:
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.needs import Size
    from resi.measures.shared.permutation_moments import Moments


@dataclass
class LinearRegression(BuiltIn):
    """Share of the variance of R that a linear map of S explains.

    ``‖QᵀRc‖F² / ‖Rc‖F²`` with Q an orthonormal basis of the column space of Sc; in [0, 1]. Not symmetric: R is
    predicted from S.

    References
    ----------
    .. [1] Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019.
    """

    name = "linear_regression"
    family = "regression"
    version = 2
    resolution = bases.RESOLUTION
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

    def permuted(self, state: Features, order: Tensor) -> Features:
        """Return what was prepared with its rows in another order."""
        return Reordered(state, order)

    def compare(self, a: Features, b: Features) -> float:
        """Return the explained share of the variance of R, in [0, 1]."""
        values = a.shared(bases.centred_basis).values
        if b.shared(bases.centred_basis).rank >= a.shape[0] - 1:
            return 1.0
        explained = (values.unsqueeze(1) * a.shared_with(b, bases.centred_overlap)).square().sum()
        return or_exactly(1.0, min(float(explained / values.square().sum()), 1.0))

    def chance_moments(self, a: Features, b: Features) -> Moments | None:
        """Return the moments over all orders: the value is a product of a Gram matrix and a projection."""
        basis_a, basis_b = a.shared(bases.centred_basis), b.shared(bases.centred_basis)
        n_samples = a.shape[0]
        if n_samples < LEAST_SAMPLES or basis_b.rank >= n_samples - 1:
            return None
        first = Traces.of_factor(basis_a.left * basis_a.values, float(basis_a.values.pow(4).sum()))
        second = Traces.of_factor(basis_b.left, float(basis_b.rank))
        return of_centred(first, second, n_samples).scaled(1 / first.trace)

    def note(self, a: Features, b: Features) -> str:
        """Return a note if unrelated representations explain half of the variance or more."""
        rank = b.shared(bases.centred_basis).rank
        expected = rank / (a.shape[0] - 1)
        few = chance.note(a.shape[0], f"rank {rank} of S", expected) if expected >= chance.NOTED else ""
        return bases.note(a, b, few)

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the decomposition, and of products of two bases."""
        held = parts.shifted(size) | parts.bases(size)
        return Needs(held, preparing=parts.decomposing(size), comparing=3 * size.square)


@dataclass
class Gulp(BuiltIn):
    """GULP: how differently two representations can predict, by ridge regression, any target.

    With both sides centred and scaled to one unit of variance per sample, their covariances Σ_R, Σ_S and cross
    covariance Σ_RS, and ``W = (Σ + λI)⁺``, the value is
    ``tr(W_R Σ_R W_R Σ_R) + tr(W_S Σ_S W_S Σ_S) - 2 tr(W_R Σ_RS W_S Σ_SR)``. It is the square of a metric, as in the
    published benchmark, and therefore not a metric itself. Defined for any number of samples and features.

    Parameters
    ----------
    regularization : float
        The ridge λ, at least 0. With λ > 0, the value is invariant only to rotations, reflections, translations and
        scalings of the features.

    References
    ----------
    .. [1] Boix-Adsera et al., GULP: a prediction-based metric between representations, NeurIPS 2022.
    """

    regularization: float = 0.0

    name = "gulp"
    family = "regression"
    version = 2
    resolution = bases.RESOLUTION
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

    def permuted(self, state: Features, order: Tensor) -> Features:
        """Return what was prepared with its rows in another order."""
        return Reordered(state, order)

    def compare(self, a: Features, b: Features) -> float:
        """Return the squared distance, at least 0, unitless."""
        weights_a, weights_b = self._weights(a), self._weights(b)
        if self.regularization == 0 and bases.fills_space(a.shape[0], len(weights_a), len(weights_b)):
            return float(abs(len(weights_a) - len(weights_b)))
        shared = weights_a @ a.shared_with(b, bases.centred_overlap).square() @ weights_b
        largest = float(weights_a.square().sum() + weights_b.square().sum())
        return or_exactly(0.0, max(largest - 2 * float(shared), 0.0), largest)

    def chance_moments(self, a: Features, b: Features) -> Moments | None:
        """Return the moments over all orders: all but a constant is a product of two weighted projections."""
        weights_a, weights_b = self._weights(a), self._weights(b)
        n_samples = a.shape[0]
        if n_samples < LEAST_SAMPLES or bases.fills_space(n_samples, len(weights_a), len(weights_b)):
            return None
        first, second = (
            Traces.of_factor(x.shared(bases.centred_basis).left * weights.sqrt(), float(weights.square().sum()))
            for x, weights in ((a, weights_a), (b, weights_b))
        )
        return of_centred(first, second, n_samples).scaled(-2.0, first.squares + second.squares)

    def note(self, a: Features, b: Features) -> str:
        """Return a note if unrelated representations share half of what they can share, or more."""
        weights_a, weights_b = self._weights(a), self._weights(b)
        count = min(len(weights_a), len(weights_b))
        shared = float(weights_a.sum() * weights_b.sum()) / (a.shape[0] - 1)
        if shared < chance.NOTED * float(weights_a[:count] @ weights_b[:count]):
            return bases.note(a, b)
        expected = float(weights_a.square().sum() + weights_b.square().sum()) - 2 * shared
        few = chance.note(a.shape[0], f"ranks {len(weights_a)} and {len(weights_b)}", max(expected, 0.0))
        return bases.note(a, b, few)

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the decomposition, and of products of two bases."""
        held = parts.shifted(size) | parts.bases(size)
        return Needs(held, preparing=parts.decomposing(size), comparing=2 * size.square)

    def _weights(self, x: Features) -> Tensor:
        """Return the eigenvalues of ``(Σ + λI)⁺ Σ``."""
        variances = x.shared(bases.centred_basis).values.square()
        variances = variances / variances.sum()
        return variances / (variances + self.regularization)


class ColumnSpace(NamedTuple):
    """Orthonormal basis of the features without centring, their number, and whether the rank is certain."""

    left: Tensor
    n_features: int
    is_sure: bool


@dataclass
class EigenspaceOverlap(BuiltIn):
    """Eigenspace overlap score.

    ``‖UᵀV‖F² / max(D, D')`` with U and V orthonormal bases of the column spaces, without centring; in [0, 1]. A
    representation without full column rank has a value below 1 with itself.

    References
    ----------
    .. [1] May et al., On the Downstream Performance of Compressed Word Embeddings, NeurIPS 2019.
    """

    name = "eigenspace_overlap"
    family = "regression"
    version = 2
    resolution = bases.RESOLUTION
    larger_is_more_similar = True
    invariances = frozenset({"invertible_linear", "orthogonal", "permutation", "isotropic_scaling"})
    spatial = "align"
    benchmark = True
    published_name = "EigenspaceOverlapScore"
    cost = "O(N D²)"
    reference = "May et al., On the Downstream Performance of Compressed Word Embeddings, NeurIPS 2019"

    def prepare(self, x: Features) -> ColumnSpace:
        """Find an orthonormal basis of the features."""
        basis = x.shared(bases.uncentred_basis)
        return ColumnSpace(basis.left, x.shape[1], basis.is_sure)

    def permuted(self, state: ColumnSpace, order: Tensor) -> ColumnSpace:
        """Return the basis with its rows in another order."""
        return state._replace(left=state.left.index_select(0, order))

    def compare(self, a: ColumnSpace, b: ColumnSpace) -> float:
        """Return the overlap, in [0, 1]."""
        smaller, larger = sorted((a.left.shape[1], b.left.shape[1]))
        shared = float(smaller)
        if larger < len(a.left):
            shared = or_exactly(smaller, float((a.left.T @ b.left).square().sum()), smaller)
        return min(shared / max(a.n_features, b.n_features), 1.0)

    def note(self, a: ColumnSpace, b: ColumnSpace) -> str:
        """Return a note if the column spaces of unrelated representations overlap by half or more."""
        n_samples, rank_a = a.left.shape
        rank_b = b.left.shape[1]
        guess = bases.guess_note(rank_a, a.is_sure, rank_b, b.is_sure)
        if max(rank_a, rank_b) < chance.NOTED * n_samples:
            return guess
        expected = rank_a * rank_b / n_samples / max(a.n_features, b.n_features)
        few = chance.note(n_samples, f"ranks {rank_a} and {rank_b}", expected)
        return "; ".join(filter(None, (guess, few)))

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the decomposition, for which numbers of single precision are centred as well."""
        held = (parts.shifted(size) if size.single else size.matrix()) | {"uncentred": parts.bases(size)["basis"]}
        return Needs(held, preparing=parts.decomposing(size), comparing=2 * size.square)
