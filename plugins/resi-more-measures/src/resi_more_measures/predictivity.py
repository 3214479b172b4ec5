"""How well one representation predicts the other, cross-validated: R is predicted from S."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from resi import Measure
from resi.errors import DegenerateInputError
from resi.measures.shared import bases, intermediates
from resi_more_measures.splits import Half, Predictor, Scheme, halves, predictors

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from resi.measures.features import Features

BRAIN_SCORE = (
    "Schrimpf et al., Brain-Score: Which Artificial Neural Network for Object Recognition is most Brain-Like?, 2018"
)
PENALTIES = tuple(10.0**power for power in range(-6, 5))
"""Ridge penalties that are tried, in units of the mean squared singular value of the training samples."""
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
class _CrossValidated(Measure):
    """What all cross-validated measures share: the splits and how the units of a score become one number."""

    folds: int = 5
    scheme: str = "folds"
    seed: int = 0

    family = "regression"
    resolution = bases.RESOLUTION
    larger_is_more_similar = True
    symmetric = False
    deterministic = False
    spatial = "align"
    reference = BRAIN_SCORE

    def __post_init__(self) -> None:
        self._scheme.check(self.name)

    @property
    def _scheme(self) -> Scheme:
        return Scheme(self.folds, self.scheme, self.seed)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, and in each split of a copy and its decomposition."""
        return bases.basis_bytes(n_samples, n_features) + 24 * self.folds * n_samples * n_features


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


@dataclass
class _Predictivity(_CrossValidated):
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
class _Linear(_Predictivity):
    """Least squares."""

    reference = BRAIN_SCORE
    cost = "O(folds N D²)"

    def _predicted(self, train: Tensor, source: Predictor) -> Tensor:
        if source.left.shape[1] >= len(train) - 1:
            raise DegenerateInputError(
                f"a linear map of S is not determined: S has {source.left.shape[1]} directions in {len(train)} "
                "training samples; take more samples, ridge_predictivity or pls_predictivity"
            )
        return (source.scores / source.values) @ (source.left.T @ train)


@dataclass
class _Ridge(_Predictivity):
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
class _PLS(_Predictivity):
    """Partial least squares regression (PLS2)."""

    components: int = 25

    cost = "O(folds components N D)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.components < 1:
            raise ValueError(f"{self.name}: components {self.components} must be at least 1")

    def _predicted(self, train: Tensor, source: Predictor) -> Tensor:
        inputs, tests = source.left * source.values, source.scores
        cross = inputs.T @ train
        size = float(cross.norm())
        result = train.new_zeros(len(tests), train.shape[1])
        for _ in range(min(self.components, inputs.shape[1])):
            if float(cross.norm()) <= bases.RESOLUTION * size:
                break  # nothing is left to predict
            weights = leading_direction(cross)
            component, test_component = inputs @ weights, tests @ weights
            square = component.square().sum()
            loadings, slopes = inputs.T @ component / square, train.T @ component / square
            result += torch.outer(test_component, slopes)
            inputs = inputs - torch.outer(component, loadings)
            tests = tests - torch.outer(test_component, loadings)
            cross = cross - torch.outer(loadings, component @ train)
        return result


def leading_direction(matrix: Tensor) -> Tensor:
    """Return the left singular vector of the largest singular value."""
    from scipy.linalg import eigh

    wide = matrix.shape[0] > matrix.shape[1]
    square = (matrix.T @ matrix if wide else matrix @ matrix.T).cpu().numpy()
    last = len(square) - 1
    vector = torch.as_tensor(eigh(square, subset_by_index=(last, last))[1][:, 0], device=matrix.device)
    vector = matrix @ vector if wide else vector
    return vector / vector.norm()


@dataclass
class _ByCorrelation(_Predictivity):
    """Scores by Pearson correlation."""

    units: str = "mean"
    squared: bool = False

    invariances = frozenset({"permutation", "isotropic_scaling", "translation"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.units not in ("mean", "median"):
            raise ValueError(f"{self.name}: units {self.units!r} does not exist; known: mean, median")

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
class _ByVariance(_Predictivity):
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


@dataclass
class LinearPredictivity(_Linear, _ByCorrelation):
    """Cross-validated linear predictivity.

    A linear map with intercept from S to R is fitted by least squares to the training samples of each fold. The score
    of a neuron of R is the Pearson correlation of its predictions with its values on the samples that are held out,
    averaged over folds; the value is the mean over neurons, in [-1, 1]. Neurons that are constant over the samples of a
    fold have no score there. It exists where S has fewer directions than there are training samples.

    Parameters
    ----------
    folds : int
        Number of splits; one of so many parts of the samples is held out in each.
    scheme : {"folds", "shuffled"}
        Whether every sample is held out once, or each split is a draw of its own.
    seed : int
        Key of the splits, which are the same for all representations of as many samples.
    units : {"mean", "median"}
        How the scores of the neurons are combined; Brain-Score takes the median.
    squared : bool
        Whether correlations are squared before.

    References
    ----------
    .. [1] Schrimpf et al., Brain-Score: Which Artificial Neural Network for Object Recognition is most Brain-Like?,
       2018.
    .. [2] Conwell et al., What can 1.8 billion regressions tell us about the pressures shaping high-level visual
       representation in brains and machines?, 2023.
    """

    name = "linear_predictivity"


@dataclass
class LinearPredictivityR2(_Linear, _ByVariance):
    """Cross-validated share of the variance of R that a linear map of S predicts.

    A linear map with intercept from S to R is fitted by least squares to the training samples of each fold; the value
    is ``1 - Σ ‖r - r̂‖² / Σ ‖r - r̄‖²`` over all neurons and all samples that are held out, with r̄ the means of the
    training samples: at most 1, and below 0 where the means predict better. It is what ``linear_regression`` fits,
    tested on other samples. It exists where S has fewer directions than there are training samples.

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
    .. [1] Conwell et al., What can 1.8 billion regressions tell us about the pressures shaping high-level visual
       representation in brains and machines?, 2023.
    .. [2] Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019.
    """

    name = "linear_predictivity_r2"


@dataclass
class RidgePredictivity(_Ridge, _ByCorrelation):
    """Cross-validated ridge predictivity.

    As ``linear_predictivity``, by ridge regression. The penalty is chosen within the training samples of each fold, as
    that of the least squared error when each sample alone is left out, among 10⁻⁶ to 10⁴ times the mean squared
    singular value of S.

    Parameters
    ----------
    folds : int
        Number of splits; one of so many parts of the samples is held out in each.
    scheme : {"folds", "shuffled"}
        Whether every sample is held out once, or each split is a draw of its own.
    seed : int
        Key of the splits, which are the same for all representations of as many samples.
    units : {"mean", "median"}
        How the scores of the neurons are combined; Brain-Score takes the median.
    squared : bool
        Whether correlations are squared before.

    References
    ----------
    .. [1] Schrimpf et al., Brain-Score: Which Artificial Neural Network for Object Recognition is most Brain-Like?,
       2018.
    .. [2] Soni et al., Conclusions about Neural Network to Brain Alignment are Profoundly Impacted by the Similarity
       Measure, 2024.
    """

    name = "ridge_predictivity"


@dataclass
class RidgePredictivityR2(_Ridge, _ByVariance):
    """Cross-validated share of the variance of R that ridge regression on S predicts.

    As ``linear_predictivity_r2``, by ridge regression with the penalty of ``ridge_predictivity``.

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
    .. [1] Conwell et al., What can 1.8 billion regressions tell us about the pressures shaping high-level visual
       representation in brains and machines?, 2023.
    """

    name = "ridge_predictivity_r2"


@dataclass
class _FixedRidge(_Predictivity):
    penalty: float = 1.0

    cost = "O(folds N D²)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.penalty < math.inf:
            raise ValueError(f"{self.name}: penalty {self.penalty} must be a number above 0")

    def _predicted(self, train: Tensor, source: Predictor) -> Tensor:
        return (source.scores * (source.values / (source.values.square() + self.penalty))) @ (source.left.T @ train)


@dataclass
class FixedRidgePredictivity(_FixedRidge, _ByCorrelation):
    """Cross-validated ridge predictivity with a given penalty.

    As ``ridge_predictivity``, with one penalty in the squared units of S for all folds, so that it is not invariant to
    scaling S.

    Parameters
    ----------
    folds : int
        Number of splits; one of so many parts of the samples is held out in each.
    scheme : {"folds", "shuffled"}
        Whether every sample is held out once, or each split is a draw of its own.
    seed : int
        Key of the splits, which are the same for all representations of as many samples.
    units : {"mean", "median"}
        How the scores of the neurons are combined; Brain-Score takes the median.
    squared : bool
        Whether correlations are squared before.
    penalty : float
        Factor of the squared norm of the map, above 0.

    References
    ----------
    .. [1] Conwell et al., What can 1.8 billion regressions tell us about the pressures shaping high-level visual
       representation in brains and machines?, 2023.
    """

    name = "fixed_ridge_predictivity"
    invariances = frozenset({"permutation", "translation"})
    reference = (
        "Conwell et al., What can 1.8 billion regressions tell us about the pressures shaping high-level visual "
        "representation in brains and machines?, 2023"
    )


@dataclass
class FixedRidgePredictivityR2(_FixedRidge, _ByVariance):
    """Cross-validated share of the variance of R that ridge regression on S with a given penalty predicts.

    As ``ridge_predictivity_r2``, with one penalty in the squared units of S for all folds, so that it is not invariant
    to scaling S.

    Parameters
    ----------
    folds : int
        Number of splits; one of so many parts of the samples is held out in each.
    scheme : {"folds", "shuffled"}
        Whether every sample is held out once, or each split is a draw of its own.
    seed : int
        Key of the splits, which are the same for all representations of as many samples.
    penalty : float
        Factor of the squared norm of the map, above 0.

    References
    ----------
    .. [1] Conwell et al., What can 1.8 billion regressions tell us about the pressures shaping high-level visual
       representation in brains and machines?, 2023.
    """

    name = "fixed_ridge_predictivity_r2"
    invariances = frozenset({"orthogonal", "permutation", "translation"})
    reference = FixedRidgePredictivity.reference


@dataclass
class PLSPredictivity(_PLS, _ByCorrelation):
    """Cross-validated predictivity by partial least squares regression.

    As ``linear_predictivity``, by regression on the components of S that have the largest covariance with R (PLS2;
    features are centred, not scaled), as in Brain-Score. Defined for any number of features.

    Parameters
    ----------
    folds : int
        Number of splits; one of so many parts of the samples is held out in each.
    scheme : {"folds", "shuffled"}
        Whether every sample is held out once, or each split is a draw of its own.
    seed : int
        Key of the splits, which are the same for all representations of as many samples.
    units : {"mean", "median"}
        How the scores of the neurons are combined; Brain-Score takes the median.
    squared : bool
        Whether correlations are squared before.
    components : int
        Number of components; all directions of S where there are not as many.

    References
    ----------
    .. [1] Schrimpf et al., Brain-Score: Which Artificial Neural Network for Object Recognition is most Brain-Like?,
       2018.
    """

    name = "pls_predictivity"


@dataclass
class PLSPredictivityR2(_PLS, _ByVariance):
    """Cross-validated share of the variance of R that partial least squares regression on S predicts.

    As ``linear_predictivity_r2``, by the regression of ``pls_predictivity``.

    Parameters
    ----------
    folds : int
        Number of splits; one of so many parts of the samples is held out in each.
    scheme : {"folds", "shuffled"}
        Whether every sample is held out once, or each split is a draw of its own.
    seed : int
        Key of the splits, which are the same for all representations of as many samples.
    components : int
        Number of components; all directions of S where there are not as many.

    References
    ----------
    .. [1] Schrimpf et al., Brain-Score: Which Artificial Neural Network for Object Recognition is most Brain-Like?,
       2018.
    """

    name = "pls_predictivity_r2"


@dataclass
class EncodedRSA(_Ridge):
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
    reference = FixedRidgePredictivity.reference

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
class PairwiseMatchPredictivity(_CrossValidated):
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


MEASURES: tuple[type[Measure], ...] = (
    EncodedRSA,
    FixedRidgePredictivity,
    FixedRidgePredictivityR2,
    LinearPredictivity,
    LinearPredictivityR2,
    PairwiseMatchPredictivity,
    PLSPredictivity,
    PLSPredictivityR2,
    RidgePredictivity,
    RidgePredictivityR2,
)
