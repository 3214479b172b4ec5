"""Permutation null: values of a pair with randomly permuted samples, and how the observed value compares with them.

The rows of the second side are permuted, so that its samples match those of the first by chance only.
The p-value is the share of such values that reach the observed one. The calibrated value is how far the observed value
lies above nearly all of them, as a share of the way to the best value.
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
    from numpy.typing import ArrayLike
    from torch import Tensor

    from resi.measures.base import Measure
else:
    from resi.lazy import numpy as np
    from resi.lazy import torch

LEVEL = 0.05
"""Share of permuted values that may lie beyond the threshold."""
FEWEST_PERMUTATIONS = 19
"""With fewer permutations no value can exceed the threshold, which is then the most similar value of all."""
TIE, TIE_SINGLE = 1e-9, 1e-6
"""Values that differ by no more than this share of the larger one are as similar: what is the same by definition, such
as the value of an order that only exchanges equal rows, is not to miss the one that was found by rounding. The second
holds where a side has single precision or less, in which some measures multiply."""


@dataclass(frozen=True)
class Null:
    """How often, and within which groups, the samples of one side are permuted.

    Attributes
    ----------
    permutations : int
        Number of random orders; the smallest p-value is one divided by one more than that.
    seed : int
        Key of the orders. They depend only on it, the number of samples and the blocks, so that
        all pairs and measures of a call share them. The first ones are the same for any number of permutations.
    blocks : tuple of int, optional
        A group code per sample: samples are permuted only within their group.
    keep : bool
        Whether the values of all orders are kept in :attr:`Chance.values`.
    """

    permutations: int
    seed: int = 0
    blocks: tuple[int, ...] | None = None
    keep: bool = False

    def __post_init__(self) -> None:
        is_number = hasattr(self.permutations, "__index__") and not isinstance(self.permutations, bool)
        if not is_number or self.permutations < 1:
            raise UsageError(
                f"null={self.permutations!r}: expected the number of permutations, such as 200, or a resi.Null"
            )
        if self.blocks is not None and len(set(self.blocks)) == len(self.blocks):
            raise UsageError("blocks: every sample is in its own block, so nothing can be permuted")

    def order(self, n_samples: int, number: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return the order of the samples for one permutation: row i of the permuted matrix is row ``order[i]``.

        Raises
        ------
        UsageError
            If the blocks are for another number of samples.
        """
        if self.blocks is not None and len(self.blocks) != n_samples:
            raise UsageError(
                f"blocks: {len(self.blocks)} labels for {n_samples} samples; expected one for each sample, in the "
                "order of the rows"
            )
        drawn = generator(self.seed, "null", n_samples, number).random(n_samples)
        if self.blocks is None:
            return np.argsort(drawn)
        codes = np.asarray(self.blocks)
        order = np.empty(n_samples, dtype=np.int64)
        order[np.argsort(codes, kind="stable")] = np.lexsort((drawn, codes))
        return order

    def orders(self, n_samples: int, numbers: range) -> Tensor:
        """Return several orders, shape (n_orders, n_samples)."""
        return torch.from_numpy(np.stack([self.order(n_samples, number) for number in numbers]))

    def possible(self, n_samples: int) -> float:
        """Return how many different orders there are; infinity where that is more than a float holds."""
        sizes = [n_samples] if self.blocks is None else np.unique(self.blocks, return_counts=True)[1].tolist()
        log = sum(math.lgamma(size + 1) for size in sizes)
        return round(math.exp(log)) if log < 30 else math.inf


class Chance(NamedTuple):
    """A value compared with the values for permuted samples.

    Attributes
    ----------
    mean : float
        Mean of the permuted values.
    quantile : float or None
        The threshold: 95 % of the permuted values and the observed one are no more similar than this.
    p_value : float or None
        Share of the permuted values, counting the observed one, that are at least as similar.
    calibrated : float or None
        How far the value lies beyond the threshold, as a share of the way to the best value: 0 where it does not, at
        most 1. None where ``missing`` says why.
    exact_mean, exact_variance : float or None
        Mean and variance over all orders of the samples, where they are known in closed form.
    exact_of : {"value", "square"} or None
        Whether they are those of the value or of its square.
    best : float or None
        The best possible value, where it is known.
    values : tuple of float or None
        The permuted values in their order, if they are kept.
    seconds : float
        Time for this pair.
    missing : str
        Why there is a p-value but no calibrated one; else empty.

    All but the mean are None where it is not known whether larger values are more similar.
    """

    mean: float
    quantile: float | None = None
    p_value: float | None = None
    calibrated: float | None = None
    exact_mean: float | None = None
    exact_variance: float | None = None
    exact_of: str | None = None
    best: float | None = None
    values: tuple[float, ...] | None = None
    seconds: float = 0.0
    missing: str = ""


def stands_out(
    value: float,
    permuted: ArrayLike,
    *,
    larger_is_more_similar: bool | None,
    best: float | None = None,
    tie: float = TIE,
) -> Chance:
    """Compare a value with the values for permuted samples.

    Parameters
    ----------
    permuted : array of shape (n_permutations,)
        The values of all permutations.
    larger_is_more_similar : bool or None
        None where it is not known.
    best : float, optional
        The best possible value.
    tie : float
        Values that differ by at most this share of the larger one are ties.

    Notes
    -----
    The threshold is order statistic ``ceil(0.95 (K + 1))`` of the value and the K permuted ones, from the
    least similar to the most similar. A value beyond it has a p-value of 0.05 at most.

    References
    ----------
    .. [1] Phipson and Smyth, Permutation p-values should never be zero, Statistical Applications in Genetics and
       Molecular Biology 2010.
    .. [2] Gröger, Wen and Brbić, ICML 2026.
    """
    values = np.asarray(permuted, dtype=np.float64)
    mean = float(values.mean())
    if larger_is_more_similar is None:
        return Chance(mean)
    sign = 1.0 if larger_is_more_similar else -1.0
    found, drawn = sign * value, sign * values
    width = tie * max(abs(value), float(np.abs(values).max()))
    p_value = (1 + int((drawn >= found - width).sum())) / (1 + len(values))
    ordered = np.sort(np.append(drawn, found))
    threshold = float(ordered[math.ceil((1 - LEVEL) * len(ordered) - 1e-9) - 1])
    missing = _missing(len(values), best, best is not None and sign * best - threshold > width)
    if missing or best is None:
        return Chance(mean, sign * threshold, p_value, best=best, missing=missing)
    beyond = found - threshold
    calibrated = min(beyond / (sign * best - threshold), 1.0) if beyond > width else 0.0
    return Chance(mean, sign * threshold, p_value, calibrated, best=best)


def _missing(permutations: int, best: float | None, is_beyond: bool) -> str:
    """Return why there is no calibrated value, or an empty text if there is one."""
    if permutations < FEWEST_PERMUTATIONS:
        return f"no calibrated value: {permutations} permutations are too few, {FEWEST_PERMUTATIONS} are needed"
    if best is None:
        return "no calibrated value: it is not known which value is the best"
    return "" if is_beyond else "no calibrated value: chance alone reaches the best value"


def direction(measure: Measure) -> bool | None:
    """Return whether larger values of a measure are more similar; None where it does not say."""
    return measure.larger_is_more_similar if measure.knows_direction else None
