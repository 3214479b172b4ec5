"""What measures share whose prepared state is a matrix over all samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi import Measure
from resi_more_measures.grams import bounded, reordered

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class OnMatrices(Measure):
    """Measures on one matrix for each representation, of shape (n_samples, n_samples)."""

    def permuted(self, state: Tensor, order: Tensor) -> Tensor:
        """Return the state of the samples in another order."""
        return reordered(state, order)


@dataclass
class CosineOfMatrices(OnMatrices):
    """Measures that are the cosine of two such matrices, each prepared with Frobenius norm 1."""

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the cosine, in [-1, 1]."""
        return bounded(float((a * b).sum()))
