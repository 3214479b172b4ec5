"""Measures that first align one representation with the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.measures import artifacts
from resi.measures.base import Features, Measure

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from resi.lazy import torch


class ProcrustesState(NamedTuple):
    """Centred features in at most n_samples columns, and their Frobenius norm."""

    compact: Tensor
    norm: float


@dataclass
class Procrustes(Measure):
    """Procrustes size-and-shape distance.

    The smallest Frobenius distance between the column-centred matrices over all rotations and reflections,
    ``sqrt(‖Rc‖F² + ‖Sc‖F² - 2 ‖RcᵀSc‖*)``; the narrower side counts as padded with zero columns.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "procrustes"
    family = "alignment"
    larger_is_more_similar = False
    metric = True
    invariances = frozenset({"orthogonal", "permutation", "translation"})
    self_value = 0.0
    spatial = "align"
    benchmark = True
    published_name = "ProcrustesSizeAndShapeDistance"
    cost = "O(N D² + D³)"
    reference = "Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021"

    def prepare(self, x: Features) -> ProcrustesState:
        """Centre the features, and rotate them into fewer columns where there are more columns than rows."""
        return ProcrustesState(x.shared(artifacts.centred_compact), x.shared(artifacts.centred_norm))

    def compare(self, a: ProcrustesState, b: ProcrustesState) -> float:
        """Return the distance, in the units of the features."""
        nuclear = float(torch.linalg.svdvals(a.compact.T @ b.compact).sum())
        # The difference of nearly equal numbers can fall below zero by rounding.
        return math.sqrt(max(a.norm**2 + b.norm**2 - 2 * nuclear, 0.0))
