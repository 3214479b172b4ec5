"""Measures that compare one number per representation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.errors import DegenerateInputError
from resi.measures import artifacts, distances, rows
from resi.measures.base import Features, Measure

if TYPE_CHECKING:
    import torch
else:
    from resi.lazy import torch

WANG = "Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022"


@dataclass
class _StatisticDifference(Measure):
    """The absolute difference of a number that ``prepare`` gives for each representation."""

    family = "statistics"
    larger_is_more_similar = False
    self_value = 0.0
    benchmark = True
    cost = "O(1)"

    def compare(self, a: float, b: float) -> float:
        """Return the absolute difference of the two numbers."""
        return abs(a - b)


@dataclass
class MagnitudeDifference(_StatisticDifference):
    """Absolute difference of the lengths of the mean rows, in the units of the features.

    References
    ----------
    .. [1] Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022.
    """

    name = "magnitude_difference"
    invariances = frozenset({"orthogonal", "permutation"})
    spatial = "flatten"
    published_name = "MagnitudeDifference"
    reference = WANG

    def prepare(self, x: Features) -> float:
        """Return the length of the mean row."""
        matrix, scale = x.shared(artifacts.scaled)
        return scale * float(matrix.mean(0).norm())


@dataclass
class ConcentricityDifference(_StatisticDifference):
    """Absolute difference of the concentricities: the mean cosine of rows to their mean row; in [0, 2].

    An all-zero row has cosine 0.

    References
    ----------
    .. [1] Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022.
    """

    name = "concentricity_difference"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling"})
    spatial = "flatten"
    published_name = "ConcentricityDifference"
    reference = WANG

    def prepare(self, x: Features) -> float:
        """Return the mean cosine of rows to the mean row, in [-1, 1].

        Raises
        ------
        DegenerateInputError
            If the mean row is zero, as after centring.
        """
        matrix, _ = x.shared(artifacts.scaled)
        mean = matrix.mean(0)
        length = float(mean.norm())
        if length <= artifacts.RELATIVE_ZERO * float(matrix.norm()) / math.sqrt(len(matrix)):
            raise DegenerateInputError("the mean row is zero, so that rows have no cosine to it")
        return float(x.shared(rows.unit_rows).mean(0) @ mean) / length

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix and its unit rows, and of finding rows of the same direction."""
        return 5 * 8 * n_samples * n_features


@dataclass
class UniformityDifference(_StatisticDifference):
    """Absolute difference of the uniformities ``log(Σ_ij exp(-2 ‖x_i - x_j‖²) / N²)``, pairs i = j included.

    References
    ----------
    .. [1] Wang and Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on the
       Hypersphere, ICML 2020.
    """

    name = "uniformity_difference"
    invariances = frozenset({"orthogonal", "permutation", "translation"})
    spatial = "align"
    published_name = "UniformityDifference"
    reference = (
        "Wang and Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on the "
        "Hypersphere, ICML 2020"
    )

    def prepare(self, x: Features) -> float:
        """Return the uniformity plus log N, at least 0.

        The pairs i = j alone give -log N, the same on both sides of a comparison. Without it, a small share of all
        other pairs keeps its digits.
        """
        distinct = x.shared(rows.distinct_rows)
        points = x.shared(artifacts.shifted)
        counts = torch.ones(len(points), dtype=points.dtype, device=points.device)
        if distinct is not None:
            points = points[distinct.first]
            counts = distinct.kind.bincount().to(points.dtype)
        scale = x.shared(artifacts.scaled).scale
        n_samples = x.shape[0]
        others = float(counts.square().sum()) - n_samples
        for start, stop, squares in distances.lower_triangle(points):
            # In two steps, so that zero stays zero where the square of the scale is infinite.
            kernel = squares.mul_(-2.0 * scale).mul_(scale).exp_()
            kernel[:, start:].tril_(-1)
            others += 2 * float(counts[start:stop] @ kernel @ counts[:stop])
        return math.log1p(others / n_samples)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, its centred copy, and one block of distances."""
        return 4 * 8 * n_samples * n_features + 4 * 8 * artifacts.BLOCK_ENTRIES
