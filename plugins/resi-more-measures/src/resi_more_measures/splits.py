"""Cross-validation: which samples are held out when, and what is computed of the others once for all comparisons."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError, ShapeError
from resi.measures.features import Features
from resi.measures.shared import bases, intermediates
from resi.randomness import generator
from resi_more_measures.grams import check_choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor
else:
    from resi.lazy import torch

SCHEMES = ("folds", "shuffled")


class Split(NamedTuple):
    """Which samples a map is fitted to and which are held out, as sorted indices."""

    train: Tensor
    test: Tensor


class Scheme(NamedTuple):
    """How samples are split.

    Attributes
    ----------
    folds : int
        How many splits there are; a part of ``1 / folds`` of the samples is held out in each.
    scheme : {"folds", "shuffled"}
        Whether every sample is held out once, or each split is a draw of its own.
    seed : int
        Key of the draws, which depend on the number of samples besides.
    """

    folds: int
    scheme: str
    seed: int

    def check(self, name: str) -> None:
        """Raise ``ValueError``, naming the measure, unless there are two folds of a known scheme."""
        if self.folds < 2:
            raise ValueError(f"{name}: folds {self.folds} must be at least 2")
        check_choice(name, "scheme", self.scheme, SCHEMES)

    def splits(self, name: str, n_samples: int) -> tuple[Split, ...]:
        """Return the splits of so many samples.

        Raises
        ------
        ShapeError
            If a part that is held out would have fewer than two samples, or the rest fewer than three.
        """
        least = n_samples // self.folds
        if least < 2 or n_samples - math.ceil(n_samples / self.folds) < 3:
            raise ShapeError(
                f"{name}: {n_samples} samples cannot be split into {self.folds} folds of at least 2; take fewer folds"
            )
        if self.scheme == "folds":
            order = torch.from_numpy(generator(self.seed, "folds", n_samples).permutation(n_samples))
            parts: Sequence[Tensor] = order.tensor_split(self.folds)
        else:
            draws = [generator(self.seed, "shuffled", n_samples, number) for number in range(self.folds)]
            parts = [torch.from_numpy(draw.permutation(n_samples))[: round(n_samples / self.folds)] for draw in draws]
        return tuple(_split(part, n_samples) for part in parts)


def _split(part: Tensor, n_samples: int) -> Split:
    held_out = torch.zeros(n_samples, dtype=torch.bool)
    held_out[part] = True
    return Split((~held_out).nonzero().squeeze(1), held_out.nonzero().squeeze(1))


class Half(NamedTuple):
    """One representation in one split, with the means of the training samples taken off.

    Attributes
    ----------
    train : Tensor of shape (n_train, n_features)
    test : Tensor of shape (n_test, n_features)
    mean : Tensor of shape (n_features,)
    """

    train: Tensor
    test: Tensor
    mean: Tensor


class Predictor(NamedTuple):
    """What predictions from one representation in one split are made of.

    Attributes
    ----------
    left : Tensor of shape (n_train, rank)
        Orthonormal basis of the centred training samples' features.
    values : Tensor of shape (rank,)
        Singular values.
    scores : Tensor of shape (n_test, rank)
        The samples that are held out in the basis of right singular vectors.
    """

    left: Tensor
    values: Tensor
    scores: Tensor


def halves(x: Features, splits: Sequence[Split]) -> tuple[Half, ...]:
    """Return both parts of a representation in each split, in units of its scale."""
    matrix = x.shared(intermediates.scaled).matrix
    found = []
    for split in splits:
        train, test = matrix[split.train.to(matrix.device)], matrix[split.test.to(matrix.device)]
        mean = train.mean(0)
        train = train - mean
        # A constant column far from zero keeps the rounding error of its mean, which the second pass takes off.
        rest = train.mean(0)
        found.append(Half(train - rest, test - mean - rest, mean + rest))
    return tuple(found)


def predictors(x: Features, splits: Sequence[Split], parts: Sequence[Half]) -> tuple[Predictor, ...]:
    """Return the decomposition of the training samples in each split, in the units of the features.

    Directions in which these are no larger than rounding may be are left out.

    Parameters
    ----------
    parts : sequence of Half
        What ``halves`` returns.

    Raises
    ------
    DegenerateInputError
        If all training samples of a split are the same.
    """
    found = []
    scale = x.shared(intermediates.scale)
    for split, half in zip(splits, parts, strict=True):
        part = Features(x.given[split.train.to(x.given.device)], x.dtype)
        try:
            basis = part.shared(bases.centred_basis)
        except DegenerateInputError as reason:
            raise DegenerateInputError(f"the {len(split.train)} training samples of a fold: {reason}") from None
        values = basis.values * part.shared(intermediates.scale)
        found.append(Predictor(basis.left, values, half.test @ basis.right * scale))
    return tuple(found)
