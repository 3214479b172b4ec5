"""Measures of dependence on Gram matrices that are not cosines: the Hilbert-Schmidt independence criterion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi_more_measures.grams import Kernel, centred, check_choice, gram, u_centred
from resi_more_measures.kernels import AnyKernel
from resi_more_measures.matrices import OnMatrices

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi import Measure
    from resi.measures.features import Features
else:
    from resi.lazy import torch


def hsic_gram(x: Features, kernel: Kernel, estimator: str) -> Tensor:
    """Return a centred Gram matrix in the kernel's own units."""
    values = gram(x, kernel, about_mean=True)
    return u_centred(values) if estimator == "unbiased" else centred(values)


@dataclass
class HSIC(AnyKernel, OnMatrices):
    """Hilbert-Schmidt independence criterion.

    Biased ``tr(K H L H) / (N - 1)²`` with ``H = I - 11ᵀ/N``, or the unbiased estimate of Song et al., which may be
    negative. It is 0 in the limit of many samples for independent representations, and for kernels such as ``rbf`` and
    ``laplacian`` only then. Not normalised: values of other representations are not on the same scale; CKA is the
    normalised one. The invariances stated are those of ``rbf`` and ``laplacian`` with ``bandwidth``.

    Parameters
    ----------
    kernel : {"rbf", "linear", "laplacian", "polynomial", "cosine"}
        See :class:`resi_more_measures.grams.Kernel`, also for the other parameters.
    bandwidth, sigma : float, float or None
        Of ``rbf`` and ``laplacian``: s in units of the median distance, or in those of the features.
    degree, offset : int, float
        Of ``polynomial``.
    estimator : {"biased", "unbiased"}
        Gretton et al. 2005, or Song et al. 2012.

    References
    ----------
    .. [1] Gretton et al., Measuring Statistical Dependence with Hilbert-Schmidt Norms, ALT 2005.
    .. [2] Song et al., Feature Selection via Dependence Maximization, JMLR 2012, eq. 5.
    """

    kernel: str = "rbf"
    estimator: str = "biased"

    name = "hsic"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    reference = "Gretton et al., Measuring Statistical Dependence with Hilbert-Schmidt Norms, ALT 2005"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.name, "estimator", self.estimator, ("biased", "unbiased"))

    def prepare(self, x: Features) -> Tensor:
        """Compute and centre the Gram matrix."""
        return x.shared(hsic_gram, kernel=self.chosen, estimator=self.estimator)

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the HSIC, in the product of the two kernels' units."""
        n_samples = len(a)
        pairs = n_samples * (n_samples - 3) if self.estimator == "unbiased" else (n_samples - 1) ** 2
        return float((a * b).sum()) / pairs


def regression_operator(x: Features, kernel: Kernel, epsilon: float) -> Tensor:
    """Return ``K (K + N ε I)⁻¹`` of the centred Gram matrix K."""
    values = centred(gram(x, kernel, about_mean=True))
    shrunk = values + len(values) * epsilon * torch.eye(len(values), dtype=values.dtype, device=values.device)
    result = torch.linalg.solve(shrunk, values)
    return (result + result.T) / 2


@dataclass
class NOCCO(AnyKernel, OnMatrices):
    """Normalised cross-covariance operator: HSIC of which the covariance of each side is divided out.

    ``tr(R_K R_L)`` with ``R_K = K (K + N ε I)⁻¹`` of the centred Gram matrix; about the number of directions that the
    two have in common, those of small variance counting as much as those of large. In the limit of many samples and
    small ε it does not depend on the kernel. In [0, N - 1].

    Parameters
    ----------
    kernel, bandwidth, sigma, degree, offset
        As for ``hsic``.
    epsilon : float
        Regularisation, in the kernel's units. With ε far below the eigenvalues of K / N all representations of few
        samples are alike.

    References
    ----------
    .. [1] Fukumizu et al., Kernel Measures of Conditional Dependence, NeurIPS 2007.
    """

    kernel: str = "rbf"
    epsilon: float = 1e-3

    name = "nocco"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    cost = "O(N²), after O(N³) once for each representation"
    reference = "Fukumizu et al., Kernel Measures of Conditional Dependence, NeurIPS 2007"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.epsilon > 0:
            raise ValueError(f"{self.name}: epsilon = {self.epsilon}; it has to be positive")

    def prepare(self, x: Features) -> Tensor:
        """Regularise and invert the Gram matrix."""
        return x.shared(regression_operator, kernel=self.chosen, epsilon=self.epsilon)

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the trace of the product."""
        return float((a * b).sum())


MEASURES: tuple[type[Measure], ...] = (HSIC, NOCCO)
