"""The RV coefficient with its corrections, and the number of dimensions that two representations share.

The plain RV coefficient is the linear CKA, and the modified one, RV2, is ``zero_diagonal_cka``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi import Measure
from resi.errors import DegenerateInputError, ShapeError
from resi_more_measures.grams import NEGLIGIBLE, bounded
from resi_more_measures.kernels import features_less_means

if TYPE_CHECKING:
    from torch import Tensor

    from resi.measures.features import Features


class Scatter(NamedTuple):
    """Features with what they need beside each other's.

    Attributes
    ----------
    matrix : Tensor of shape (n_samples, n_features)
        Columns with mean zero.
    trace : float
        Sum of the squares of all entries, the trace of the Gram matrix.
    square : float
        Sum of the squares of the Gram matrix.
    """

    matrix: Tensor
    trace: float
    square: float


def scatter(x: Features) -> Scatter:
    """Return the centred features in units of their norm."""
    matrix = x.shared(features_less_means)
    matrix = matrix / matrix.norm()
    return Scatter(matrix, 1.0, _product(matrix, matrix))


def standardised(x: Features) -> Scatter:
    """Return the features with mean zero and length one, without those that are constant."""
    matrix = x.matrix - x.matrix.mean(0)
    lengths = matrix.norm(dim=0)
    varied = lengths > NEGLIGIBLE * x.matrix.norm(dim=0)
    if not bool(varied.any()):
        raise DegenerateInputError("all features are constant: they have no correlation")
    matrix = matrix[:, varied] / lengths[varied]
    return Scatter(matrix, float(matrix.shape[1]), _product(matrix, matrix))


def _product(a: Tensor, b: Tensor) -> float:
    """Return the sum of all products of the two Gram matrices' entries, ``‖AᵀB‖²``."""
    if a.shape[0] < min(a.shape[1], b.shape[1]):
        return float(((a @ a.T) * (b @ b.T)).sum())
    return float((a.T @ b).square().sum())


@dataclass
class _RV(Measure):
    """What measures on centred features share."""

    family = "kernel"
    larger_is_more_similar = True
    cost = "O(N D²), or O(N² D) when N < D"
    copies = True

    def prepare(self, x: Features) -> Scatter:
        """Centre the features."""
        return x.shared(scatter)

    def permuted(self, state: Scatter, order: Tensor) -> Scatter:
        """Return the state of the samples in another order."""
        return state._replace(matrix=state.matrix[order])

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, two copies, and the products of features or of samples."""
        return 24 * n_samples * n_features + 16 * min(n_samples, n_features) ** 2


@dataclass
class AdjustedRV(_RV):
    """Adjusted RV coefficient: the RV coefficient of standardised features with adjusted squared correlations.

    ``Σ_ij adj(r²(x_i, y_j)) / √(Σ_ij adj(r²(x_i, x_j)) Σ_ij adj(r²(y_i, y_j)))`` over all pairs of features, with
    ``adj(r²) = 1 - (N - 1) / (N - 2) (1 - r²)``, whose mean is 0 for independent features. At most 1, and below 0 where
    correlations are weaker than those of chance. Constant features are left out.

    References
    ----------
    .. [1] Mayer, Lorent & Horgan, Exploratory analysis of multiple omics datasets using the adjusted RV coefficient,
       Statistical Applications in Genetics and Molecular Biology 2011.
    """

    name = "adjusted_rv"
    invariances = frozenset({"permutation", "isotropic_scaling", "translation"})
    self_value = 1.0
    reference = "Mayer et al., Exploratory analysis of multiple omics datasets using the adjusted RV coefficient, 2011"

    def prepare(self, x: Features) -> Scatter:
        """Standardise the features.

        Raises
        ------
        ShapeError
            With fewer than three samples.
        DegenerateInputError
            If the features correlate no more than chance would have it.
        """
        if x.shape[0] < 3:
            raise ShapeError(f"{self.name}: at least three samples are needed, but there are {x.shape[0]}")
        state = x.shared(standardised)
        if _adjusted(state, state) <= 0:
            raise DegenerateInputError(
                "the adjusted squared correlations of the features with themselves do not add up to more than 0: there "
                f"are too few samples ({x.shape[0]})"
            )
        return state

    def compare(self, a: Scatter, b: Scatter) -> float:
        """Return the adjusted RV coefficient, at most 1 up to the error of estimates from few samples."""
        value = _adjusted(a, b) / math.sqrt(_adjusted(a, a) * _adjusted(b, b))
        return 1.0 if abs(value - 1) < 1e-12 else value


def _adjusted(a: Scatter, b: Scatter) -> float:
    n_samples, pairs = len(a.matrix), a.trace * b.trace
    square = a.square if a is b else _product(a.matrix, b.matrix)
    return pairs - (n_samples - 1) / (n_samples - 2) * (pairs - square)


@dataclass
class ChanceAdjustedRV(_RV):
    """RV coefficient adjusted for chance.

    ``(RV - E) / (1 - E)`` with RV the linear CKA and ``E = √(β_X β_Y) / (N - 1)``, ``β = tr(S)² / tr(S²)`` of the
    covariance S, which is exactly its mean over all orders of the samples of one side. Zero on average for samples that
    do not belong together, 1 for a rotated, scaled and shifted copy.

    References
    ----------
    .. [1] El Ghaziri & Qannari, Measures of association between two datasets; Application to sensory data, Food
       Quality and Preference 2015.
    .. [2] Kazi-Aoual et al., Refined approximations to permutation tests for multivariate inference, Computational
       Statistics & Data Analysis 1995.
    """

    name = "chance_adjusted_rv"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 1.0
    reference = "El Ghaziri & Qannari, Measures of association between two datasets, Food Quality and Preference 2015"

    def compare(self, a: Scatter, b: Scatter) -> float:
        """Return the adjusted coefficient, at most 1.

        Raises
        ------
        DegenerateInputError
            If chance alone gives 1: all orders of the samples are equally similar.
        """
        sizes = math.sqrt(a.square * b.square)
        expected = a.trace * b.trace / sizes / (len(a.matrix) - 1)
        if expected > 1 - 1e-9:
            raise DegenerateInputError(
                "any order of the samples has an RV coefficient of 1: there is nothing to compare"
            )
        return bounded((_product(a.matrix, b.matrix) / sizes - expected) / (1 - expected))


@dataclass
class ENSD(_RV):
    """Effective number of shared dimensions.

    ``tr(K) tr(L) tr(K L) / (tr(K²) tr(L²))`` of the centred linear Gram matrices: the linear CKA times the geometric
    mean of the two participation ratios ``tr(K)² / tr(K²)``. Of a representation with itself it is its participation
    ratio. In dimensions.

    References
    ----------
    .. [1] Giaffar, Rullán Buxó & Aoi, The effective number of shared dimensions between paired datasets, AISTATS 2024.
    """

    name = "ensd"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    reference = "Giaffar et al., The effective number of shared dimensions between paired datasets, AISTATS 2024"

    def compare(self, a: Scatter, b: Scatter) -> float:
        """Return the number of shared dimensions."""
        return a.trace * b.trace * _product(a.matrix, b.matrix) / (a.square * b.square)


MEASURES: tuple[type[Measure], ...] = (AdjustedRV, ChanceAdjustedRV, ENSD)
