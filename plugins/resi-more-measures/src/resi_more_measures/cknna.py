"""Kernel alignment restricted to nearest neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi import Measure
from resi.errors import DegenerateInputError, ShapeError
from resi_more_measures.grams import LEAST_SAMPLES, bounded, check_choice, moderate, reordered, unit_rows
from resi_more_measures.neighbours import HUH, neighbours, note_of_many

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch


class Local(NamedTuple):
    """A Gram matrix with where its rows' nearest neighbours are.

    Attributes
    ----------
    gram : Tensor of shape (n_samples, n_samples)
    mask : Tensor of shape (n_samples, n_samples)
        How much of a neighbour each sample is, from 0 to 1.
    itself : float
        The alignment of the representation with itself.
    """

    gram: Tensor
    mask: Tensor
    itself: float


def local_gram(x: Features, k: int, distance: str, estimator: str) -> Local:
    """Return the Gram matrix and the neighbours of one representation.

    Raises
    ------
    ShapeError
        If there are not more than k samples, or fewer than four.
    DegenerateInputError
        If the alignment of the representation with itself is not positive.
    """
    n_samples = x.shape[0]
    if n_samples < LEAST_SAMPLES:
        raise ShapeError(f"cknna: at least {LEAST_SAMPLES} samples are needed, but there are {n_samples}")
    found = x.shared(neighbours, k=k, distance=distance)
    rows = unit_rows(x.matrix) if distance == "cosine" else x.matrix
    gram = moderate(rows @ rows.T)
    if estimator == "paper":
        gram = gram - gram.mean(1, keepdim=True)
    mask = torch.zeros_like(gram).scatter_(1, found.nearest, found.weights)
    itself = _alignment(gram, gram, mask, estimator)
    if itself <= 0:
        raise DegenerateInputError(f"the alignment of nearest neighbours with themselves is {itself:g}, not positive")
    return Local(gram, mask, itself)


def _alignment(first: Tensor, second: Tensor, mask: Tensor, estimator: str) -> float:
    first, second = mask * first, mask * second
    if estimator == "paper":
        return float((first * second).sum())
    n_samples = len(mask)
    pairs = float((first * second.T).sum())
    rows = float(first.sum(0) @ second.sum(1))
    return (
        pairs
        + float(first.sum()) * float(second.sum()) / ((n_samples - 1) * (n_samples - 2))
        - 2 / (n_samples - 2) * rows
    )


@dataclass
class CKNNA(Measure):
    """Centred kernel nearest-neighbour alignment: CKA that counts common nearest neighbours alone.

    ``A(K, L) / √(A(K, K) A(L, L))`` of the Gram matrices K and L of rows of length one, with all entries set to zero
    but those of a sample's row where the column is one of its k nearest neighbours on both sides. A is the unbiased
    HSIC of Song et al. 2012, as in the authors' code, so that with k = N - 1 the value is the debiased CKA of the two;
    or, as their paper writes it, ``Σ_ij (K_ij - mean_l K_il) (L_ij - mean_l L_il)`` over these entries.

    Who is a neighbour of whom is not symmetric, which that estimate of HSIC assumes: exchanging the sides changes the
    value a little, and a pair with few common neighbours may be outside of [-1, 1]. The paper's is symmetric.

    Samples that share the last place among the k nearest count in part, see ``mutual_knn``.

    Parameters
    ----------
    k : int
        Number of neighbours, at least 2.
    distance : {"cosine", "inner_product"}
        ``inner_product`` takes the rows as they are, not with length one.
    estimator : {"unbiased", "paper"}
        Which alignment of the two, see above.

    References
    ----------
    .. [1] Huh et al., The Platonic Representation Hypothesis, ICML 2024, appendix A.
    """

    k: int = 10
    distance: str = "cosine"
    estimator: str = "unbiased"

    name = "cknna"
    family = "neighbours"
    larger_is_more_similar = True
    symmetric = False
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling"})
    self_value = 1.0
    cost = "O(N²)"
    reference = HUH

    def __post_init__(self) -> None:
        check_choice(self.name, "distance", self.distance, ("cosine", "inner_product"))
        check_choice(self.name, "estimator", self.estimator, ("unbiased", "paper"))
        if self.k < 2:
            raise ValueError(f"{self.name}: k = {self.k}; at least two neighbours are needed")

    def prepare(self, x: Features) -> Local:
        """Compute the Gram matrix and find the nearest neighbours."""
        return x.shared(local_gram, k=self.k, distance=self.distance, estimator=self.estimator)

    def permuted(self, state: Local, order: Tensor) -> Local:
        """Return the state of the samples in another order."""
        return Local(reordered(state.gram, order), reordered(state.mask, order), state.itself)

    def compare(self, a: Local, b: Local) -> float:
        """Return the alignment of common neighbours."""
        mask = torch.minimum(a.mask, b.mask)
        value = _alignment(a.gram, b.gram, mask, self.estimator) / math.sqrt(a.itself * b.itself)
        return bounded(value) if abs(value) <= 1 else value

    def note(self, a: Local, b: Local) -> str:
        """Say where k is a large share of the samples."""
        del b
        return note_of_many(self.k, len(a.gram))

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, a copy, the Gram matrix, the neighbours, and a pair's products."""
        return 16 * n_samples * n_features + 56 * n_samples**2


MEASURES: tuple[type[Measure], ...] = (CKNNA,)
