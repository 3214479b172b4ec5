"""Bootstrap intervals: how much a value varies over samples, estimated by resampling them.

An interval is for the expected value at the given number of samples: other samples of the same kind and number would
have a value in it. It says nothing about the bias of a measure on few samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import UsageError
from resi.randomness import generator

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from resi.measures.base import Measure

    Values = NDArray[np.float64]
else:
    from resi.lazy import numpy as np
    from resi.lazy import torch

LEVEL = 0.95
FEWEST_DRAWS = 40
"""With fewer draws, the limits would be their extremes."""
FEWEST_SAMPLES = 8
"""Fewer samples, or blocks of them, are too few to estimate their variation."""
MOST_UNDEFINED = 0.2
"""Draws without a value are left out; if they are a larger share, what is left is not representative."""

MOST_OF_THE_WAY = 0.7
"""If halves of the samples are nearer to the best value by this share of the distance to it, their scatter is small
because they are few."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Bootstrap:
    """How often, and in which blocks, samples are resampled.

    Attributes
    ----------
    draws : int
        How many times.
    seed : int
        Key of the draws. They depend only on it, the number of samples and the blocks, so that
        all pairs of a call share them. The first ones are the same for any number of draws.
    blocks : tuple of int, optional
        A group code per sample: samples of one group are drawn together.
    keep : bool
        Whether the scatter is kept in :attr:`Interval.replicates`.
    """

    draws: int
    seed: int = 0
    blocks: tuple[int, ...] | None = None
    keep: bool = False

    def __post_init__(self) -> None:
        is_number = hasattr(self.draws, "__index__") and not isinstance(self.draws, bool)
        if not is_number or self.draws < FEWEST_DRAWS:
            raise UsageError(
                f"bootstrap={self.draws!r}: expected the number of draws, at least {FEWEST_DRAWS}, such as "
                "1000, or a resi.Bootstrap"
            )
        if self.blocks is not None and len(set(self.blocks)) < FEWEST_SAMPLES:
            raise UsageError(
                f"blocks: {len(set(self.blocks))} blocks do not show how they scatter; bootstrap takes at least "
                f"{FEWEST_SAMPLES}"
            )

    def units(self, n_samples: int) -> int:
        """Return how many samples, or blocks of them, are drawn from.

        Raises
        ------
        UsageError
            If there are blocks, and not of as many samples.
        """
        if self.blocks is None:
            return n_samples
        if len(self.blocks) != n_samples:
            raise UsageError(
                f"blocks: {len(self.blocks)} labels for {n_samples} samples; expected one for each sample, in the "
                "order of the rows"
            )
        return len(set(self.blocks))

    def counts(self, n_samples: int, numbers: range, copies: bool) -> Tensor:
        """Return how often each sample is in some of the draws, shape (n_draws, n_samples), int64.

        Parameters
        ----------
        copies : bool
            Draw as many samples as there are, with copies. Otherwise each draw is half of the samples, and every second
            one the other half.
        """
        units = self.units(n_samples)
        draw = self._with_copies if copies else self._half
        counts = np.stack([draw(units, number) for number in numbers])
        if self.blocks is not None:
            counts = counts[:, np.unique(self.blocks, return_inverse=True)[1]]
        return torch.from_numpy(counts)

    def _with_copies(self, units: int, number: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        drawn = generator(self.seed, "bootstrap", units, number).integers(units, size=units)
        return np.bincount(drawn, minlength=units)

    def _half(self, units: int, number: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        order = generator(self.seed, "bootstrap halves", units, number // 2).permutation(units)
        half, counts = units // 2, np.zeros(units, dtype=np.int64)
        counts[order[half : 2 * half] if number % 2 else order[:half]] = 1
        return counts


class Interval(NamedTuple):
    """The 95 % interval of a value over samples.

    Attributes
    ----------
    low, high : float
    error : float
        Standard error of the value.
    units : int
        How many samples, or blocks, it is drawn from.
    replicates : tuple of float or None
        The value estimated for other samples, one for each draw, NaN where a draw has no value; only if they
        were to be kept. Those of two pairs, draw by draw, scatter together.
    seconds : float
        Time that it took for this pair.
    """

    low: float
    high: float
    error: float
    units: int
    replicates: tuple[float, ...] | None = None
    seconds: float = 0.0


def replicated(value: float, drawn: ArrayLike, units: int, *, copies: bool, power: float = 0.0) -> Values:
    """Return estimates of a value for other samples, from the values of draws.

    Parameters
    ----------
    drawn : array of shape (n_draws,)
        The values of the draws; NaN for a draw without a value.
    units : int
        How many samples, or blocks, the draws are from.
    copies : bool
        How they were drawn, as for :meth:`Bootstrap.counts`.
    power : float
        With which power of its scale a value varies: where halves are on another scale, their variation is scaled to
        that of the value (1), to the root of it (1/2), or left as it is (0).

    Returns
    -------
    array of shape (n_draws,)

    Notes
    -----
    The draws are moved so that their mean is the value: fewer or copied samples change the expected value of many
    measures, not much its scatter. Drawn with copies, a mean scatters by ``sqrt((n - 1) / n)`` of what it does over
    other samples, and a mean of m of n samples without copies by ``sqrt((n - m) / m)``: one for halves.

    References
    ----------
    .. [1] Efron and Tibshirani, An Introduction to the Bootstrap, 1993.
    .. [2] Shao and Wu, A general theory for jackknife variance estimation, Annals of Statistics 1989 (halves).
    """
    values = np.asarray(drawn, dtype=np.float64)
    known = np.isfinite(values)
    middle = float(values[known].mean()) if known.any() else math.nan
    half = units // 2
    factor = math.sqrt(units / (units - 1)) if copies else math.sqrt(half / (units - half))
    if not copies and middle > 0:
        factor *= (abs(value) / middle) ** power
    return np.where(known, value + factor * (values - middle), np.nan)


def interval(
    value: float, replicates: ArrayLike, units: int, best: float | None = None, larger_is_more_similar: bool = True
) -> Interval | None:
    """Return the 95 % interval of a value from its replicates; None if more than a fifth of them have no value.

    Parameters
    ----------
    value : float
    replicates : array of shape (n_draws,)
        What :func:`replicated` returns, or differences of it.
    units : int
        How many samples, or blocks, were drawn from.
    best : float, optional
        The best possible value, at which the interval is cut off.
    larger_is_more_similar : bool
        Whether the best value is the largest one; if not, it is the smallest.

    Notes
    -----
    The value plus and minus w: its standard error times the quantile of Student's t for as many samples. Where the best
    value is known, it is the root of the distance d to it that is taken plus and minus, as values near the best scatter
    less the nearer they are: from ``(√d - w / 2√d)²`` to ``(√d + w / 2√d)²``, and from 0 to at most ``d + 3/2 w`` where
    d is less than w / 2. In simulations such intervals missed less often, and less on one side alone, than quantiles
    of the replicates.
    """
    from scipy.special import stdtrit

    values = np.asarray(replicates, dtype=np.float64)
    known = values[np.isfinite(values)]
    if len(known) < max((1 - MOST_UNDEFINED) * len(values), 2):
        return None
    error = float(known.std(ddof=1))
    width = float(stdtrit(units - 1, (1 + LEVEL) / 2)) * error
    if best is None:
        return Interval(value - width, value + width, error, units)
    distance = abs(value - best)
    skew = min(width * width / (4 * distance), width / 2) if distance else width / 2
    near = distance - width + skew if width < 2 * distance else 0.0
    far = distance + width + skew
    if larger_is_more_similar:
        return Interval(best - far, best - near, error, units)
    return Interval(best + near, best + far, error, units)


def is_settled(value: float, drawn: ArrayLike, best: float | None) -> bool:
    """Return whether halves of the samples are too small for their values to depend on which samples they hold.

    Where half of the samples are about as few as the features, many measures have their best value whatever the samples
    are, and the scatter of halves does not measure that of all.

    Parameters
    ----------
    drawn : array of shape (n_draws,)
        Values of halves, NaN for those without one.
    best : float or None
        The best possible value, if it is known.
    """
    values = np.asarray(drawn, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return False
    if values.max() - values.min() <= ROUNDING * abs(values).max():
        return abs(value - values[0]) > ROUNDING * abs(value)
    return best is not None and (values.mean() - value) / (best - value or ROUNDING) > MOST_OF_THE_WAY


def power_of(measure: Measure) -> float:
    """Return with which power of its scale a value varies, where halves of the samples are on another scale.

    Distances in the units of the features grow with the number of samples, and scatter in proportion. What a fixed
    number of nearest neighbours have in common falls with it, and scatters as a count does, about with its root.
    """
    if measure.larger_is_more_similar:
        return 0.5 if measure.family == "neighbours" else 0.0
    return 0.0 if "isotropic_scaling" in measure.invariances else 1.0
