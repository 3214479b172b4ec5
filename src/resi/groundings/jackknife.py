"""Intervals from leave-one-out scores (jackknife): how much a score would vary if models were trained again.

Resampling with replacement, the usual way, leaves too few different models where groups have five: its intervals hold
the expected score too rarely, above all near the best score. ``docs/tests.md`` says how often these hold it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from resi.groundings.base import Values

    Array = np.ndarray[Any, Any]
else:
    from resi.lazy import numpy as np

COVERAGE = 0.95
# Fewer models per group say next to nothing about how much models vary.
FEWEST_MODELS = 3
# Errors below this are rounding: the score does not depend on which model is left out.
NO_ERROR = 1e-12
# So that logarithms are finite; the limit for perfect scores is the one that counts there.
NEAREST_TO_END = 5e-4
# Log odds leave limits at most so many times as far away as the error itself says.
FARTHEST = 3.0


class Scale(NamedTuple):
    """Scale of a score's limits, besides its error.

    Attributes
    ----------
    best, worst : float
        Ends of the score's range.
    quantile : float
        How many standard errors the limits are away.
    floor : float
        How far the limit of a perfect score is away, where no error is seen: as far as if one of the models had gone
        wrong. With so few models, one that goes wrong more rarely is not seen.
    least : float
        How far any limit is away at least, for scores that move in jumps.
    """

    best: float
    worst: float
    quantile: float
    floor: float
    least: float = 0.0


def influences(without: Values, groups: Array) -> Values:
    """Return the contribution of each model to the uncertainty of scores: the squares sum to the variance.

    Parameters
    ----------
    without : array of shape (..., n_models)
        The score without each model.
    groups : array of shape (n_models,)
        The group of each model; groups are of fixed size.

    References
    ----------
    .. [1] Arvesen, Jackknifing U-statistics, Annals of Mathematical Statistics 1969.
    """
    found = np.empty(without.shape)
    for group in np.unique(groups):
        of_group = groups == group
        scores, size = np.ascontiguousarray(without[..., of_group]), int(of_group.sum())
        found[..., of_group] = np.sqrt((size - 1) / size) * (scores.mean(axis=-1, keepdims=True) - scores)
    return found


def standard_errors(influence: Values) -> Values:
    """Return the standard error of each score, NaN where it is undefined without one of the models."""
    return np.sqrt((influence**2).sum(axis=-1))


def limits(values: Values, errors: Values, scale: Scale) -> Values:
    """Return the lower and upper 95 % limits of scores, shape (2, ...).

    They are so many standard errors away on the scale of log odds, as scores are the surer, the nearer they are to the
    ends of their range, but no more than three times as far as on the scale of scores. Where all models agree, they are
    ``scale.floor`` away. No limit is nearer to an end than that of a score at the end: a score that is worse is
    no reason to be surer.

    Parameters
    ----------
    values, errors : array of shape (...)
    """
    span = scale.best - scale.worst
    shares, errors = (values - scale.worst) / span, np.abs(errors / span)
    floor, least = scale.floor / abs(span), scale.least / abs(span)
    step, inside = scale.quantile * errors, np.clip(shares, NEAREST_TO_END, 1 - NEAREST_TO_END)
    odds, width = np.log(inside / (1 - inside)), step / (inside * (1 - inside))
    low = np.maximum(_share(odds - width), shares - FARTHEST * step)
    high = np.minimum(_share(odds + width), shares + FARTHEST * step)
    low = np.minimum(low, np.minimum(1 - floor, shares - least))
    high = np.maximum(high, np.maximum(floor, shares + least))
    agree = errors <= NO_ERROR
    ends = np.stack([np.where(agree, shares - floor, low), np.where(agree, shares + floor, high)])
    return np.sort(scale.worst + span * np.clip(ends, 0, 1), axis=0)


def t_quantile(degrees: int) -> float:
    """Return how many standard errors a 95 % interval reaches to either side, by Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + COVERAGE) / 2))


def normal_quantile() -> float:
    """Return the same for the normal distribution."""
    from scipy.special import ndtri

    return float(ndtri((1 + COVERAGE) / 2))


def _share(odds: Values) -> Values:
    return 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
