"""Regressions by which R is predicted from S."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.measures.shared import bases
from resi_more_measures.scoring import CONSTANT, Predictions

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi_more_measures.scoring import Sides
    from resi_more_measures.splits import Predictor
else:
    from resi.lazy import torch

PENALTIES = tuple(10.0**power for power in range(-6, 5))
"""Ridge penalties that are tried, in units of the mean squared singular value of the training samples."""


@dataclass
class LeastSquares(Predictions):
    """Least squares; of several maps that fit the training samples equally well, the smallest."""

    cost = "O(folds N D²)"

    def note(self, a: Sides, b: Sides) -> str:
        """Return a sentence if the training samples do not determine the map."""
        del a
        for left, _, _ in b.predictors:
            count, rank = left.shape
            if rank >= count - 1:
                return (
                    f"S has {rank} directions in {count} training samples, which do not determine a linear map: of "
                    "those that fit exactly the smallest is taken; ridge_predictivity needs no such choice"
                )
        return ""

    def _predicted(self, train: Tensor, source: Predictor) -> Tensor:
        return (source.scores / source.values) @ (source.left.T @ train)


@dataclass
class CrossValidatedRidge(Predictions):
    """Ridge regression with the penalty that predicts best within the training samples."""

    cost = "O(folds penalties N D²)"

    def _predicted(self, train: Tensor, source: Predictor) -> Tensor:
        left, values, scores = source
        squares = values.square()
        targets = left.T @ train
        errors, filters = [], []
        for penalty in PENALTIES:
            kept = squares / (squares + penalty * squares.mean())
            # Each sample's error when it alone is left out, in closed form.
            leverage = 1 / len(left) + left.square() @ kept
            residual = train - (left * kept) @ targets
            # The filled space leaves nothing to judge by: a leverage of 1.
            errors.append(float((residual / (1 - leverage).clamp(min=CONSTANT).unsqueeze(1)).square().sum()))
            filters.append(kept)
        best = filters[min(range(len(errors)), key=errors.__getitem__)]
        return (scores * (best / values)) @ targets


@dataclass
class FixedRidge(Predictions):
    """Ridge regression with one penalty, in the squared units of S."""

    penalty: float = 1.0

    cost = "O(folds N D²)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.penalty < math.inf:
            raise ValueError(f"{self.name}: penalty {self.penalty} must be a number above 0")

    def _predicted(self, train: Tensor, source: Predictor) -> Tensor:
        return (source.scores * (source.values / (source.values.square() + self.penalty))) @ (source.left.T @ train)


@dataclass
class PartialLeastSquares(Predictions):
    """Partial least squares regression (PLS2)."""

    components: int = 25

    cost = "O(folds components N D)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.components < 1:
            raise ValueError(f"{self.name}: components {self.components} must be at least 1")

    def _predicted(self, train: Tensor, source: Predictor) -> Tensor:
        # In the basis of singular vectors the covariance of the inputs is diagonal, and components need no samples.
        squares = source.values.square()
        cross = source.values.unsqueeze(1) * (source.left.T @ train)
        size = float(cross.norm())
        count = min(self.components, len(squares))
        directions, loadings = (squares.new_zeros(len(squares), count) for _ in range(2))
        slopes = squares.new_zeros(train.shape[1], count)
        for number in range(count):
            if float(cross.norm()) <= bases.RESOLUTION * size:
                break  # nothing is left to predict
            weights = leading_direction(cross)
            # Weights of what is left of the inputs, as weights of the inputs.
            direction = weights - directions @ (loadings.T @ weights)
            scaled = squares * direction
            square = direction @ scaled
            directions[:, number], loadings[:, number] = direction, scaled / square
            slopes[:, number] = direction @ cross / square
            cross = cross - torch.outer(scaled, slopes[:, number])
        return source.scores @ directions @ slopes.T


def leading_direction(matrix: Tensor) -> Tensor:
    """Return the left singular vector of the largest singular value."""
    from scipy.linalg import eigh

    wide = matrix.shape[0] > matrix.shape[1]
    square = (matrix.T @ matrix if wide else matrix @ matrix.T).cpu().numpy()
    last = len(square) - 1
    vector = torch.as_tensor(eigh(square, subset_by_index=(last, last))[1][:, 0], device=matrix.device)
    vector = matrix @ vector if wide else vector
    return vector / vector.norm()
