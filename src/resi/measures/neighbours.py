"""Measures on nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.measures import artifacts
from resi.measures.base import Features, Measure

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Jaccard(Measure):
    """Overlap of nearest neighbours.

    For each sample, the share of its k nearest neighbours (cosine distance, itself left out) that both representations
    agree on: intersection over union of the two sets; then the mean over samples. In [0, 1].

    Parameters
    ----------
    k : int
        Number of neighbours.

    References
    ----------
    .. [1] Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022.
    """

    k: int = 10

    name = "jaccard"
    family = "neighbours"
    larger_is_more_similar = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling"})
    self_value = 1.0
    spatial = "align"
    benchmark = True
    published_name = "JaccardSimilarity"
    cost = "O(N k²)"
    reference = "Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022"

    def prepare(self, x: Features) -> Tensor:
        """Find the nearest neighbours of every sample."""
        return x.shared(artifacts.neighbours, k=self.k)

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the mean overlap, in [0, 1]."""
        common = (a.unsqueeze(2) == b.unsqueeze(1)).sum((1, 2)).double()
        return float((common / (2 * self.k - common)).mean())

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the unit rows, one block of distances, and the neighbours."""
        return 3 * 8 * n_samples * n_features + 4 * 8 * 2**22 + 8 * self.k * n_samples
