"""Measures on representational similarity matrices: all pairs of samples within each representation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.measures import artifacts
from resi.measures.base import Features, Measure

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class RSA(Measure):
    """Representational similarity analysis.

    Spearman's rank correlation between the strict lower triangles of the two matrices of Pearson correlations between
    samples; in [-1, 1]. Ties take average ranks; a sample whose features are all equal has correlation 0 with the rest.

    References
    ----------
    .. [1] Kriegeskorte et al., Representational similarity analysis, Frontiers in Systems Neuroscience 2008.
    """

    name = "rsa"
    family = "rsm"
    larger_is_more_similar = True
    invariances = frozenset({"permutation", "isotropic_scaling"})
    self_value = 1.0
    benchmark = True
    published_name = "RSA"
    cost = "O(N²)"
    reference = (
        "Kriegeskorte et al., Representational similarity analysis - connecting the branches of systems neuroscience, "
        "Frontiers in Systems Neuroscience 2008"
    )

    def prepare(self, x: Features) -> Tensor:
        """Rank the correlations between all pairs of samples."""
        return x.shared(artifacts.ranked_correlations)

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the rank correlation, in [-1, 1]."""
        return max(-1.0, min(1.0, float(a @ b)))

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the correlation matrix and of sorting its triangle."""
        return 2 * 8 * n_samples * n_features + 6 * 8 * n_samples**2
