"""CKA with kernels that have a name of their own there."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.errors import DegenerateInputError
from resi.measures.shared import intermediates
from resi_more_measures.grams import NEGLIGIBLE, Kernel, check_choice, u_centred, unit
from resi_more_measures.kernels import ESTIMATORS, centred_gram
from resi_more_measures.matrices import CosineOfMatrices

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi import Measure
    from resi.measures.features import Features
else:
    from resi.lazy import torch


@dataclass
class CentredAlignment(CosineOfMatrices):
    """What the named variants of CKA share: a fixed kernel, and the choice of an estimator."""

    estimator: str = "biased"

    family = "kernel"
    larger_is_more_similar = True
    self_value = 1.0
    cost = "O(N²)"
    reference = "Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019"

    def __post_init__(self) -> None:
        check_choice(self.name, "estimator", self.estimator, ESTIMATORS)
        self.chosen.check(self.name)

    @property
    @abstractmethod
    def chosen(self) -> Kernel:
        """The kernel with its parameters."""

    def prepare(self, x: Features) -> Tensor:
        """Compute and centre the Gram matrix."""
        return x.shared(centred_gram, kernel=self.chosen, estimator=self.estimator)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, a copy of it, and Gram matrices while one is made and centred."""
        return 16 * n_samples * n_features + 40 * n_samples**2


@dataclass
class RBFCKA(CentredAlignment):
    """Centred kernel alignment with a Gaussian kernel.

    ``tr(K H L H) / √(tr(K H K H) tr(L H L H))`` with ``K_ij = exp(-|x_i - x_j|² / (2 s²))`` and ``H = I - 11ᵀ/N``; s is
    ``bandwidth`` times the median distance between two different samples. Small s compares neighbourhoods, large s
    tends to the linear CKA. In [0, 1] if biased, else in [-1, 1].

    Parameters
    ----------
    estimator : {"biased", "unbiased", "zero_diagonal"}
        HSIC by Gretton et al. 2005, by Song et al. 2012, or of the centred Gram matrices without their diagonals
        (Lange et al. 2023).
    bandwidth : float
        s as a share of the median distance; the cited paper reports 0.2, 0.4 and 0.8.
    sigma : float or None
        s in the units of the features, in place of ``bandwidth``; the value then depends on the scale.

    References
    ----------
    .. [1] Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019.
    """

    bandwidth: float = 0.4
    sigma: float | None = None

    name = "rbf_cka"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})

    @property
    def chosen(self) -> Kernel:
        """The Gaussian kernel."""
        return Kernel("rbf", self.bandwidth, self.sigma)


@dataclass
class LaplacianCKA(CentredAlignment):
    """Centred kernel alignment with a Laplacian kernel, ``K_ij = exp(-|x_i - x_j| / s)`` with Euclidean lengths.

    Parameters
    ----------
    estimator : {"biased", "unbiased", "zero_diagonal"}
        As for ``rbf_cka``.
    bandwidth : float
        s as a share of the median distance between two different samples.
    sigma : float or None
        s in the units of the features, in place of ``bandwidth``; the value then depends on the scale.

    References
    ----------
    .. [1] Lange et al., Deep Networks as Paths on the Manifold of Neural Representations, TAG-ML 2023.
    """

    bandwidth: float = 1.0
    sigma: float | None = None

    name = "laplacian_cka"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    reference = "Lange et al., Deep Networks as Paths on the Manifold of Neural Representations, TAG-ML 2023"

    @property
    def chosen(self) -> Kernel:
        """The Laplacian kernel."""
        return Kernel("laplacian", self.bandwidth, self.sigma)


@dataclass
class PolynomialCKA(CentredAlignment):
    """Centred kernel alignment with a polynomial kernel, ``K_ij = (<x_i, x_j> / D + offset)^degree``.

    It sees products of up to ``degree`` features. How much those count beside single features depends on the scale and
    the origin of the representation.

    Parameters
    ----------
    estimator : {"biased", "unbiased", "zero_diagonal"}
        As for ``rbf_cka``.
    degree : int
        1 gives the linear CKA.
    offset : float
        At least 0; larger ones give single features more weight.

    References
    ----------
    .. [1] Cortes, Mohri & Rostamizadeh, Algorithms for Learning Kernels Based on Centered Alignment, JMLR 2012.
    """

    degree: int = 3
    offset: float = 1.0

    name = "polynomial_cka"
    invariances = frozenset({"orthogonal", "permutation"})
    reference = "Cortes et al., Algorithms for Learning Kernels Based on Centered Alignment, JMLR 2012"

    @property
    def chosen(self) -> Kernel:
        """The polynomial kernel."""
        return Kernel("polynomial", degree=self.degree, offset=self.offset)


@dataclass
class CosineCKA(CentredAlignment):
    """Centred kernel alignment of the cosines between samples, ``K_ij = <x_i, x_j> / (|x_i| |x_j|)``.

    The length of a sample's row does not count.

    Parameters
    ----------
    estimator : {"biased", "unbiased", "zero_diagonal"}
        As for ``rbf_cka``.

    References
    ----------
    .. [1] Cortes, Mohri & Rostamizadeh, Algorithms for Learning Kernels Based on Centered Alignment, JMLR 2012.
    """

    name = "cosine_cka"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling"})
    reference = "Cortes et al., Algorithms for Learning Kernels Based on Centered Alignment, JMLR 2012"

    @property
    def chosen(self) -> Kernel:
        """The cosine kernel."""
        return Kernel("cosine")


def wreath_gram(x: Features) -> Tensor:
    """Return the largest product of two samples' values of one feature, centred without bias, with norm 1.

    Raises
    ------
    DegenerateInputError
        If all features are constant.
    """
    matrix = x.matrix - x.matrix.mean(0)
    lengths = matrix.norm(dim=0)
    varied = lengths > NEGLIGIBLE * x.matrix.norm(dim=0)
    if not bool(varied.any()):
        raise DegenerateInputError("the representation is constant: all rows are the same")
    # A constant feature stays: its products are 0, which may be the largest.
    matrix = torch.where(varied, matrix / torch.where(varied, lengths, 1.0), 0.0)
    result = matrix.new_empty((len(matrix), len(matrix)))
    step = max(1, intermediates.BLOCK_ENTRIES // matrix.numel())
    for start in range(0, len(matrix), step):
        products = matrix[start : start + step].unsqueeze(1) * matrix
        result[start : start + step] = products.amax(2)
    return unit(u_centred(result), float(result.norm()))


@dataclass
class WreathCKA(CosineOfMatrices):
    """Centred kernel alignment that lets every feature be scaled by itself, as networks with ReLU can.

    The kernel is ``K_ij = max_c x_ic x_jc`` of features c with mean 0 and length 1, which does not change when features
    are exchanged, or multiplied by positive numbers each of its own: what one layer's weights can undo of another's
    before a ReLU. HSIC is the unbiased estimate of Song et al. 2012. In [-1, 1].

    References
    ----------
    .. [1] Godfrey et al., On the Symmetries of Deep Learning Models and their Internal Representations, NeurIPS 2022.
    """

    name = "wreath_cka"
    family = "kernel"
    larger_is_more_similar = True
    invariances = frozenset({"permutation", "isotropic_scaling", "translation"})
    self_value = 1.0
    cost = "O(N²), after O(N² D) once for each representation"
    reference = (
        "Godfrey et al., On the Symmetries of Deep Learning Models and their Internal Representations, NeurIPS 2022"
    )

    def prepare(self, x: Features) -> Tensor:
        """Compute and centre the kernel."""
        return x.shared(wreath_gram)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, copies, a block of products, and the kernel while it is centred."""
        block = max(intermediates.BLOCK_ENTRIES, n_samples * n_features)
        return 24 * n_samples * n_features + 40 * n_samples**2 + 16 * block


MEASURES: tuple[type[Measure], ...] = (CosineCKA, LaplacianCKA, PolynomialCKA, RBFCKA, WreathCKA)
