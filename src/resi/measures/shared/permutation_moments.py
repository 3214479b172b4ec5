"""Mean and variance, over all orders of the samples, of ``T = Σ_ij A_ij B_o(i)o(j)`` for symmetric matrices A and B.

They need sums of the entries of each matrix alone, so that no sample is permuted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

LEAST_SAMPLES = 4
"""Sums over four different samples have none of fewer."""


class Moments(NamedTuple):
    """Mean and variance over all orders of the samples of the second side.

    Attributes
    ----------
    of_square : bool
        Whether they are those of the square of the value.
    """

    mean: float
    variance: float
    of_square: bool = False

    def scaled(self, factor: float, offset: float = 0.0) -> Moments:
        """Return those of ``offset + factor * T``."""
        return Moments(offset + factor * self.mean, factor**2 * self.variance, self.of_square)


class Traces(NamedTuple):
    """Of a symmetric matrix whose rows have the sum zero: trace, sum of squares, and sum of squares of the diagonal."""

    trace: float
    squares: float
    diagonal: float

    @classmethod
    def of_factor(cls, factor: Tensor, squares: float) -> Traces:
        """Return those of ``F Fᵀ``, for a centred F and the sum of the squares of that product."""
        lengths = factor.square().sum(1)
        return cls(float(lengths.sum()), squares, float(lengths.square().sum()))


def of_centred(a: Traces, b: Traces, n_samples: int) -> Moments:
    """Return the moments for two matrices whose rows have the sum zero, such as centred Gram matrices.

    References
    ----------
    .. [1] Kazi-Aoual et al., Refined approximations to permutation tests for multivariate inference, Computational
       Statistics & Data Analysis 1995.
    """
    n = n_samples
    mean = a.trace * b.trace / (n - 1)
    first = [(n - 1) * side.squares - side.trace**2 for side in (a, b)]
    second = [n * (n + 1) * side.diagonal - (n - 1) * (side.trace**2 + 2 * side.squares) for side in (a, b)]
    variance = 2 * first[0] * first[1] / ((n - 1) ** 2 * (n + 1) * (n - 2))
    variance += second[0] * second[1] / ((n + 1) * n * (n - 1) * (n - 2) * (n - 3))
    return Moments(mean, max(variance, 0.0))


class Sums(NamedTuple):
    """Of a symmetric matrix with a zero diagonal: sum of entries, of their squares, and of the squares of row sums."""

    entries: float
    squares: float
    rows: float


def of_hollow(a: Sums, b: Sums, n_samples: int) -> Moments:
    """Return the moments for two matrices with zero diagonals, such as of ranked distances.

    References
    ----------
    .. [1] Mantel, The detection of disease clustering and a generalized regression approach, Cancer Research 1967.
    """
    n = n_samples
    mean = a.entries * b.entries / (n * (n - 1))
    # Two pairs of samples are the same, share one sample, or none.
    same = 2 * a.squares * b.squares / (n * (n - 1))
    one = 4 * (a.rows - a.squares) * (b.rows - b.squares) / (n * (n - 1) * (n - 2))
    apart = [side.entries**2 + 2 * side.squares - 4 * side.rows for side in (a, b)]
    none = apart[0] * apart[1] / (n * (n - 1) * (n - 2) * (n - 3))
    return Moments(mean, max(same + one + none - mean**2, 0.0))
