"""Distances of positive definite matrices: of the Gram matrices of two representations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.measures.shared import bases, intermediates
from resi.measures.shared.precision import DOUBLE_EPSILON, or_exactly
from resi_more_measures.alignments import Shape, ShapeMeasure, centred_shape, rotated_distance
from resi_more_measures.cca import ORTHOGONAL
from resi_more_measures.kernels import AnyKernel, centred_gram

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi import Measure
    from resi.measures.features import Features
    from resi_more_measures.grams import Kernel
else:
    from resi.lazy import torch

DUALITY = (
    "Harvey, Larsen & Williams, Duality of Bures and Shape Distances with Implications for Comparing Neural "
    "Representations, UniReps 2023"
)


@dataclass
class BuresDistance(ShapeMeasure):
    """Bures distance of the Gram matrices.

    ``sqrt(tr K + tr L - 2 tr((K^½ L K^½)^½))`` of the centred linear Gram matrices K and L, which is the Procrustes
    distance of the centred representations.

    References
    ----------
    .. [1] Bhatia, Jain & Lim, On the Bures-Wasserstein distance between positive definite matrices, Expositiones
       Mathematicae 2019.
    .. [2] Harvey, Larsen & Williams, Duality of Bures and Shape Distances with Implications for Comparing Neural
       Representations, UniReps 2023.
    """

    name = "bures_distance"
    invariances = frozenset({"orthogonal", "permutation", "translation"})
    reference = DUALITY

    def prepare(self, x: Features) -> Shape:
        """Centre the features."""
        return x.shared(centred_shape)

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the distance, in the units of the features."""
        return rotated_distance(a, b)


@dataclass
class NormalizedBuresSimilarity(ShapeMeasure):
    """Normalised Bures similarity.

    The fidelity of the centred linear Gram matrices K and L, ``tr((K^½ L K^½)^½) / sqrt(tr K tr L)``, which is
    ``‖RcᵀSc‖* / (‖Rc‖F ‖Sc‖F)``: the cosine of ``angular_shape``; in [0, 1].

    Parameters
    ----------
    squared : bool
        Whether the value is squared.

    References
    ----------
    .. [1] Tang et al., Similarity of Neural Networks with Gradients, 2020.
    .. [2] Harvey, Larsen & Williams, Duality of Bures and Shape Distances with Implications for Comparing Neural
       Representations, UniReps 2023.
    """

    squared: bool = False

    name = "normalized_bures_similarity"
    family = "kernel"
    larger_is_more_similar = True
    metric = False
    self_value = 1.0
    invariances = ORTHOGONAL
    reference = "Tang et al., Similarity of Neural Networks with Gradients, 2020"

    def prepare(self, x: Features) -> Shape:
        """Centre the features and bring them to Frobenius norm 1."""
        x.shared(intermediates.centred)
        return x.shared(centred_shape).unit

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the similarity, in [0, 1]."""
        value = or_exactly(1.0, min(float(torch.linalg.svdvals(a.matrix.T @ b.matrix).sum()), 1.0))
        return value**2 if self.squared else value


class Directions(NamedTuple):
    """A centred Gram matrix of trace N: ``vectors @ diag(values) @ vectors.T``, with orthonormal columns."""

    vectors: Tensor
    values: Tensor


def gram_directions(x: Features, kernel: Kernel) -> Directions:
    """Return the directions of a centred Gram matrix; of the linear kernel without making the matrix.

    Raises
    ------
    DegenerateInputError
        If the kernel does not tell samples apart.
    """
    if kernel.name == "linear":
        basis = x.shared(bases.centred_basis)
        vectors, values = basis.left, basis.values.square()
    else:
        values, vectors = torch.linalg.eigh(centred_gram(x, kernel, "biased"))
        kept = values > len(values) * DOUBLE_EPSILON * values[-1]
        vectors, values = vectors[:, kept], values[kept]
    return Directions(vectors, len(vectors) * values / values.sum())


@dataclass
class RiemannianDistance(AnyKernel):
    """Affine-invariant Riemannian distance of the Gram matrices.

    ``sqrt(Σ_i log² λ_i)`` with λ the eigenvalues of ``A⁻¹B``, where A and B are the centred Gram matrices, scaled to a
    mean diagonal of 1 and shrunk to the identity, since those of fewer directions than samples have no inverse: the
    length of the shortest path between the two on the manifold of positive definite matrices. Invariances depend on
    the kernel as for ``debiased_cka``.

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
    resolution = bases.RESOLUTION
    larger_is_more_similar = False
    metric = True
    self_value = 0.0
    invariances = ORTHOGONAL
    spatial = "align"
    cost = "O(N D² + D³), O(N³) with other kernels than the linear one"
    reference = (
        "Shahbazi et al., Using distance on the Riemannian manifold to compare representations in brain and in models, "
        "NeuroImage 2021"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.shrinkage <= 1:
            raise ValueError(f"{self.name}: shrinkage = {self.shrinkage}; it has to be above 0 and at most 1")

    def prepare(self, x: Features) -> Directions:
        """Decompose the centred Gram matrix."""
        return gram_directions(x, self.chosen)

    def permuted(self, state: Directions, order: Tensor) -> Directions:
        """Return the state for the rows in another order."""
        return Directions(state.vectors[order], state.values)

    def compare(self, a: Directions, b: Directions) -> float:
        """Return the distance, at least 0, unitless."""
        both = torch.cat((a.vectors, b.vectors), 1)
        if both.shape[1] < len(both):
            # Beyond what both have directions in, the two matrices are the same.
            span = torch.linalg.qr(both).Q
            a, b = (Directions(span.T @ side.vectors, side.values) for side in (a, b))
        first, second = (torch.linalg.cholesky(self._regularised(side)) for side in (a, b))
        # The squares of the singular values of A^-½ B^½ are the eigenvalues of A⁻¹B.
        values = torch.linalg.svdvals(torch.linalg.solve_triangular(first, second, upper=False))
        return or_exactly(0.0, 2 * float(values.log().norm()), len(values) / self.shrinkage)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the decomposition, with other kernels than the linear one that of the Gram matrix."""
        if self.kernel == "linear":
            return bases.basis_bytes(n_samples, n_features)
        return super().prepared_bytes(n_samples, n_features)

    def _regularised(self, side: Directions) -> Tensor:
        product = side.vectors * ((1 - self.shrinkage) * side.values) @ side.vectors.T
        return product + self.shrinkage * torch.eye(len(product), dtype=product.dtype, device=product.device)


MEASURES: tuple[type[Measure], ...] = (BuresDistance, NormalizedBuresSimilarity, RiemannianDistance)
