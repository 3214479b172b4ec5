"""Distances, and the Bures similarity, between the geometries of two representations: matrices over all samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.errors import DegenerateInputError
from resi_more_measures.grams import NEGLIGIBLE, bounded, centred
from resi_more_measures.rdms import rdm, reordered_triangle
from resi_more_measures.rsa import ALL_SAME, OnDistances, distances

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi import Measure
    from resi.measures.features import Features
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

    def permuted(self, state: Tensor, order: Tensor) -> Tensor:
        """Return the state of the samples in another order."""
        return reordered_triangle(state, order)

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

    def permuted(self, state: Tensor, order: Tensor) -> Tensor:
        """Return the state of the samples in another order."""
        return state[order]

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the similarity, in [0, 1]."""
        return bounded(float(torch.linalg.svdvals(a.T @ b).sum()))


MEASURES: tuple[type[Measure], ...] = (RSABures, RSADistance)
