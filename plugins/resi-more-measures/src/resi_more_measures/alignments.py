"""Alignment of two representations by the best rotation or the best match of their neurons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi import Measure
from resi.measures.shared import bases, intermediates
from resi.measures.shared.precision import or_exactly

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch

SHAPE_METRICS = "Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021"
NEAR = 1 - 1e-4
"""Cosines nearer to 1 than this lose digits of the distance; there the aligned matrices are subtracted."""


class Shape(NamedTuple):
    """A representation as it is to be aligned; times ``scale`` it is in the units of the features.

    Attributes
    ----------
    matrix : Tensor of shape (n_samples, n_columns)
        Where all rotations are allowed, rotated into few columns.
    scale : float
    """

    matrix: Tensor
    scale: float = 1.0

    @property
    def unit(self) -> Shape:
        """The same with Frobenius norm 1."""
        return Shape(self.matrix / self.matrix.norm())


@dataclass
class ShapeMeasure(Measure):
    """What all shape measures share."""

    family = "alignment"
    larger_is_more_similar = False
    metric = True
    self_value = 0.0
    spatial = "align"
    copies = True
    cost = "O(N D² + D³)"
    reference = SHAPE_METRICS

    def permuted(self, state: Shape, order: Tensor) -> Shape:
        """Return the state for the rows in another order."""
        return Shape(state.matrix[order], state.scale)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the decomposition, which is the most that is needed."""
        return bases.basis_bytes(n_samples, n_features)


def on_one_scale(a: Shape, b: Shape) -> tuple[Tensor, Tensor, float]:
    """Return both matrices in the same units, the one with fewer columns first, and these units."""
    larger = max(a.scale, b.scale)
    first, second = (x.matrix if x.scale == larger else x.matrix * (x.scale / larger) for x in (a, b))
    return (first, second, larger) if first.shape[1] <= second.shape[1] else (second, first, larger)


def rotated_distance(a: Shape, b: Shape) -> float:
    """Return the Frobenius distance of two shapes after the best rotation or reflection.

    The narrower side counts as padded with zero columns.
    """
    first, second, scale = on_one_scale(a, b)
    norms = float(first.norm()), float(second.norm())
    left, values, right = bases.thin_svd(first.T @ second)
    nuclear = float(values.sum())
    if nuclear <= NEAR * norms[0] * norms[1]:
        return scale * math.sqrt((norms[0] - norms[1]) ** 2 + 2 * (norms[0] * norms[1] - nuclear))
    return scale * or_exactly(0.0, float((first @ (left @ right) - second).norm()), max(norms))


def permuted_distance(a: Shape, b: Shape) -> float:
    """Return the Frobenius distance of two shapes after the best one-to-one match of their columns.

    The narrower side counts as padded with zero columns.
    """
    from scipy.optimize import linear_sum_assignment

    first, second, scale = on_one_scale(a, b)
    rows, columns = linear_sum_assignment((first.T @ second).cpu().numpy(), maximize=True)
    padded = torch.zeros_like(second)
    padded[:, torch.as_tensor(columns, device=second.device)] = first[:, torch.as_tensor(rows, device=first.device)]
    largest = max(float(first.norm()), float(second.norm()))
    return scale * or_exactly(0.0, float((padded - second).norm()), largest)


def angle(chord: float) -> float:
    """Return the angle of two vectors of length one that are that far apart, in radians."""
    return 2 * math.asin(min(chord / 2, 1.0))


def centred_shape(x: Features) -> Shape:
    """Return the centred representation, rotated into few columns."""
    return Shape(x.shared(intermediates.centred_compact), x.shared(intermediates.scale))
