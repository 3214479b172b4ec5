"""How well one representation predicts the other, cross-validated: R is predicted from S."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi_more_measures.regressions import CrossValidatedRidge, FixedRidge, LeastSquares, PartialLeastSquares
from resi_more_measures.scoring import ByCorrelation, ByVariance

if TYPE_CHECKING:
    from resi import Measure

CONWELL = (
    "Conwell et al., What can 1.8 billion regressions tell us about the pressures shaping high-level visual "
    "representation in brains and machines?, 2023"
)


@dataclass
class LinearPredictivity(LeastSquares, ByCorrelation):
    """Cross-validated linear predictivity.

    A linear map with intercept from S to R is fitted by least squares to the training samples of each fold. The score
    of a neuron of R is the Pearson correlation of its predictions with its values on the samples that are held out,
    averaged over folds; the value is the mean over neurons, in [-1, 1]. Neurons that are constant over the samples of a
    fold have no score there. Where S has as many directions as there are training samples, the smallest of the maps
    that fit these exactly is taken, and a note says so.

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
class LinearPredictivityR2(LeastSquares, ByVariance):
    """Cross-validated share of the variance of R that a linear map of S predicts.

    A linear map with intercept from S to R is fitted by least squares to the training samples of each fold; the value
    is ``1 - Σ ‖r - r̂‖² / Σ ‖r - r̄‖²`` over all neurons and all samples that are held out, with r̄ the means of the
    training samples: at most 1, and below 0 where the means predict better. It is what ``linear_regression`` fits,
    tested on other samples. Where S has as many directions as there are training samples, the smallest of the maps that
    fit these exactly is taken, and a note says so.

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
class RidgePredictivity(CrossValidatedRidge, ByCorrelation):
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
class RidgePredictivityR2(CrossValidatedRidge, ByVariance):
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
class FixedRidgePredictivity(FixedRidge, ByCorrelation):
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
    reference = CONWELL


@dataclass
class FixedRidgePredictivityR2(FixedRidge, ByVariance):
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
    reference = CONWELL


@dataclass
class PLSPredictivity(PartialLeastSquares, ByCorrelation):
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
class PLSPredictivityR2(PartialLeastSquares, ByVariance):
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


MEASURES: tuple[type[Measure], ...] = (
    FixedRidgePredictivity,
    FixedRidgePredictivityR2,
    LinearPredictivity,
    LinearPredictivityR2,
    PLSPredictivity,
    PLSPredictivityR2,
    RidgePredictivity,
    RidgePredictivityR2,
)
