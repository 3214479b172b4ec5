"""Shape distances on samples that the alignment has not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError
from resi.measures.shared import bases, intermediates
from resi_more_measures.alignments import SHAPE_METRICS
from resi_more_measures.cca import ORTHOGONAL
from resi_more_measures.scoring import CrossValidated
from resi_more_measures.splits import halves, predictors

if TYPE_CHECKING:
    from torch import Tensor

    from resi import Measure
    from resi.measures.features import Features


class Part(NamedTuple):
    """One representation in one split, each matrix divided by its norm.

    Attributes
    ----------
    train : Tensor of shape (n_train, rank)
        The training samples in the basis of their right singular vectors.
    test : Tensor of shape (n_test, rank)
        The samples that are held out, in the same basis; what is outside of it is part of the norm.
    """

    train: Tensor
    test: Tensor


@dataclass
class HeldOutAngularShape(CrossValidated):
    """Angular shape distance of samples that are held out.

    In each fold, the rotation or reflection that brings the centred training samples closest is found, and the value is
    the angle between the matrices of the samples that are held out after that rotation, in radians, averaged over
    folds; in [0, π]. Unrelated representations are at about π/2, also with so many features that ``angular_shape``,
    which is fitted to the same samples, is much smaller. Directions that the training samples do not have count as at a
    right angle.

    Parameters
    ----------
    folds : int
        Number of splits; one of so many parts of the samples is held out in each.
    scheme : {"folds", "shuffled"}
        Whether every sample is held out once, or each split is a draw of its own.
    seed : int
        Key of the splits, which are the same for all representations of as many samples.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    .. [2] Soni et al., Conclusions about Neural Network to Brain Alignment are Profoundly Impacted by the Similarity
       Measure, 2024.
    """

    name = "held_out_angular_shape"
    family = "alignment"
    larger_is_more_similar = False
    symmetric = True
    invariances = ORTHOGONAL
    cost = "O(folds N D² + folds D³)"
    reference = SHAPE_METRICS

    def prepare(self, x: Features) -> tuple[Part, ...]:
        """Decompose the training samples of every split.

        Raises
        ------
        DegenerateInputError
            If the training samples of a split are all the same, or those held out are all equal to their mean.
        """
        splits = self._scheme.splits(self.name, x.shape[0])
        both = halves(x, splits)
        found = []
        for half, (left, values, scores) in zip(both, predictors(x, splits, both), strict=True):
            norm = float(half.test.norm()) * x.shared(intermediates.scale)
            if norm == 0:
                raise DegenerateInputError("the samples that are held out in a fold are all equal to the training mean")
            found.append(Part(left * (values / values.norm()), scores / norm))
        return tuple(found)

    def compare(self, a: tuple[Part, ...], b: tuple[Part, ...]) -> float:
        """Return the mean angle in radians, in [0, π]."""
        angles = []
        for first, second in zip(a, b, strict=True):
            left, _, right = bases.thin_svd(first.train.T @ second.train)
            cosine = float(((first.test @ left) * (second.test @ right.T)).sum())
            angles.append(math.acos(max(-1.0, min(1.0, cosine))))
        return sum(angles) / len(angles)


MEASURES: tuple[type[Measure], ...] = (HeldOutAngularShape,)
