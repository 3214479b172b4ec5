"""Rows of a representation as vectors to take distances between, and how far rounding has moved them.

Cosine distances are half the squared Euclidean distances between rows of length one, and so are what Pearson
correlations lack of 1, of rows with their mean taken off. ``1 - cosine`` of nearly parallel rows would be rounding
error; differences of the rows keep their digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi.measures.shared.intermediates import BLOCK_ENTRIES, RELATIVE_ZERO, scale
from resi.measures.shared.precision import SUMMED_SPREAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

    from resi.measures.features import Features

    Index = Tensor | slice
else:
    from resi.lazy import torch

# Half the digits of a float64, for exact products (Dekker 1971).
SPLIT = 2.0**27 + 1
EVERY = slice(None)


def resolution(x: Features) -> float:
    """Return up to which share of their length rows may differ by the rounding of their numbers alone.

    Numbers of single precision and less stand at the end of sums that are rounded in single precision.
    """
    return max(x.epsilon, SUMMED_SPREAD) if x.single else x.epsilon


def name_of(dtype: torch.dtype) -> str:
    """Return the name of a precision, such as float32."""
    return str(dtype).removeprefix("torch.")


class Vectors(NamedTuple):
    """Vectors ``(factor * given - mean) / norm``, computed for those rows and columns that are asked for.

    Attributes
    ----------
    given : Tensor of shape (n_samples, n_features)
        The representation in the precision it has.
    factor : Tensor of shape (n_samples, 1)
        Powers of two, or 0 for rows without a direction.
    mean, norm : Tensor of shape (n_samples, 1) or None
        Mean over features and length of each row; None where nothing is taken off, or rows keep their length.
    """

    given: Tensor
    factor: Tensor
    mean: Tensor | None = None
    norm: Tensor | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of vectors and of their entries."""
        n_samples, n_features = self.given.shape
        return n_samples, n_features

    @property
    def missing(self) -> Tensor | None:
        """Index of the rows without a direction, or None where all have one."""
        found = (self.factor == 0).squeeze(1).nonzero().squeeze(1)
        return found if len(found) > 0 else None

    def sizes(self, columns: slice = EVERY) -> Tensor:
        """Return the root of the sum of squares of columns before means are taken off: rounding is a share of that."""
        result = self._as_given(EVERY, columns)
        return (result if self.norm is None else result.div_(self.norm)).norm(dim=0)

    def take(self, rows: Index = EVERY, columns: slice = EVERY) -> Tensor:
        """Return the vectors of some rows, restricted to some columns, rounded to float64."""
        result = self._as_given(rows, columns)
        if self.mean is not None:
            result -= self.mean[rows]
        return result if self.norm is None else result.div_(self.norm[rows])

    def take_exactly(self, rows: Index = EVERY, columns: slice = EVERY) -> tuple[Tensor, Tensor | None]:
        """Return ``take``, and what rounding took off it, or None where that is nothing.

        The sum of the two is the vector up to a factor that is 1 to rounding error.
        """
        raw = self._as_given(rows, columns)
        rest: Tensor | None = None
        if self.mean is not None:
            raw, rest = _exact_difference(raw, self.mean[rows])
        if self.norm is None:
            return raw, rest
        norm = self.norm[rows]
        unit = raw / norm
        product, error = _exact_product(unit, norm)
        left = raw.sub_(product).sub_(error)
        return unit, (left if rest is None else left.add_(rest)).div_(norm)

    def differences(self, rows: Tensor, others: Tensor, columns: slice = EVERY) -> Tensor:
        """Return ``rows - others``, both given by index, to nearly all digits; one index may be broadcast."""
        first, first_rest = self.take_exactly(rows, columns)
        second, second_rest = self.take_exactly(others, columns)
        result = first - second
        if first_rest is not None and second_rest is not None:
            result += first_rest - second_rest
        return result

    def subset(self, rows: Tensor) -> Vectors:
        """Return the vectors of some rows."""
        return Vectors(*(None if part is None else part[rows] for part in self))  # type: ignore[arg-type]

    def _as_given(self, rows: Index, columns: slice) -> Tensor:
        return _times(self.given[:, columns][rows], self.factor[rows])


def _times(numbers: Tensor, factor: Tensor) -> Tensor:
    """Return numbers in double precision times a factor, as a new tensor: float64 numbers are the caller's."""
    if numbers.dtype == torch.float64:
        return numbers * factor
    return numbers.to(torch.float64).mul_(factor)  # in the memory of the copy


def positions(x: Features) -> Vectors:
    """Return the rows, in units of the scale of the representation."""
    factor = torch.full((x.shape[0], 1), 1 / x.shared(scale), dtype=torch.float64, device=x.given.device)
    return Vectors(x.given, factor)


def directions(x: Features) -> Vectors:
    """Return the rows with length one; all-zero rows have no direction."""
    return _directions(x, centred=False)


def profiles(x: Features) -> Vectors:
    """Return the rows with their means taken off and length one.

    Rows whose entries differ by no more than the precision of the numbers, or 1e-12, have no direction.
    """
    return _directions(x, centred=True)


def _directions(x: Features, centred: bool) -> Vectors:
    given = x.given
    kept = [_lengths_of(given[rows], centred) for rows in row_blocks(*x.shape)]
    factor, mean, norm, length = (torch.cat(part) for part in zip(*kept, strict=True))
    if not centred:
        missing = norm == 0
        return Vectors(given, factor.masked_fill_(missing, 0), None, norm.masked_fill_(missing, 1))
    missing = norm <= max(RELATIVE_ZERO, resolution(x)) * length
    factor, mean = factor.masked_fill_(missing, 0), mean.masked_fill_(missing, 0)
    norm = norm.masked_fill_(missing, 1)
    return Vectors(given, factor, mean, norm)


def _lengths_of(numbers: Tensor, centred: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return a power of two for each row, and the mean and the lengths, with and without it, of the row times that."""
    low, high = numbers.aminmax(dim=1, keepdim=True)
    exponent = torch.frexp(torch.maximum(-low, high).to(torch.float64)).exponent
    factor = _power_of_two(-exponent.clamp(-1000, 1000))
    block = _times(numbers, factor)
    length = block.norm(dim=1, keepdim=True)
    mean = block.mean(1, keepdim=True)
    return factor, mean, (block.sub_(mean).norm(dim=1, keepdim=True) if centred else length.clone()), length


def _power_of_two(exponent: Tensor) -> Tensor:
    # By its bits, since a power that is off by rounding would move every entry.
    return ((exponent.to(torch.int64) + 1023) << 52).view(torch.float64)


def row_blocks(n_samples: int, n_features: int) -> Iterator[slice]:
    """Yield rows of a matrix that hold about ``BLOCK_ENTRIES`` numbers: always the same for matrices of one shape."""
    block = max(1, BLOCK_ENTRIES // n_features)
    return (slice(start, min(start + block, n_samples)) for start in range(0, n_samples, block))


def column_blocks(n_samples: int, n_features: int) -> Iterator[slice]:
    """Yield columns of a matrix that hold about ``BLOCK_ENTRIES`` numbers: the same for all matrices of one shape."""
    return row_blocks(n_features, n_samples)


def _exact_difference(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return a - b rounded, and what rounding took off it (Knuth)."""
    difference = a - b
    added = difference - a
    return difference, (a - (difference - added)).sub_(b + added)


def _exact_product(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return a * b rounded, and what rounding took off it (Dekker)."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    error = (a_high * b_high).sub_(product).add_(a_high * b_low).add_(a_low * b_high).add_(a_low * b_low)
    return product, error


def _halves(a: Tensor) -> tuple[Tensor, Tensor]:
    large = a * SPLIT
    high = large - (large - a)
    return high, a - high
