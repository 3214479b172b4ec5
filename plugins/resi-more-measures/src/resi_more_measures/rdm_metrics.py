"""Distances, and the Bures similarity, between the geometries of two representations: matrices over all samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.errors import DegenerateInputError
from resi_more_measures.grams import NEGLIGIBLE, bounded, centred, gram
from resi_more_measures.kernels import AnyKernel
from resi_more_measures.rdms import rdm
from resi_more_measures.rsa import ALL_SAME, OnDistances, distances

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi import Measure
    from resi.measures.features import Features
    from resi_more_measures.grams import Kernel
    from resi_more_measures.rdms import Dissimilarity
else:
    from resi.lazy import torch


@dataclass
class RSADistance(OnDistances):
    """Euclidean distance between two vectors of distances, ``|d - e|`` over all pairs of samples.

    A metric on representations whose scale means something, or whose distances have none, as for
    ``distance=correlation``, of which the invariances stated are. It grows with the number of samples.

    Parameters
    ----------
    distance, repeats
        As for ``rsa_pearson``.

    References
    ----------
    .. [1] Kriegeskorte et al., Representational similarity analysis, Frontiers in Systems Neuroscience 2008.
    """

    name = "rsa_distance"
    larger_is_more_similar = False
    metric = True
    self_value = 0.0
    reference = "Kriegeskorte et al., Representational similarity analysis, Frontiers in Systems Neuroscience 2008"

    def prepare(self, x: Features) -> Tensor:
        """Compute all distances."""
        return x.shared(distances, dissimilarity=self.dissimilarity)

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the distance, in the units of the distances between samples."""
        return float((a - b).norm())


def factor(x: Features, dissimilarity: Dissimilarity) -> Tensor:
    """Return F of norm 1 with ``F Fᵀ = -H D H / 2`` up to scale, its negative eigenvalues taken for 0.

    Raises
    ------
    DegenerateInputError
        If there is no positive one.
    """
    matrix = rdm(x, dissimilarity)
    values, vectors = torch.linalg.eigh(centred(matrix).div_(-2))
    kept = values > NEGLIGIBLE * matrix.abs().max() * len(matrix)
    if not bool(kept.any()):
        raise DegenerateInputError(ALL_SAME)
    result = vectors[:, kept] * values[kept].sqrt()
    return result / result.norm()


@dataclass
class RSABures(OnDistances):
    """Bures similarity of the geometries that distances describe.

    ``tr (A^½ B A^½)^½ / √(tr A tr B)`` with ``A = -H D H / 2`` of the distances D, and B of those of the other
    representation; negative eigenvalues, which distances that are not squared Euclidean ones have, count as 0. In
    [0, 1]. The invariances stated are those of ``distance=correlation``.

    Parameters
    ----------
    distance, repeats
        As for ``rsa_pearson``.

    References
    ----------
    .. [1] Harvey et al., Duality of Bures and Shape Distances with Implications for Comparing Neural Representations,
       UniReps 2023.
    """

    name = "rsa_bures"
    cost = "O(N³)"
    reference = "Harvey et al., Duality of Bures and Shape Distances, UniReps 2023"

    def prepare(self, x: Features) -> Tensor:
        """Decompose the centred distances."""
        return x.shared(factor, dissimilarity=self.dissimilarity)

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the similarity, in [0, 1]."""
        return bounded(float(torch.linalg.svdvals(a.T @ b).sum()))


def regularised_gram(x: Features, kernel: Kernel, shrinkage: float) -> Tensor:
    """Return a centred Gram matrix of mean diagonal 1, shrunk towards the identity.

    Raises
    ------
    DegenerateInputError
        If nothing varies.
    """
    values = gram(x, kernel, about_mean=True)
    result = centred(values)
    mean = float(result.diagonal().mean())
    if mean <= NEGLIGIBLE * float(values.diagonal().abs().mean()) or mean == 0:
        raise DegenerateInputError("the kernel has the same value for all pairs of samples: nothing varies")
    identity = torch.eye(len(values), dtype=values.dtype, device=values.device)
    return (1 - shrinkage) / mean * result + shrinkage * identity


@dataclass
class RiemannianDistance(AnyKernel):
    """Affine-invariant Riemannian distance between Gram matrices.

    ``√(Σ log² λ_i)`` of the eigenvalues λ of ``A⁻¹B``, with A and B the centred Gram matrices scaled to a mean diagonal
    of 1 and shrunk towards the identity, since those of fewer features than samples have no inverse: the length of the
    shortest path between them on the manifold of positive definite matrices. Invariances depend on the kernel as for
    ``debiased_cka``.

    Parameters
    ----------
    kernel, bandwidth, sigma, degree, offset
        As for ``debiased_cka``.
    shrinkage : float
        Share of the identity, above 0 and at most 1.

    References
    ----------
    .. [1] Shahbazi et al., Using distance on the Riemannian manifold to compare representations in brain and in models,
       NeuroImage 2021.
    """

    shrinkage: float = 0.1

    name = "riemannian_distance"
    larger_is_more_similar = False
    metric = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 0.0
    cost = "O(N³)"
    reference = "Shahbazi et al., Using distance on the Riemannian manifold to compare representations, NeuroImage 2021"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.shrinkage <= 1:
            raise ValueError(f"{self.name}: shrinkage = {self.shrinkage}; it has to be above 0 and at most 1")

    def prepare(self, x: Features) -> Tensor:
        """Factor the regularised Gram matrix: its Cholesky factor."""
        return torch.linalg.cholesky(x.shared(regularised_gram, kernel=self.chosen, shrinkage=self.shrinkage))

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the distance, without unit."""
        # The squares of the singular values of A^-½ B^½ are the eigenvalues of A⁻¹B.
        values = torch.linalg.svdvals(torch.linalg.solve_triangular(a, b, upper=False))
        return 2 * math.sqrt(float(values.log().square().sum()))


MEASURES: tuple[type[Measure], ...] = (RiemannianDistance, RSABures, RSADistance)
