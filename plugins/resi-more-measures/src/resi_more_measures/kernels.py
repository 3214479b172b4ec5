"""Kernel alignment of any kernel: CKA with other estimators, its angle, and kernels that are not centred."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi import Measure
from resi.errors import DegenerateInputError
from resi_more_measures.grams import (
    LEAST_SAMPLES,
    NEGLIGIBLE,
    Kernel,
    bounded,
    centred,
    check_choice,
    gram,
    moderate,
    reordered,
    u_centred,
    unit,
)
from resi_more_measures.matrices import CosineOfMatrices, OnMatrices

if TYPE_CHECKING:
    from torch import Tensor

    from resi.measures.features import Features

ESTIMATORS = ("biased", "unbiased", "zero_diagonal")
"""How a Gram matrix is centred: Gretton et al. 2005, Song et al. 2012, Lange et al. 2023."""


@dataclass
class AnyKernel(Measure):
    """What measures share that take any kernel: its name and its parameters."""

    kernel: str = "linear"
    bandwidth: float = 1.0
    sigma: float | None = None
    degree: int = 3
    offset: float = 1.0

    family = "kernel"
    larger_is_more_similar = True
    cost = "O(N²)"

    def __post_init__(self) -> None:
        self.chosen.check(self.name)

    @property
    def chosen(self) -> Kernel:
        """The kernel with its parameters."""
        return Kernel(self.kernel, self.bandwidth, self.sigma, self.degree, self.offset)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, two copies of it, and Gram matrices while one is made and centred."""
        return 24 * n_samples * n_features + 40 * n_samples**2


def centred_gram(x: Features, kernel: Kernel, estimator: str) -> Tensor:
    """Return a Gram matrix centred as the estimator asks, with Frobenius norm 1.

    Raises
    ------
    DegenerateInputError
        If nothing is left of it: the kernel does not tell samples apart.
    """
    values = moderate(gram(x, kernel, about_mean=True))
    size = float(values.norm())
    if estimator == "unbiased":
        return unit(u_centred(values), size)
    values = centred(values)
    if estimator == "zero_diagonal":
        values.fill_diagonal_(0.0)
    return unit(values, size)


def features_less_means(x: Features) -> Tensor:
    """Return the matrix with the means of its columns taken off.

    Raises
    ------
    DegenerateInputError
        If nothing is left.
    """
    result = x.matrix - x.matrix.mean(0)
    if float(result.norm()) <= NEGLIGIBLE * float(x.matrix.norm()):
        raise DegenerateInputError("the representation is constant: all rows are the same")
    return result


@dataclass
class DebiasedCKA(AnyKernel):
    """Centred kernel alignment without the bias of few samples.

    ``HSIC(K, L) / √(HSIC(K, K) HSIC(L, L))`` with the unbiased estimate of HSIC by Song et al.,
    ``[tr(K L) + 1ᵀK1 1ᵀL1 / ((N - 1)(N - 2)) - 2 / (N - 2) 1ᵀKL1] / (N (N - 3))`` of Gram matrices K and L whose
    diagonals are set to zero. Near 0 for unrelated representations however many features they have, where CKA tends
    to 1; in [-1, 1].

    With the linear kernel and more samples than features no matrix of N x N is made: of centred features it is
    ``‖XᵀY‖² - N / (N - 2) Σ |x_i|² |y_i|² + Σ |x_i|² Σ |y_i|² / ((N - 1)(N - 2))``.

    The invariances stated are those of the linear kernel. ``rbf`` and ``laplacian`` with ``bandwidth`` have them, too;
    with ``sigma`` they depend on the scale, ``polynomial`` on scale and origin, ``cosine`` on the origin.

    Parameters
    ----------
    kernel : {"linear", "rbf", "laplacian", "polynomial", "cosine"}
        See :class:`resi_more_measures.grams.Kernel`, also for the other parameters.
    bandwidth, sigma : float, float or None
        Of ``rbf`` and ``laplacian``: s in units of the median distance, or in those of the features.
    degree, offset : int, float
        Of ``polynomial``.

    References
    ----------
    .. [1] Song et al., Feature Selection via Dependence Maximization, JMLR 2012, eq. 5.
    .. [2] Nguyen, Raghu & Kornblith, Do Wide and Deep Networks Learn the Same Things? ICLR 2021.
    """

    name = "debiased_cka"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 1.0
    cost = "O(N D²), or O(N²) when N < D or for other kernels"
    reference = "Nguyen, Raghu & Kornblith, Do Wide and Deep Networks Learn the Same Things? ICLR 2021"

    def prepare(self, x: Features) -> Debiased:
        """Centre the features, or a Gram matrix."""
        if self.kernel == "linear":
            return x.shared(debiased_linear)
        return Debiased(None, 1.0, x.shared(centred_gram, kernel=self.chosen, estimator="unbiased"))

    def permuted(self, state: Debiased, order: Tensor) -> Debiased:
        """Return the state of the samples in another order."""
        gram_matrix = None if state.gram is None else reordered(state.gram, order)
        features = None if state.features is None else (state.features[0][order], state.features[1][order])
        return Debiased(features, state.itself, gram_matrix)

    def compare(self, a: Debiased, b: Debiased) -> float:
        """Return the debiased CKA, in [-1, 1]."""
        if a.gram is not None and b.gram is not None:
            return bounded(float((a.gram * b.gram).sum()))
        return bounded(_unbiased_product(a.features, b.features) / math.sqrt(a.itself * b.itself))


class Debiased(NamedTuple):
    """What the debiased CKA needs of one representation.

    Attributes
    ----------
    features : tuple of Tensor or None
        With the linear kernel, the centred features of norm 1 and the squared lengths of their rows.
    itself : float
        ``N (N - 3)`` times the unbiased HSIC of these features with themselves.
    gram : Tensor of shape (n_samples, n_samples) or None
        The centred Gram matrix of norm 1; with the linear kernel only where there are fewer samples than features.
    """

    features: tuple[Tensor, Tensor] | None
    itself: float
    gram: Tensor | None


def debiased_linear(x: Features) -> Debiased:
    """Return the state for the linear kernel.

    Raises
    ------
    ShapeError
        With fewer than four samples.
    DegenerateInputError
        If the unbiased estimate of the representation with itself is 0.
    """
    matrix = x.shared(features_less_means)
    matrix = matrix / matrix.norm()
    features = matrix, matrix.square().sum(1)
    n_samples, n_features = matrix.shape
    if n_samples < max(n_features, LEAST_SAMPLES):
        values = matrix @ matrix.T
        result = u_centred(values)
        return Debiased(features, float(result.square().sum()), unit(result, float(values.norm())))
    itself = _unbiased_product(features, features)
    if itself <= NEGLIGIBLE * float((matrix.T @ matrix).square().sum()):
        raise DegenerateInputError("the unbiased HSIC of the representation with itself is 0")
    return Debiased(features, itself, None)


def _unbiased_product(a: tuple[Tensor, Tensor] | None, b: tuple[Tensor, Tensor] | None) -> float:
    if a is None or b is None:
        raise TypeError("only representations prepared with the linear kernel have features")
    n_samples = len(a[1])
    cross = float((a[0].T @ b[0]).square().sum())
    diagonal = float(a[1] @ b[1]) * n_samples / (n_samples - 2)
    return cross - diagonal + float(a[1].sum()) * float(b[1].sum()) / ((n_samples - 1) * (n_samples - 2))


@dataclass
class ZeroDiagonalCKA(AnyKernel, CosineOfMatrices):
    """Centred kernel alignment without what samples have with themselves.

    The cosine of ``H K H`` and ``H L H`` with their diagonals set to zero. The diagonals are what makes CKA of few
    samples with many features large for all pairs. With the linear kernel it is the modified RV coefficient, RV2. In
    [-1, 1]. Invariances depend on the kernel as for ``debiased_cka``.

    Parameters
    ----------
    kernel, bandwidth, sigma, degree, offset
        As for ``debiased_cka``.

    References
    ----------
    .. [1] Lange et al., Deep Networks as Paths on the Manifold of Neural Representations, TAG-ML 2023.
    .. [2] Smilde et al., Matrix correlations for high-dimensional data: the modified RV-coefficient, Bioinformatics
       2009.
    """

    name = "zero_diagonal_cka"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 1.0
    reference = "Lange et al., Deep Networks as Paths on the Manifold of Neural Representations, TAG-ML 2023"

    def prepare(self, x: Features) -> Tensor:
        """Centre the Gram matrix and set its diagonal to zero."""
        return x.shared(centred_gram, kernel=self.chosen, estimator="zero_diagonal")


@dataclass
class AngularCKA(AnyKernel, OnMatrices):
    """Angle between centred Gram matrices, ``arccos CKA``: a metric.

    In radians, from 0 to π/2 if biased, to π otherwise. It is computed from the distance of the two matrices of norm 1,
    as ``2 arcsin(|K - L| / 2)``, which keeps the digits of small angles. Invariances depend on the kernel as for
    ``debiased_cka``.

    Parameters
    ----------
    kernel, bandwidth, sigma, degree, offset
        As for ``debiased_cka``.
    estimator : {"biased", "unbiased", "zero_diagonal"}
        As for ``rbf_cka``.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    estimator: str = "biased"

    name = "angular_cka"
    larger_is_more_similar = False
    metric = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 0.0
    reference = "Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.name, "estimator", self.estimator, ESTIMATORS)

    def prepare(self, x: Features) -> Tensor:
        """Compute and centre the Gram matrix."""
        return x.shared(centred_gram, kernel=self.chosen, estimator=self.estimator)

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the angle, in radians."""
        return 2 * math.asin(min(float((a - b).norm()) / 2, 1.0))


@dataclass
class KernelAlignment(AnyKernel, CosineOfMatrices):
    """Alignment of kernels that are not centred, ``<K, L> / (|K| |L|)``.

    In [0, 1] for kernels without negative values. A common offset of the features makes all representations alike; CKA
    takes it off first. The invariances stated are those of the linear kernel; ``rbf`` and ``laplacian`` with
    ``bandwidth`` are invariant to translation, too.

    Parameters
    ----------
    kernel, bandwidth, sigma, degree, offset
        As for ``debiased_cka``.

    References
    ----------
    .. [1] Cristianini et al., On Kernel-Target Alignment, NeurIPS 2001.
    """

    name = "kernel_alignment"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling"})
    self_value = 1.0
    reference = "Cristianini et al., On Kernel-Target Alignment, NeurIPS 2001"

    def prepare(self, x: Features) -> Tensor:
        """Compute the Gram matrix."""
        return x.shared(plain_gram, kernel=self.chosen)


def plain_gram(x: Features, kernel: Kernel) -> Tensor:
    """Return a Gram matrix with Frobenius norm 1.

    Raises
    ------
    DegenerateInputError
        If it is zero.
    """
    values = moderate(gram(x, kernel))
    norm = float(values.norm())
    if norm == 0:
        raise DegenerateInputError("the representation is zero everywhere")
    return values / norm


MEASURES: tuple[type[Measure], ...] = (AngularCKA, DebiasedCKA, KernelAlignment, ZeroDiagonalCKA)
