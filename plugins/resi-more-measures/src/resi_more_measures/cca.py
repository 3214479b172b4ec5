"""Measures on canonical correlations and covariances."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi import Measure
from resi.measures.shared import bases, chance, intermediates
from resi.measures.shared.precision import or_exactly

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.shared.bases import Basis
else:
    from resi.lazy import torch

AFFINE = frozenset({"affine", "invertible_linear", "orthogonal", "permutation", "isotropic_scaling", "translation"})
ORTHOGONAL = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})


def canonical_correlations(a: Basis, b: Basis) -> Tensor:
    """Return the canonical correlations of two centred representations, largest first, shape (smaller rank,)."""
    if bases.fills_space(len(a.left), a.rank, b.rank):
        return torch.ones(min(a.rank, b.rank), dtype=torch.float64, device=a.left.device)
    return torch.linalg.svdvals(a.left.T @ b.left).clamp(max=1.0)


@dataclass
class _Canonical(Measure):
    """Measures on all canonical correlations; what is prepared is a basis of the centred features."""

    family = "cca"
    resolution = bases.RESOLUTION
    larger_is_more_similar = True
    invariances = AFFINE
    spatial = "align"
    copies = True
    cost = "O(N D² + D³)"

    def prepare(self, x: Features) -> Basis:
        """Decompose the centred features."""
        return x.shared(bases.centred_basis)

    def permuted(self, state: Basis, order: Tensor) -> Basis:
        """Return the state for the rows in another order."""
        return state._replace(left=state.left[order])

    def note(self, a: Basis, b: Basis) -> str:
        """Return sentences if a rank is a guess, or if unrelated representations have a value of half or more."""
        expected = self._by_chance(a, b)
        extent = f"{a.rank} and {b.rank} directions"
        few = chance.note(len(a.left), extent, expected) if expected >= chance.NOTED else ""
        return "; ".join(filter(None, (bases.guess_note(a.rank, a.is_sure, b.rank, b.is_sure), few)))

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the decomposition."""
        return bases.basis_bytes(n_samples, n_features)

    @abstractmethod
    def _by_chance(self, a: Basis, b: Basis) -> float:
        """Return about what unrelated representations of these ranks score."""


@dataclass
class MeanCCA(_Canonical):
    """Mean canonical correlation.

    ``Σ_i c_i / min(r, s)`` over all canonical correlations c of representations of ranks r and s; in [0, 1], and 1
    when one of the two is a linear image of the other.

    References
    ----------
    .. [1] Raghu et al., SVCCA: Singular Vector Canonical Correlation Analysis for Deep Learning Dynamics and
       Interpretability, NeurIPS 2017.
    .. [2] Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019.
    """

    name = "mean_cca"
    self_value = 1.0
    reference = "Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019"

    def compare(self, a: Basis, b: Basis) -> float:
        """Return the mean canonical correlation, in [0, 1]."""
        return or_exactly(1.0, float(canonical_correlations(a, b).mean()))

    def _by_chance(self, a: Basis, b: Basis) -> float:
        return chance.mean_correlation(a.rank, b.rank, len(a.left) - 1)


@dataclass
class SquaredCCA(_Canonical):
    """Mean squared canonical correlation, ``R²_CCA``.

    ``Σ_i c_i² / min(r, s) = ‖QᵀP‖F² / min(r, s)`` with Q, P orthonormal bases of the centred features, of ranks r and
    s; in [0, 1].

    References
    ----------
    .. [1] Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019.
    """

    name = "squared_cca"
    self_value = 1.0
    reference = "Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019"

    def compare(self, a: Basis, b: Basis) -> float:
        """Return the mean squared canonical correlation, in [0, 1]."""
        return or_exactly(1.0, float(canonical_correlations(a, b).square().mean()))

    def _by_chance(self, a: Basis, b: Basis) -> float:
        return min(1.0, max(a.rank, b.rank) / (len(a.left) - 1))


@dataclass
class YanaiGCD(_Canonical):
    """Yanai's generalised coefficient of determination.

    The cosine of the projections on the two spaces that the centred features span,
    ``tr(P_R P_S) / sqrt(tr(P_R) tr(P_S)) = Σ_i c_i² / sqrt(r s)``; in [0, 1], and 1 only when both span the same space.

    References
    ----------
    .. [1] Yanai, Unification of Various Techniques of Multivariate Analysis by Means of Generalized Coefficient of
       Determination, Japanese Journal of Behaviormetrics 1974.
    .. [2] Ramsay, ten Berge & Styan, Matrix correlation, Psychometrika 1984.
    """

    name = "yanai_gcd"
    self_value = 1.0
    reference = (
        "Yanai, Unification of Various Techniques of Multivariate Analysis by Means of Generalized Coefficient of "
        "Determination, Japanese Journal of Behaviormetrics 1974"
    )

    def compare(self, a: Basis, b: Basis) -> float:
        """Return the cosine of the two projections, in [0, 1]."""
        return or_exactly(1.0, float(canonical_correlations(a, b).square().sum()) / math.sqrt(a.rank * b.rank))

    def _by_chance(self, a: Basis, b: Basis) -> float:
        return math.sqrt(a.rank * b.rank) / (len(a.left) - 1)


@dataclass
class RegularizedCCA(_Canonical):
    """Mean canonical correlation with a ridge.

    The mean of the singular values of ``(Σ_R + λ_R I)^-½ Σ_RS (Σ_S + λ_S I)^-½`` over the smaller rank, where λ is
    ``regularization`` times the mean variance of a side's directions, ``tr(Σ) / r``. In [0, 1); less than 1 for a
    representation with itself, where directions of small variance count less. Directions of noise that plain canonical
    correlations make as much of as of any other hardly count.

    Parameters
    ----------
    regularization : float
        The ridge in units of the mean variance, at least 0; with 0 it is the mean canonical correlation.

    References
    ----------
    .. [1] Vinod, Canonical ridge and econometrics of joint production, Journal of Econometrics 1976.
    .. [2] Bilenko & Gallant, Pyrcca: Regularized Kernel Canonical Correlation Analysis in Python and Its Applications
       to Neuroimaging, Frontiers in Neuroinformatics 2016.
    """

    regularization: float = 0.1

    name = "regularized_cca"
    invariances = ORTHOGONAL
    reference = "Vinod, Canonical ridge and econometrics of joint production, Journal of Econometrics 1976"

    def __post_init__(self) -> None:
        if not 0 <= self.regularization < math.inf:
            raise ValueError(f"{self.name}: regularization {self.regularization} must be a number of at least 0")

    def compare(self, a: Basis, b: Basis) -> float:
        """Return the mean of the shrunk correlations, in [0, 1]."""
        overlap = self._shares(a).unsqueeze(1) * (a.left.T @ b.left) * self._shares(b)
        return float(torch.linalg.svdvals(overlap).clamp(max=1.0).mean())

    def _shares(self, basis: Basis) -> Tensor:
        """Return by what the ridge multiplies each direction of unit length."""
        variances = basis.values.square()
        return (variances / (variances + self.regularization * variances.mean())).sqrt()

    def _by_chance(self, a: Basis, b: Basis) -> float:
        # The root mean square of the correlations, which is hardly more than their mean.
        total = float(self._shares(a).square().sum() * self._shares(b).square().sum()) / (len(a.left) - 1)
        return min(1.0, math.sqrt(total / min(a.rank, b.rank)))


@dataclass
class TruncatedCCA(_Canonical):
    """Mean canonical correlation of leading principal components: SVCCA with another number of them.

    Parameters
    ----------
    share : float
        The fewest components are kept that hold this share of the variance, as 0.95 or 0.99.
    components : int
        How many are kept, instead, if above 0; all if there are not as many.

    References
    ----------
    .. [1] Raghu et al., SVCCA: Singular Vector Canonical Correlation Analysis for Deep Learning Dynamics and
       Interpretability, NeurIPS 2017.
    """

    share: float = 0.95
    components: int = 0

    name = "truncated_cca"
    invariances = ORTHOGONAL
    self_value = 1.0
    reference = (
        "Raghu et al., SVCCA: Singular Vector Canonical Correlation Analysis for Deep Learning Dynamics and "
        "Interpretability, NeurIPS 2017"
    )

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.components < 0:
            raise ValueError(
                f"{self.name}: share {self.share} must be in (0, 1], components {self.components} at least 0"
            )

    def prepare(self, x: Features) -> Basis:
        """Decompose the centred features and keep their leading components."""
        basis = x.shared(bases.centred_basis)
        count = min(self.components, basis.rank) or self._by_share(basis.values.square())
        return bases.Basis(basis.left[:, :count], basis.values[:count], basis.right[:, :count], basis.is_sure)

    def compare(self, a: Basis, b: Basis) -> float:
        """Return the mean canonical correlation of the components, in [0, 1]."""
        return or_exactly(1.0, float(canonical_correlations(a, b).mean()))

    def _by_share(self, variances: Tensor) -> int:
        cumulative = variances.cumsum(0) / variances.sum()
        # Shares that equal the one asked for are not to miss it by rounding.
        return min(int((cumulative < self.share - 1e-12).sum()) + 1, len(variances))

    def _by_chance(self, a: Basis, b: Basis) -> float:
        return chance.mean_correlation(a.rank, b.rank, len(a.left) - 1)


class CentredColumns(NamedTuple):
    """Centred features in at most n_samples columns; times ``scale`` they have the features' units."""

    matrix: Tensor
    scale: float


@dataclass
class PLSSimilarity(Measure):
    """Mean covariance of the pairs of directions that partial least squares finds.

    The mean singular value of the cross-covariance ``RcᵀSc / (N - 1)`` over the narrower side's number of features. It
    has the units of the features of both sides: ``normalized_bures_similarity`` is the same sum without them.

    References
    ----------
    .. [1] McIntosh et al., Spatial pattern analysis of functional brain images using partial least squares, NeuroImage
       1996.
    """

    name = "pls_similarity"
    family = "cca"
    larger_is_more_similar = True
    invariances = frozenset({"orthogonal", "permutation", "translation"})
    spatial = "align"
    copies = True
    cost = "O(N D² + D³)"
    reference = (
        "McIntosh et al., Spatial pattern analysis of functional brain images using partial least squares, "
        "NeuroImage 1996"
    )

    def prepare(self, x: Features) -> tuple[CentredColumns, int]:
        """Centre the features; return them and how many there are."""
        x.shared(intermediates.centred)
        return CentredColumns(x.shared(intermediates.centred_compact), x.shared(intermediates.scale)), x.shape[1]

    def permuted(self, state: tuple[CentredColumns, int], order: Tensor) -> tuple[CentredColumns, int]:
        """Return the state for the rows in another order."""
        (matrix, scale), width = state
        return CentredColumns(matrix[order], scale), width

    def compare(self, a: tuple[CentredColumns, int], b: tuple[CentredColumns, int]) -> float:
        """Return the mean covariance, in the product of the features' units."""
        (first, width_a), (second, width_b) = a, b
        total = float(torch.linalg.svdvals(first.matrix.T @ second.matrix).sum())
        return total * first.scale * second.scale / (len(first.matrix) - 1) / min(width_a, width_b)


MEASURES: tuple[type[Measure], ...] = (
    MeanCCA,
    PLSSimilarity,
    RegularizedCCA,
    SquaredCCA,
    TruncatedCCA,
    YanaiGCD,
)
