"""Dissimilarities of predictions, and predictions of neurons from single neurons, cross-validated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from resi import Measure
from resi.errors import DegenerateInputError
from resi_more_measures.predictivity import CONWELL
from resi_more_measures.regressions import CrossValidatedRidge
from resi_more_measures.scoring import CrossValidated, Sides, constant_below, correlations, over_units
from resi_more_measures.splits import Half, halves

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch


@dataclass
class EncodedRSA(CrossValidatedRidge):
    """Representational similarity analysis after ridge regression.

    R is predicted from S as in ``ridge_predictivity``. In each fold, the dissimilarities ``1 - corr`` of all pairs of
    samples that are held out are computed from the predictions and from R; the value is Kendall's τ-b of the two,
    averaged over folds, in [-1, 1].

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
    .. [1] Kaniuth & Hebart, Feature-reweighted representational similarity analysis, NeuroImage 2022.
    .. [2] Conwell et al., What can 1.8 billion regressions tell us about the pressures shaping high-level visual
       representation in brains and machines?, 2023.
    """

    name = "encoded_rsa"
    family = "rsm"
    invariances = frozenset({"permutation", "isotropic_scaling"})
    cost = "O(folds penalties N D² + N² log N)"
    reference = CONWELL

    def compare(self, a: Sides, b: Sides) -> float:
        """Return the rank correlation of the dissimilarities, in [-1, 1].

        Raises
        ------
        DegenerateInputError
            If there are no ranks, as of one neuron or of fewer than three samples that are held out.
        """
        from scipy.stats import kendalltau

        found = []
        for predicted, side in zip(self.predictions(a, b), a.halves, strict=True):
            pair = (dissimilarities(matrix + side.mean) for matrix in (predicted, side.test))
            found.append(float(kendalltau(*pair).statistic))
        if not all(map(math.isfinite, found)):
            raise DegenerateInputError(
                "the dissimilarities of the samples that are held out have no ranks: R needs two neurons, three such "
                "samples, and rows that are not constant"
            )
        return sum(found) / len(found)


def dissimilarities(matrix: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return one minus the correlation of each pair of rows, shape (n_pairs,); NaN where a row is constant."""
    centred = matrix - matrix.mean(1, keepdim=True)
    unit = centred / centred.norm(dim=1, keepdim=True)
    rows, columns = torch.triu_indices(len(matrix), len(matrix), 1, device=matrix.device)
    return (1 - unit @ unit.T)[rows, columns].cpu().numpy()


class Neurons(NamedTuple):
    """One representation in all splits, neuron by neuron.

    Attributes
    ----------
    halves : tuple of Half
    units : tuple of Tensor of shape (n_train, n_features)
        The training samples, centred, with columns of length one; those of neurons that are constant are zero.
    sizes : Tensor of shape (n_features,)
        Up to which length a neuron's values are constant.
    """

    halves: tuple[Half, ...]
    units: tuple[Tensor, ...]
    sizes: Tensor


@dataclass
class PairwiseMatchPredictivity(CrossValidated):
    """Cross-validated correlation of each neuron of R with its best single partner in S.

    In each fold, the partner of a neuron is the neuron of S of the largest correlation over the training samples; the
    score is their correlation over the samples that are held out, averaged over folds. The value is the mean over
    neurons, in [-1, 1]. Neurons that are constant over the samples of a fold have no score there.

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
    .. [1] Li et al., Convergent Learning: Do different neural networks learn the same representations?, ICLR 2016.
    .. [2] Soni et al., Conclusions about Neural Network to Brain Alignment are Profoundly Impacted by the Similarity
       Measure, 2024.
    """

    name = "pairwise_match_predictivity"
    family = "alignment"
    resolution = Measure.resolution
    invariances = frozenset({"permutation", "isotropic_scaling", "translation"})
    cost = "O(folds N D²)"
    reference = (
        "Soni et al., Conclusions about Neural Network to Brain Alignment are Profoundly Impacted by the Similarity "
        "Measure, 2024"
    )

    def prepare(self, x: Features) -> Neurons:
        """Centre the neurons' training samples in every split and bring them to length one."""
        parts = halves(x, self._scheme.splits(self.name, x.shape[0]))
        sizes = constant_below(x)
        units = []
        for part in parts:
            lengths = part.train.norm(dim=0)
            units.append(torch.where(lengths > sizes, part.train / lengths.where(lengths > sizes, 1.0), 0.0))
        return Neurons(parts, tuple(units), sizes)

    def compare(self, a: Neurons, b: Neurons) -> float:
        """Return the mean correlation of partners over samples that are held out, in [-1, 1].

        Raises
        ------
        DegenerateInputError
            If no neuron of R or none of S varies.
        """
        scores = []
        for fold, (first, second) in enumerate(zip(a.halves, b.halves, strict=True)):
            varying = b.units[fold].any(0)
            if not bool(varying.any()):
                raise DegenerateInputError("no neuron of S varies over the training samples of a fold")
            found = (a.units[fold].T @ b.units[fold]).masked_fill(~varying, -torch.inf)
            each = correlations(second.test[:, found.argmax(1)], first.test, a.sizes)
            scores.append(each.where(a.units[fold].any(0), torch.nan))
        return over_units(torch.stack(scores), "mean")


MEASURES: tuple[type[Measure], ...] = (EncodedRSA, PairwiseMatchPredictivity)
