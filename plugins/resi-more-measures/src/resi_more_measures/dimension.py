"""Measures on the dimensions of the manifolds that samples lie on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi import Measure
from resi.errors import DegenerateInputError
from resi.measures.shared import intermediates
from resi_more_measures.cca import ORTHOGONAL

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch

FITTED = 0.9
"""Share of the samples, those of the smallest ratios, to which the dimension is fitted."""
FEWEST = 10
"""Fewest samples that a dimension is estimated from."""
CANDIDATES = 6
"""How many neighbours by products are looked at again by differences."""
SAME = 1e-10
"""Points of root mean square length 1 that are no farther apart are copies but for rounding."""


class Points(NamedTuple):
    """Centred samples in units of their root mean square length, and their intrinsic dimension."""

    matrix: Tensor
    dimension: float


def nearest_two(points: Tensor) -> Tensor:
    """Return the distances of each row to its two nearest others, shape (n_points, 2)."""
    lengths = points.square().sum(1)
    count = min(CANDIDATES, len(points) - 1)
    chunk = max(1, intermediates.BLOCK_ENTRIES // max(len(points), CANDIDATES * points.shape[1]))
    found = []
    for start in range(0, len(points), chunk):
        rows = points[start : start + chunk]
        squares = torch.addmm(lengths.unsqueeze(0), rows, points.T, alpha=-2)
        squares.diagonal(start).fill_(torch.inf)
        near = squares.topk(count, largest=False).indices
        # Products lose digits of small distances; those of the nearest are computed from differences.
        exact = (points[near] - rows.unsqueeze(1)).norm(dim=2)
        found.append(exact.sort(dim=1).values[:, :2])
    return torch.cat(found)


def intrinsic_dimension(points: Tensor) -> float:
    """Return the intrinsic dimension of a point cloud by the ratios of distances to the two nearest neighbours (TwoNN).

    Points with a copy, or two nearest neighbours equally far, have no ratio and are left out.

    Raises
    ------
    DegenerateInputError
        If fewer than ten points are left.

    References
    ----------
    .. [1] Facco et al., Estimating the intrinsic dimension of datasets by a minimal neighborhood information,
       Scientific Reports 2017.
    """
    first, second = nearest_two(points).unbind(1) if len(points) > 2 else (points[:0, 0],) * 2
    usable = (first > SAME) & (second > first * (1 + SAME))
    ratios = (second[usable] / first[usable]).log().sort().values
    if len(ratios) < FEWEST:
        raise DegenerateInputError(
            f"{len(ratios)} of {len(points)} samples have two nearest neighbours at different distances above zero; at "
            f"least {FEWEST} are needed for an intrinsic dimension"
        )
    fitted = min(int(FITTED * len(ratios)), len(ratios) - 1)
    ranks = torch.arange(1, fitted + 1, dtype=torch.float64, device=points.device)
    heights = -(1 - ranks / len(ratios)).log()
    return float((ratios[:fitted] @ heights) / ratios[:fitted].square().sum())


@dataclass
class IntrinsicDimensionCorrelation(Measure):
    """Intrinsic dimension correlation.

    ``(d(R) + d(S) - d(R, S)) / max(d(R), d(S))`` with d the intrinsic dimension of the samples by the TwoNN estimator,
    and (R, S) both representations side by side, each centred and with root mean square length 1: about the share of
    dimensions that one has in common with the other, also where the relation is not linear. 1 for a representation with
    itself, near 0 for independent ones; the estimates have errors, so that values may leave [0, 1].

    References
    ----------
    .. [1] Basile et al., Intrinsic Dimension Correlation: uncovering nonlinear connections in multimodal
       representations, ICLR 2025.
    """

    name = "intrinsic_dimension_correlation"
    family = "statistics"
    larger_is_more_similar = True
    invariances = ORTHOGONAL
    self_value = 1.0
    spatial = "align"
    cost = "O(N² D)"
    reference = (
        "Basile et al., Intrinsic Dimension Correlation: uncovering nonlinear connections in multimodal "
        "representations, ICLR 2025"
    )

    def prepare(self, x: Features) -> Points:
        """Centre and scale the samples, and estimate their dimension."""
        x.shared(intermediates.centred)
        matrix = x.shared(intermediates.centred_compact)
        points = matrix * (math.sqrt(len(matrix)) / float(matrix.norm()))
        return Points(points, intrinsic_dimension(points))

    def permuted(self, state: Points, order: Tensor) -> Points:
        """Return the state for the rows in another order."""
        return Points(state.matrix[order], state.dimension)

    def compare(self, a: Points, b: Points) -> float:
        """Return the correlation, about 0 to 1."""
        joint = intrinsic_dimension(torch.cat((a.matrix, b.matrix), 1))
        return (a.dimension + b.dimension - joint) / max(a.dimension, b.dimension)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, its centred and scaled copies, and blocks of distances."""
        return 40 * n_samples * n_features + 24 * intermediates.BLOCK_ENTRIES


MEASURES: tuple[type[Measure], ...] = (IntrinsicDimensionCorrelation,)
