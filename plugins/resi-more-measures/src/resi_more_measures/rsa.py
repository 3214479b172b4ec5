"""Representational similarity analysis with other distances: the distances themselves, and their cosines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from resi import Measure
from resi.errors import DegenerateInputError
from resi_more_measures.grams import NEGLIGIBLE, bounded, centred, moderate
from resi_more_measures.matrices import CosineOfMatrices
from resi_more_measures.rdms import Dissimilarity, rdm, reordered_triangle, triangle

if TYPE_CHECKING:
    from torch import Tensor

    from resi.measures.features import Features

NILI = "Nili et al., A Toolbox for Representational Similarity Analysis, PLOS Computational Biology 2014"
DIEDRICHSEN = (
    "Diedrichsen et al., Comparing representational geometries using whitened unbiased-distance-matrix similarity, "
    "Neurons, Behavior, Data analysis, and Theory 2021"
)
ALL_SAME = "all distances between samples are the same: they have no order and do not vary"


def distances(x: Features, dissimilarity: Dissimilarity) -> Tensor:
    """Return the distances of all pairs of samples, in one vector."""
    return triangle(rdm(x, dissimilarity))


def unit_distances(x: Features, dissimilarity: Dissimilarity, less_mean: bool) -> Tensor:
    """Return all distances as a vector of length one, less their mean where asked.

    Raises
    ------
    DegenerateInputError
        If nothing is left.
    """
    values = moderate(distances(x, dissimilarity))
    size = float(values.norm())
    values = values - values.mean() if less_mean else values
    norm = float(values.norm())
    if norm <= NEGLIGIBLE * size or size == 0:
        raise DegenerateInputError(ALL_SAME if size > 0 else "all samples are the same: every distance is 0")
    return values / norm


def whitened_distances(x: Features, dissimilarity: Dissimilarity, less_mean: bool) -> Tensor:
    """Return ``-H D H / 2`` with norm 1, with the mean of all distances taken off D where asked.

    Raises
    ------
    DegenerateInputError
        If nothing is left.
    """
    matrix = moderate(rdm(x, dissimilarity))
    size = float(matrix.norm())
    if less_mean:
        matrix = (matrix - triangle(matrix).mean()).fill_diagonal_(0.0)
    result = centred(matrix).div_(-2)
    norm = float(result.norm())
    if norm <= NEGLIGIBLE * size or size == 0:
        raise DegenerateInputError(ALL_SAME)
    return result / norm


@dataclass
class OnDistances(Measure):
    """What the measures here share: the distance between samples."""

    distance: str = "correlation"
    repeats: int = 1

    family = "rsm"
    larger_is_more_similar = True
    invariances = frozenset({"permutation", "isotropic_scaling"})
    self_value: ClassVar[float | None] = 1.0
    cost = "O(N²)"
    reference = NILI

    def __post_init__(self) -> None:
        self.dissimilarity.check(self.name)

    @property
    def dissimilarity(self) -> Dissimilarity:
        """The distance with its parameter."""
        return Dissimilarity(self.distance, self.repeats)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, copies of it, and distances while they are made or sorted."""
        return 32 * n_samples * n_features + 48 * n_samples**2


@dataclass
class CosineOfDistances(OnDistances):
    """What measures share that are cosines of prepared vectors."""

    def permuted(self, state: Tensor, order: Tensor) -> Tensor:
        """Return the state of the samples in another order."""
        return reordered_triangle(state, order)

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the cosine, in [-1, 1]."""
        return bounded(float((a * b).sum()))


@dataclass
class RSAPearson(CosineOfDistances):
    """Representational similarity analysis by Pearson's correlation of distances.

    The correlation between the two vectors of distances of all pairs of samples; in [-1, 1]. It assumes distances that
    are linear functions of each other. The invariances stated are those of ``distance=correlation``.

    Parameters
    ----------
    distance : str
        ``correlation``, ``cosine``, ``euclidean``, ``squared_euclidean``, ``gaussian``, ``mahalanobis``, ``poisson``,
        ``cross_euclidean`` or ``crossnobis``; see :class:`resi_more_measures.rdms.Dissimilarity`.
    repeats : int
        For the two last: how many measurements of the same units the features hold, one block after another.

    References
    ----------
    .. [1] Kriegeskorte et al., Representational similarity analysis, Frontiers in Systems Neuroscience 2008.
    .. [2] Nili et al., A Toolbox for Representational Similarity Analysis, PLOS Computational Biology 2014.
    """

    name = "rsa_pearson"

    def prepare(self, x: Features) -> Tensor:
        """Compute all distances, less their mean."""
        return x.shared(unit_distances, dissimilarity=self.dissimilarity, less_mean=True)


@dataclass
class RSACosine(CosineOfDistances):
    """Representational similarity analysis by the cosine of distances.

    As ``rsa_pearson`` without taking off means, for distances whose zero means something, as unbiased ones have it; in
    [0, 1] for distances that are not negative. Unrelated representations have values near 1. The invariances stated are
    those of ``distance=squared_euclidean``.

    Parameters
    ----------
    distance, repeats
        As for ``rsa_pearson``.

    References
    ----------
    .. [1] Walther et al., Reliability of dissimilarity measures for multi-voxel pattern analysis, NeuroImage 2016.
    """

    distance: str = "squared_euclidean"

    name = "rsa_cosine"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    reference = (
        "Walther et al., Reliability of dissimilarity measures for multi-voxel pattern analysis, NeuroImage 2016"
    )

    def prepare(self, x: Features) -> Tensor:
        """Compute all distances."""
        return x.shared(unit_distances, dissimilarity=self.dissimilarity, less_mean=False)


@dataclass
class _Whitened(CosineOfMatrices, OnDistances):
    """What the whitened measures share: centred distances are prepared."""

    distance: str = "squared_euclidean"

    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    reference = DIEDRICHSEN


@dataclass
class RSAWhitenedCosine(_Whitened):
    """Representational similarity analysis by the whitened cosine of distances.

    ``dᵀV⁻¹e / √(dᵀV⁻¹d eᵀV⁻¹e)`` with V the covariance that estimates of distances between N samples have because they
    share samples, for independent noise of equal size. The same number is the cosine of ``-H D H / 2`` and
    ``-H E H / 2``, which is how it is computed. With ``distance=squared_euclidean`` that is the linear CKA; with
    ``cross_euclidean`` or ``crossnobis`` it is the whitened unbiased cosine, which noise of the measurements does not
    move on average. The invariances stated are those of ``distance=squared_euclidean``.

    Parameters
    ----------
    distance, repeats
        As for ``rsa_pearson``.

    References
    ----------
    .. [1] Diedrichsen et al., Comparing representational geometries using whitened unbiased-distance-matrix similarity,
       Neurons, Behavior, Data analysis, and Theory 2021.
    """

    name = "rsa_whitened_cosine"

    def prepare(self, x: Features) -> Tensor:
        """Centre the distances twice."""
        return x.shared(whitened_distances, dissimilarity=self.dissimilarity, less_mean=False)


@dataclass
class RSAWhitenedCorrelation(_Whitened):
    """Representational similarity analysis by the whitened correlation of distances.

    As ``rsa_whitened_cosine`` of distances less their mean. The invariances stated are those of
    ``distance=squared_euclidean``.

    Parameters
    ----------
    distance, repeats
        As for ``rsa_pearson``.

    References
    ----------
    .. [1] Diedrichsen et al., Comparing representational geometries using whitened unbiased-distance-matrix similarity,
       Neurons, Behavior, Data analysis, and Theory 2021.
    """

    name = "rsa_whitened_correlation"

    def prepare(self, x: Features) -> Tensor:
        """Centre the distances less their mean twice."""
        return x.shared(whitened_distances, dissimilarity=self.dissimilarity, less_mean=True)


MEASURES: tuple[type[Measure], ...] = (RSACosine, RSAPearson, RSAWhitenedCorrelation, RSAWhitenedCosine)
