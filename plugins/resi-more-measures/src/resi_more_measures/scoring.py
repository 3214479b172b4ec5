"""How predictions of one representation from the other are scored on samples that are held out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi import Measure
from resi.errors import DegenerateInputError
from resi.measures.shared import bases, intermediates
from resi_more_measures.grams import check_choice
from resi_more_measures.splits import Half, Predictor, Scheme, halves, predictors

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch

BRAIN_SCORE = (
    "Schrimpf et al., Brain-Score: Which Artificial Neural Network for Object Recognition is most Brain-Like?, 2018"
)
CONSTANT = 1e-12
"""Share of its size, beside the precision of its numbers, up to which a neuron is constant over samples."""


class Sides(NamedTuple):
    """One representation in all splits: to be predicted, and to predict from.

    Attributes
    ----------
    halves : tuple of Half
    predictors : tuple of Predictor
    sizes : Tensor of shape (n_features,)
        Up to which length a neuron's held-out values are constant.
    """

    halves: tuple[Half, ...]
    predictors: tuple[Predictor, ...]
    sizes: Tensor


@dataclass
class CrossValidated(Measure):
    """What all cross-validated measures share: the splits and how the units of a score become one number."""

    folds: int = 5
    scheme: str = "folds"
    seed: int = 0

    family = "regression"
    resolution = bases.RESOLUTION
    larger_is_more_similar = True
    symmetric = False
    deterministic = False
    spatial = "flatten"  # cells of one sample in several folds would let a map see what it is tested on
    reference = BRAIN_SCORE

    def __post_init__(self) -> None:
        self._scheme.check(self.name)

    @property
    def _scheme(self) -> Scheme:
        return Scheme(self.folds, self.scheme, self.seed)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, and in each split of a copy and its decomposition."""
        return bases.basis_bytes(n_samples, n_features) + 24 * self.folds * n_samples * n_features


@dataclass
class Predictions(CrossValidated):
    """Predictions of R from S by some regression, scored on the samples that are held out."""

    def prepare(self, x: Features) -> Sides:
        """Decompose the training samples of every split."""
        splits = self._scheme.splits(self.name, x.shape[0])
        parts = halves(x, splits)
        return Sides(parts, predictors(x, splits, parts), constant_below(x))

    def predictions(self, a: Sides, b: Sides) -> list[Tensor]:
        """Return what is predicted of R for the samples that are held out in each split."""
        return [self._predicted(side.train, source) for side, source in zip(a.halves, b.predictors, strict=True)]

    @abstractmethod
    def _predicted(self, train: Tensor, source: Predictor) -> Tensor:
        """Return predictions, shape (n_test, n_features), from the training values of what is to be predicted."""


@dataclass
class ByCorrelation(Predictions):
    """Scores by Pearson correlation."""

    units: str = "mean"
    squared: bool = False

    invariances = frozenset({"permutation", "isotropic_scaling", "translation"})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.name, "units", self.units, ("mean", "median"))

    def compare(self, a: Sides, b: Sides) -> float:
        """Return the correlation of predictions and values, in [-1, 1]."""
        scores = torch.stack(
            [
                correlations(found, side.test, a.sizes)
                for found, side in zip(self.predictions(a, b), a.halves, strict=True)
            ]
        )
        return over_units(scores.square() if self.squared else scores, self.units)


@dataclass
class ByVariance(Predictions):
    """Scores by the share of variance explained."""

    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})

    def compare(self, a: Sides, b: Sides) -> float:
        """Return the share of the variance that is predicted, at most 1."""
        wrong = total = 0.0
        for found, side in zip(self.predictions(a, b), a.halves, strict=True):
            wrong += float((side.test - found).square().sum())
            total += float(side.test.square().sum())
        if total <= float(a.sizes.square().sum()):
            raise DegenerateInputError("R does not vary over the samples that are held out")
        return 1 - wrong / total


def constant_below(x: Features) -> Tensor:
    """Return up to which length the centred values of each neuron may be rounding, shape (n_features,)."""
    share = max(CONSTANT, 4 * x.epsilon if x.single else 0.0)
    return share * x.shared(intermediates.scaled).matrix.norm(dim=0)


def correlations(found: Tensor, expected: Tensor, sizes: Tensor) -> Tensor:
    """Return the Pearson correlation of each neuron's predictions with its values, shape (n_features,).

    It is NaN for neurons that are constant over the samples, and 0 where the prediction is.

    Parameters
    ----------
    found, expected : Tensor of shape (n_samples, n_features)
    sizes : Tensor of shape (n_features,)
        Up to which length centred values are constant.
    """
    found, expected = found - found.mean(0), expected - expected.mean(0)
    lengths = found.norm(dim=0)
    norms = expected.norm(dim=0)
    flat = lengths <= CONSTANT * norms
    result = (found * expected).sum(0) / (lengths * norms).where(~flat, 1.0)
    return result.clamp(-1.0, 1.0).where(~flat, 0.0).where(norms > sizes, torch.nan)


def over_units(scores: Tensor, units: str) -> float:
    """Return the mean or median over neurons of their mean score over splits.

    Parameters
    ----------
    scores : Tensor of shape (n_splits, n_features)
        Where it is NaN there is no score.
    units : {"mean", "median"}

    Raises
    ------
    DegenerateInputError
        If no neuron has a score.
    """
    each = scores.nanmean(0)
    each = each[~each.isnan()]
    if len(each) == 0:
        raise DegenerateInputError("no neuron of R varies over the samples that are held out, in any fold")
    # torch's median is the lower one of two.
    return float(each.mean() if units == "mean" else each.quantile(0.5))
