"""Distances of positive definite matrices: of the Gram matrices of two representations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.measures.shared import bases, intermediates
from resi.measures.shared.precision import or_exactly
from resi_more_measures.alignments import Shape, ShapeMeasure, centred_shape, rotated_distance
from resi_more_measures.cca import ORTHOGONAL

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi import Measure
    from resi.measures.features import Features
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


class Kernel(NamedTuple):
    """A positive definite matrix over samples: ``shrinkage * I + directions @ diag(weights) @ directions.T``."""

    directions: Tensor
    weights: Tensor


@dataclass
class RiemannianDistance(ShapeMeasure):
    """Affine-invariant Riemannian distance of the Gram matrices.

    ``sqrt(Σ_i log² λ_i)`` with λ the eigenvalues of ``K⁻¹L``, where K and L are the centred linear Gram matrices,
    scaled to trace N and shrunk to the identity: ``(1 - s) N Rc Rcᵀ / ‖Rc‖F² + s I``. The length of the shortest path
    between the two on the manifold of positive definite matrices.

    Parameters
    ----------
    shrinkage : float
        The share s of the identity, in (0, 1]. Without it, Gram matrices of fewer directions than samples are
        infinitely far apart.

    References
    ----------
    .. [1] Shahbazi et al., Using distance on the Riemannian manifold to compare representations in brain and in models,
       NeuroImage 2021.
    """

    shrinkage: float = 0.1

    name = "riemannian_distance"
    family = "kernel"
    resolution = bases.RESOLUTION
    invariances = ORTHOGONAL
    cost = "O(N D² + D³)"
    reference = (
        "Shahbazi et al., Using distance on the Riemannian manifold to compare representations in brain and in models, "
        "NeuroImage 2021"
    )

    def __post_init__(self) -> None:
        if not 0 < self.shrinkage <= 1:
            raise ValueError(f"{self.name}: shrinkage {self.shrinkage} must be in (0, 1]")

    def prepare(self, x: Features) -> Kernel:
        """Decompose the centred Gram matrix."""
        basis = x.shared(bases.centred_basis)
        variances = basis.values.square()
        return Kernel(basis.left, (1 - self.shrinkage) * len(basis.left) * variances / variances.sum())

    def compare(self, a: Kernel, b: Kernel) -> float:
        """Return the distance, at least 0, unitless."""
        both = torch.cat((a.directions, b.directions), 1)
        if both.shape[1] < len(both):
            # Beyond what both have directions in, the two matrices are the same.
            span = torch.linalg.qr(both).Q
            a, b = (Kernel(span.T @ side.directions, side.weights) for side in (a, b))
        first, second = self._full(a), self._full(b)
        root = torch.linalg.cholesky(first)
        half = torch.linalg.solve_triangular(root, second, upper=False)
        ratio = torch.linalg.solve_triangular(root, half.T, upper=False)
        logs = torch.linalg.eigvalsh((ratio + ratio.T) / 2).log()
        size = math.sqrt(len(logs)) * (1 + float(a.weights.max()) / self.shrinkage)
        return or_exactly(0.0, float(logs.norm()), size)

    def _full(self, kernel: Kernel) -> Tensor:
        product = kernel.directions * kernel.weights @ kernel.directions.T
        return product + self.shrinkage * torch.eye(len(product), dtype=product.dtype, device=product.device)


MEASURES: tuple[type[Measure], ...] = (BuresDistance, NormalizedBuresSimilarity, RiemannianDistance)
