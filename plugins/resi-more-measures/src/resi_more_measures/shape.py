"""Shape metrics with other whitenings and groups than those built in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.measures.shared import bases, intermediates
from resi_more_measures.alignments import Shape, ShapeMeasure, angle, centred_shape, permuted_distance, rotated_distance
from resi_more_measures.cca import AFFINE, ORTHOGONAL

if TYPE_CHECKING:
    from torch import Tensor

    from resi import Measure
    from resi.measures.features import Features
    from resi.measures.shared.bases import Basis


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
class _Whitened(ShapeMeasure):
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

    With ``φ(X) = Xc (alpha I + (1 - alpha) (XcᵀXc)^-½)``, the angle between φ(R) and φ(S) after the best rotation or
    reflection, ``arccos(‖φ(R)ᵀφ(S)‖* / (‖φ(R)‖F ‖φ(S)‖F))``, in radians from 0 to π/2. With alpha = 1 it is
    ``angular_shape``, with alpha = 0 ``cca_angular``. Between these the mixture depends on the units and the number of
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

    With ``φ(X) = Xc (alpha I + (1 - alpha) (XcᵀXc)^-½)``, the smallest Frobenius distance ``‖φ(R) - φ(S) Q‖F`` over all
    rotations and reflections Q. With alpha = 1 it is ``procrustes``, with alpha = 0 ``cca_euclidean``.

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
class _FullyWhitened(ShapeMeasure):
    family = "cca"
    resolution = bases.RESOLUTION
    invariances = AFFINE

    def prepare(self, x: Features) -> Shape:
        """Find an orthonormal basis of the centred features."""
        return Shape(x.shared(bases.centred_basis).left)


@dataclass
class CCAAngular(_FullyWhitened):
    """Angle between two whitened representations.

    ``arccos(Σ_i c_i / sqrt(r s))`` with c the canonical correlations of representations of ranks r and s: the shape
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

    ``sqrt(r + s - 2 Σ_i c_i)`` with c the canonical correlations of representations of ranks r and s.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "cca_euclidean"

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the distance, at least 0, unitless."""
        return rotated_distance(a, b)


@dataclass
class _Permuted(ShapeMeasure):
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
class UncentredProcrustes(ShapeMeasure):
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
class SquaredProcrustes(ShapeMeasure):
    """Squared Procrustes distance of the centred and normalised representations.

    ``2 - 2 ‖RcᵀSc‖* / (‖Rc‖F ‖Sc‖F)``, in [0, 2]: the square of ``normalized_procrustes``, and so no metric.

    References
    ----------
    .. [1] Ding, Denain & Steinhardt, Grounding Representation Similarity Through Statistical Testing, NeurIPS 2021.
    """

    name = "squared_procrustes"
    metric = False
    invariances = ORTHOGONAL
    reference = (
        "Ding, Denain & Steinhardt, Grounding Representation Similarity Through Statistical Testing, NeurIPS 2021"
    )

    def prepare(self, x: Features) -> Shape:
        """Centre the features and bring them to Frobenius norm 1."""
        x.shared(intermediates.centred)
        return x.shared(centred_shape).unit

    def compare(self, a: Shape, b: Shape) -> float:
        """Return the squared distance, in [0, 2]."""
        return rotated_distance(a, b) ** 2


MEASURES: tuple[type[Measure], ...] = (
    CCAAngular,
    CCAEuclidean,
    PartialWhiteningAngular,
    PartialWhiteningEuclidean,
    PermutationAngular,
    PermutationEuclidean,
    SquaredProcrustes,
    UncentredProcrustes,
)
