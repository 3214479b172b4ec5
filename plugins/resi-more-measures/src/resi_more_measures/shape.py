"""Shape metrics with other whitenings and groups, and distances of covariances and of Gram matrices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from resi import Measure
from resi.measures.shared import bases, intermediates
from resi.measures.shared.precision import or_exactly
from resi_more_measures.cca import AFFINE, ORTHOGONAL

if TYPE_CHECKING:
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.shared.bases import Basis

SHAPE_METRICS = "Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021"
DUALITY = (
    "Harvey, Larsen & Williams, Duality of Bures and Shape Distances with Implications for Comparing Neural "
    "Representations, UniReps 2023"
)
NEAR = 1 - 1e-4
"""Cosines nearer to 1 than this lose digits of the distance; there the aligned matrices are subtracted."""


class Shape(NamedTuple):
    """A representation as it is to be aligned; times ``scale`` it is in the units of the features.

    Attributes
    ----------
    matrix : Tensor of shape (n_samples, n_columns)
        Where all rotations are allowed, rotated into few columns.
    scale : float
    """

    matrix: Tensor
    scale: float = 1.0

    @property
    def unit(self) -> Shape:
        """The same with Frobenius norm 1."""
        return Shape(self.matrix / self.matrix.norm())


def on_one_scale(a: Shape, b: Shape) -> tuple[Tensor, Tensor, float]:
    """Return both matrices in the same units, the one with fewer columns first, and these units."""
    larger = max(a.scale, b.scale)
    first, second = (x.matrix if x.scale == larger else x.matrix * (x.scale / larger) for x in (a, b))
    return (first, second, larger) if first.shape[1] <= second.shape[1] else (second, first, larger)


def rotated_distance(a: Shape, b: Shape) -> float:
    """Return the Frobenius distance of two shapes after the best rotation or reflection.

    The narrower side counts as padded with zero columns.
    """
    first, second, scale = on_one_scale(a, b)
    norms = float(first.norm()), float(second.norm())
    left, values, right = bases.thin_svd(first.T @ second)
    nuclear = float(values.sum())
    if nuclear <= NEAR * norms[0] * norms[1]:
        return scale * math.sqrt((norms[0] - norms[1]) ** 2 + 2 * (norms[0] * norms[1] - nuclear))
    return scale * or_exactly(0.0, float((first @ (left @ right) - second).norm()), max(norms))


def permuted_distance(a: Shape, b: Shape) -> float:
    """Return the Frobenius distance of two shapes after the best one-to-one match of their columns.

    The narrower side counts as padded with zero columns.
    """
    from scipy.optimize import linear_sum_assignment

    first, second, scale = on_one_scale(a, b)
    rows, columns = linear_sum_assignment((first.T @ second).cpu().numpy(), maximize=True)
    padded = torch.zeros_like(second)
    padded[:, torch.as_tensor(columns, device=second.device)] = first[:, torch.as_tensor(rows, device=first.device)]
    largest = max(float(first.norm()), float(second.norm()))
    return scale * or_exactly(0.0, float((padded - second).norm()), largest)


def angle(chord: float) -> float:
    """Return the angle of two vectors of length one that are that far apart, in radians."""
    return 2 * math.asin(min(chord / 2, 1.0))


def centred_shape(x: Features) -> Shape:
    """Return the centred representation, rotated into few columns."""
    return Shape(x.shared(intermediates.centred_compact), x.shared(intermediates.scale))


def whitened(x: Features, alpha: float, normalised: bool) -> tuple[Basis, Tensor]:
    """Return a basis of the centred representation, and the singular values that it has after partial whitening.

    Parameters
    ----------
    alpha : float
        Share of the representation itself, in [0, 1]; the rest is the whitened one.
    normalised : bool
        Whether the mean variance of its directions is made 1 before.
    """
    basis = x.shared(bases.centred_basis)
    values = basis.values * (1.0 if normalised else x.shared(intermediates.scale))
    if normalised:
        values = values / values.square().mean().sqrt()
    return basis, alpha * values + (1 - alpha)


@dataclass
class _Shapes(Measure):
    """What all shape measures share."""

    family = "alignment"
    larger_is_more_similar = False
    metric = True
    self_value = 0.0
    spatial = "align"
    cost = "O(N D² + D³)"
    reference = SHAPE_METRICS

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the decomposition, which is the most that is needed."""
        return bases.basis_bytes(n_samples, n_features)


@dataclass
class _Whitened(_Shapes):
    alpha: float = 0.5
    normalised: bool = False

    resolution = bases.RESOLUTION
    invariances = frozenset({"orthogonal", "permutation", "translation"})

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"{self.name}: alpha {self.alpha} must be in [0, 1]")

    def prepare(self, x: Features) -> Shape:
        """Decompose the centred features and whiten them in part."""
        basis, values = whitened(x, self.alpha, self.normalised)
        return Shape(basis.left * values)


@dataclass
class PartialWhiteningAngular(_Whitened):
    """Angular shape metric with partial whitening.

    With ``φ(X) = Xc (α I + (1 - α) (XcᵀXc)^-½)``, the angle between φ(R) and φ(S) after the best rotation or
    reflection, ``arccos(‖φ(R)ᵀφ(S)‖* / (‖φ(R)‖F ‖φ(S)‖F))``, in radians from 0 to π/2. With α = 1 it is
    ``angular_shape``, with α = 0 ``cca_angular``. Between these the mixture depends on the units and the number of
    samples, as it does in the paper, unless ``normalised``.

    Parameters
    ----------
    alpha : float
        From 0, all whitened, to 1, not whitened.
    normalised : bool
        Whether each side is first divided by the root mean square of its singular values. The value is then invariant
        to scaling.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "partial_whitening_angular"

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the angle in radians, in [0, π/2]."""
        return angle(rotated_distance(a.unit, b.unit))


@dataclass
class PartialWhiteningEuclidean(_Whitened):
    """Euclidean shape metric with partial whitening.

    With ``φ(X) = Xc (α I + (1 - α) (XcᵀXc)^-½)``, the smallest Frobenius distance ``‖φ(R) - φ(S) Q‖F`` over all
    rotations and reflections Q. With α = 1 it is ``procrustes``, with α = 0 ``cca_euclidean``.

    Parameters
    ----------
    alpha : float
        From 0, all whitened, to 1, not whitened.
    normalised : bool
        Whether each side is first divided by the root mean square of its singular values. The value is then invariant
        to scaling.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "partial_whitening_euclidean"

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the distance, at least 0."""
        return rotated_distance(a, b)


@dataclass
class _FullyWhitened(_Shapes):
    family = "cca"
    resolution = bases.RESOLUTION
    invariances = AFFINE

    def prepare(self, x: Features) -> Shape:
        """Find an orthonormal basis of the centred features."""
        return Shape(x.shared(bases.centred_basis).left)


@dataclass
class CCAAngular(_FullyWhitened):
    """Angle between two whitened representations.

    ``arccos(Σ_i ρ_i / sqrt(r s))`` with ρ the canonical correlations of representations of ranks r and s: the shape
    metric that allows any invertible linear map, in radians from 0 to π/2.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "cca_angular"

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the angle in radians, in [0, π/2]."""
        return angle(rotated_distance(a.unit, b.unit))


@dataclass
class CCAEuclidean(_FullyWhitened):
    """Euclidean distance of two whitened representations.

    ``sqrt(r + s - 2 Σ_i ρ_i)`` with ρ the canonical correlations of representations of ranks r and s.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "cca_euclidean"

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the distance, at least 0, unitless."""
        return rotated_distance(a, b)


@dataclass
class _Permuted(_Shapes):
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"{self.name}: alpha {self.alpha} must be in [0, 1]")

    def prepare(self, x: Features) -> Shape:
        """Centre the neurons, and whiten them in part if ``alpha`` is below 1."""
        if self.alpha == 1:
            return Shape(x.shared(intermediates.shifted), x.shared(intermediates.scale))
        basis, values = whitened(x, self.alpha, normalised=False)
        return Shape(basis.left * values @ basis.right.T)


@dataclass
class PermutationAngular(_Permuted):
    """Angular shape metric over permutations.

    The smallest angle between the centred representations, ``arccos(<Rc, Sc P> / (‖Rc‖F ‖Sc‖F))``, over all one-to-one
    matches P of their neurons, in radians from 0 to π; the narrower side counts as padded with zero columns.

    Parameters
    ----------
    alpha : float
        Below 1, neurons are whitened in part, see ``partial_whitening_angular``; they keep their places.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "permutation_angular"
    invariances = frozenset({"permutation", "isotropic_scaling", "translation"})

    def prepare(self, x: Features) -> Shape:
        """Centre the neurons, and whiten them in part if ``alpha`` is below 1.

        Raises
        ------
        DegenerateInputError
            If all rows are the same.
        """
        x.shared(intermediates.centred)
        return super().prepare(x).unit

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the angle in radians, in [0, π]."""
        return angle(permuted_distance(a, b))


@dataclass
class PermutationEuclidean(_Permuted):
    """Euclidean shape metric over permutations.

    The smallest Frobenius distance of the centred representations over all one-to-one matches of their neurons; the
    narrower side counts as padded with zero columns. ``permutation_procrustes`` is the same without centring.

    Parameters
    ----------
    alpha : float
        Below 1, neurons are whitened in part, see ``partial_whitening_euclidean``; they keep their places.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "permutation_euclidean"
    invariances = frozenset({"permutation", "translation"})

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the distance, in the units of the features."""
        return permuted_distance(a, b)


@dataclass
class UncentredProcrustes(_Shapes):
    """Orthogonal Procrustes distance of the representations as they are.

    The smallest Frobenius distance ``‖R - S Q‖F`` over all rotations and reflections Q about the origin; ``procrustes``
    is the same of the centred representations.

    References
    ----------
    .. [1] Schönemann, A generalized solution of the orthogonal Procrustes problem, Psychometrika 1966.
    """

    name = "uncentred_procrustes"
    invariances = frozenset({"orthogonal", "permutation"})
    reference = "Schönemann, A generalized solution of the orthogonal Procrustes problem, Psychometrika 1966"

    def prepare(self, x: Features) -> Shape:
        """Rotate the features into fewer columns where there are more columns than rows."""
        return Shape(x.shared(intermediates.compact), x.shared(intermediates.scale))

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the distance, in the units of the features."""
        return rotated_distance(a, b)


@dataclass
class SquaredProcrustes(_Shapes):
    """Squared Procrustes distance of the centred and normalised representations.

    ``2 - 2 ‖RcᵀSc‖* / (‖Rc‖F ‖Sc‖F)``, in [0, 2]: the square of ``normalized_procrustes``, and so no metric.

    References
    ----------
    .. [1] Ding, Denain & Steinhardt, Grounding Representation Similarity Through Statistical Testing, NeurIPS 2021.
    """

    name = "squared_procrustes"
    metric = False
    invariances = ORTHOGONAL
    reference = "Ding, Denain & Steinhardt, Grounding Representation Similarity Through Statistical Testing, NeurIPS 2021"

    def prepare(self, x: Features) -> Shape:
        """Centre the features and bring them to Frobenius norm 1."""
        x.shared(intermediates.centred)
        return x.shared(centred_shape).unit

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the squared distance, in [0, 2]."""
        return rotated_distance(a, b) ** 2


@dataclass
class BuresDistance(_Shapes):
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
class NormalizedBuresSimilarity(_Shapes):
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
class RiemannianDistance(_Shapes):
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


MEASURES: tuple[type[Measure], ...] = (
    BuresDistance,
    CCAAngular,
    CCAEuclidean,
    NormalizedBuresSimilarity,
    PartialWhiteningAngular,
    PartialWhiteningEuclidean,
    PermutationAngular,
    PermutationEuclidean,
    RiemannianDistance,
    SquaredProcrustes,
    UncentredProcrustes,
)
