"""Distances between all rows of a representation, tile by tile: no matrix over pairs of rows is held.

Beside the numbers as they were given there are a few numbers for each row and each column, and the tiles that are being
computed. Where there are no fewer features than samples, the matrix over pairs takes no more than the numbers
themselves; then it is held, and tiles are cut from it. The shape alone decides, so that no value depends on how much
memory there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi.measures.shared.cancellation import CANCELLED, mend
from resi.measures.shared.distances import is_narrow
from resi.measures.shared.vectors import Vectors, positions, profiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch

SIDE = 512
"""Rows and columns of a tile: products of such a shape reach nine tenths of the machine's rate, and the result stays
near the processor."""
MOST_HELD = 8192
"""Matrices over pairs of at most so many samples are held where they are needed many times: half a gigabyte each."""
SUMMED_ENTRIES = 2**18
"""So many numbers are summed at a time."""


class Tile(NamedTuple):
    """Rows and columns of a matrix over pairs of samples: the columns are before all rows, or the same."""

    rows: slice
    columns: slice

    @property
    def times(self) -> int:
        """How often the tile is in the matrix, its mirror image included."""
        return 1 if self.rows == self.columns else 2


def stripes(n_samples: int) -> list[list[Tile]]:
    """Return the tiles on and below the diagonal; those of the same rows are together, the last one on the diagonal."""
    parts = [slice(start, min(start + SIDE, n_samples)) for start in range(0, n_samples, SIDE)]
    return [[Tile(rows, columns) for columns in parts[: number + 1]] for number, rows in enumerate(parts)]


def row_parts(n_samples: int, n_features: int) -> Iterator[slice]:
    """Yield rows whose numbers are summed at a time."""
    step = max(1, SUMMED_ENTRIES // n_features)
    return (slice(start, min(start + step, n_samples)) for start in range(0, n_samples, step))


def tile_bytes(n_samples: int, n_features: int) -> tuple[int, int]:
    """Return the bytes of a tile and the factor of its rows, and of what tiles are computed with, one by one.

    Parameters
    ----------
    n_features : int
        0 for tiles that are cut from a matrix.
    """
    side = min(SIDE, n_samples)
    return 8 * side * (side + n_features), 8 * side * (3 * side + 2 * n_features)


class Part(NamedTuple):
    """Some of many pairs of representations.

    Attributes
    ----------
    numbers : list of int
        Which pairs these are.
    members : list of int
        The representations they are made of.
    pairs : list of (int, int)
        Their places in ``members``.
    """

    numbers: list[int]
    members: list[int]
    pairs: list[tuple[int, int]]


def by_size(sizes: Mapping[int, int], pairs: Sequence[tuple[int, int]]) -> Iterator[Part]:
    """Yield pairs of representations of as many samples each.

    Parameters
    ----------
    sizes : mapping
        The number of samples of each representation; pairs of others are left out.
    """
    found: dict[int, list[int]] = {}
    for number, (one, _) in enumerate(pairs):
        if one in sizes:
            found.setdefault(sizes[one], []).append(number)
    for numbers in found.values():
        members = sorted({index for number in numbers for index in pairs[number]})
        place = {index: position for position, index in enumerate(members)}
        yield Part(numbers, members, [(place[pairs[n][0]], place[pairs[n][1]]) for n in numbers])


class Rows(NamedTuple):
    """Vectors whose distances are computed tile by tile.

    Attributes
    ----------
    vectors : Vectors
    moved : tuple of Tensor
        What is taken off all vectors, one after the other, so that products lose fewer digits; shape (1, n_features).
        None stands for vectors of length one that are far apart.
    lengths : Tensor of shape (n_samples,)
        Squared lengths of what is left.
    is_whole : bool
        Whether all vectors have a direction.
    """

    vectors: Vectors
    moved: tuple[Tensor, Tensor] | None
    lengths: Tensor
    is_whole: bool

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return len(self.lengths)

    def left(self, rows: slice) -> Tensor:
        """Return the factor of some rows in products that are squared distances, shape (n_rows, n_features + 2)."""
        return torch.cat((self._points(rows).mul_(-2), *self._ends(rows)), dim=1)

    def squares(self, tile: Tile, left: Tensor) -> Tensor:
        """Return the squared distances of a tile, given the left factor of its rows."""
        rows, columns = tile
        length, one = self._ends(columns)
        result = left @ torch.cat((self._points(columns), one, length), dim=1).T
        largest = float(self.lengths[rows].max() + self.lengths[columns].max())
        if tile.times == 1 or not self.is_whole or float(result.min()) <= CANCELLED * largest:
            sums = self.lengths[rows].unsqueeze(1) + self.lengths[columns]
            mend(self.vectors, result, sums, rows, columns.start)
        return result

    def reordered(self, order: Tensor) -> Rows:
        """Return the same of the samples in another order."""
        return Rows(self.vectors.subset(order), self.moved, self.lengths[order], self.is_whole)

    def _points(self, rows: slice) -> Tensor:
        """Return some of the vectors, moved towards zero, shape (n_rows, n_features)."""
        if self.moved is None:
            return self.vectors.take(rows)
        points = _moved(self.vectors, rows, self.moved)
        return points if self.is_whole else points.masked_fill_(self.vectors.factor[rows] == 0, 0.0)

    def _ends(self, rows: slice) -> tuple[Tensor, Tensor]:
        length = self.lengths[rows].unsqueeze(1)
        return length, torch.ones_like(length)


def rows_of_positions(x: Features) -> Rows:
    """Return the rows in units of the representation's scale."""
    return _rows(x.shared(positions), is_near=True)


def rows_of_profiles(x: Features) -> Rows:
    """Return the rows with their means taken off and length one."""
    vectors = x.shared(profiles)
    return _rows(vectors, is_narrow(vectors, float(_sum_of_rows(vectors, None).square().sum())))


def _rows(vectors: Vectors, is_near: bool) -> Rows:
    missing = vectors.missing
    n_samples = len(vectors.given)
    if not is_near:
        return Rows(vectors, None, vectors.factor.new_ones(n_samples), missing is None)
    count = n_samples - (0 if missing is None else len(missing))
    first = _sum_of_rows(vectors, None) / count
    # A constant column far from zero keeps the rounding error of its mean, which the second pass takes off.
    moved = first, _sum_of_rows(vectors, (first, torch.zeros_like(first))) / count
    rows = Rows(vectors, moved, first.new_zeros(n_samples), missing is None)
    for part in row_parts(*vectors.shape):
        rows.lengths[part] = rows._points(part).square_().sum(1)
    return rows


def _sum_of_rows(vectors: Vectors, moved: tuple[Tensor, Tensor] | None) -> Tensor:
    total = vectors.factor.new_zeros((1, vectors.shape[1]))
    for part in row_parts(*vectors.shape):
        points = vectors.take(part) if moved is None else _moved(vectors, part, moved)
        total += points.masked_fill_(vectors.factor[part] == 0, 0.0).sum(0)
    return total


def _moved(vectors: Vectors, rows: slice, moved: tuple[Tensor, Tensor]) -> Tensor:
    points, rest = vectors.take_exactly(rows)
    points -= moved[0]
    if rest is not None:
        points += rest
    points -= moved[1]
    return points
