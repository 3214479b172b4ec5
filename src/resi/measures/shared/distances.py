"""Squared distances between rows, by matrix products where these keep enough digits and by differences elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError
from resi.measures.shared.cancellation import CANCELLED, RIGHT_ANGLE, mend, squares_of_pairs
from resi.measures.shared.intermediates import BLOCK_ENTRIES, RELATIVE_ZERO, scale, scaled, shifted
from resi.measures.shared.precision import DOUBLE_EPSILON
from resi.measures.shared.rows import distinct_rows
from resi.measures.shared.vectors import EVERY, column_blocks, name_of, positions, resolution

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.shared.vectors import Vectors
else:
    from resi.lazy import torch

# Directions are far apart while their mean is shorter than this, so that 1 - cosine needs no centring.
FAR_APART = 1 - 1 / 16


class Distances(NamedTuple):
    """All distances, or inner products; ``scale * matrix`` is in the units of the features, or in their squares.

    Attributes
    ----------
    matrix : Tensor of shape (n_samples, n_samples)
    row_means : Tensor of shape (n_samples,)
    scale : float
    """

    matrix: Tensor
    row_means: Tensor
    scale: float

    def reordered(self, order: Tensor) -> Distances:
        """Return the same of the samples in another order."""
        matrix = self.matrix.index_select(0, order).index_select(1, order)
        return Distances(matrix, self.row_means[order], self.scale)


class Cloud(NamedTuple):
    """Vectors with the points whose products give their distances.

    Attributes
    ----------
    vectors : Vectors
        Exact, for distances that the products do not give.
    points : Tensor of shape (n_samples, n_features)
        The vectors, moved towards zero where that makes products more exact.
    lengths : Tensor of shape (n_samples,)
        Squared lengths of the points.
    sizes : Tensor of shape (n_samples,)
        Lengths of the vectors: rotating, shifting or scaling them rounds their entries in these units.
    is_unit : bool
        Whether all squared lengths of the points count as 1.
    """

    vectors: Vectors
    points: Tensor
    lengths: Tensor
    sizes: Tensor
    is_unit: bool = False

    def squares(self, rows: slice | Tensor, stop: int | None = None) -> Tensor:
        """Return the squared distances of some rows to all rows before ``stop``; those to itself are 0.

        Parameters
        ----------
        rows : slice or Tensor
            Before ``stop``.
        """
        sums = _sums(self.lengths, rows, stop, self.is_unit)
        result = torch.addmm(sums, self.points[rows], self.points[:stop].T, alpha=-2)
        mend(self.vectors, result, sums, rows)
        return result

    def exact_squares(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the squared distances of each row to the rows in its line of ``others`` to nearly all digits."""
        result = self.squares_between(rows, others)
        sums = self.lengths[rows].unsqueeze(1) + self.lengths[others]
        line, place = (result <= sums.mul_(CANCELLED)).nonzero(as_tuple=True)
        result[line, place] = squares_of_pairs(self.vectors, rows[line], others[line, place])
        return result

    def squares_between(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the squared distances of each row to the rows in its line of ``others``, both given by index."""
        result = _squares_between(self.points, rows, others)
        missing = self.vectors.factor.squeeze(1) == 0
        return result.masked_fill_(missing[others] | missing[rows].unsqueeze(1), RIGHT_ANGLE)

    def subset(self, rows: Tensor) -> Cloud:
        """Return some of the rows."""
        return Cloud(self.vectors.subset(rows), self.points[rows], self.lengths[rows], self.sizes[rows], self.is_unit)

    def same(self, squares: Tensor, index: Tensor, rows: Tensor) -> Tensor:
        """Return whether neighbours in order are as far as the next, but for rounding.

        Parameters
        ----------
        squares : Tensor of shape (n_rows, m)
            Squared distances in increasing order; infinite ones are as far as no other.
        index : Tensor of shape (n_rows, m)
            The neighbours that they belong to.
        rows : Tensor of shape (n_rows,)
            The rows that the distances start from.

        Returns
        -------
        Tensor of shape (n_rows, m - 1)
        """
        sums = self.lengths[rows].unsqueeze(1) + self.lengths[index]
        sizes = self.sizes[rows].unsqueeze(1).maximum(self.sizes[index])
        widths = tie_width(squares, sums, self.points.shape[1], sizes)
        gaps = squares.diff(dim=1)
        return (gaps <= widths[:, :-1].maximum(widths[:, 1:])) & gaps.isfinite()


def _squares_between(points: Tensor, rows: Tensor, others: Tensor) -> Tensor:
    result = torch.empty(others.shape, dtype=torch.float64, device=points.device)
    if points.device.type == "cpu":
        from resi.measures.shared.compiled_candidates import squares_of_pairs

        squares_of_pairs(points.numpy(), rows.numpy(), others.numpy(), result.numpy())
        return result
    chunk = max(1, BLOCK_ENTRIES // (2 * others.shape[1] * points.shape[1]))
    for start in range(0, len(others), chunk):
        part = slice(start, start + chunk)
        result[part] = (points[others[part]] - points[rows[part]].unsqueeze(1)).square_().sum(2)
    return result


def tie_width(squares: Tensor, sums: Tensor | float, n_features: int, sizes: Tensor | float = 1.0) -> Tensor:
    """Return by how much squared distances may differ that are the same but for rounding.

    It is a bound on the error of computing them, and what moves distances when the numbers are rounded once more, as
    by a rotation or a shift of the representation; but of the latter no more than a billionth of the distance.

    Parameters
    ----------
    squares : Tensor
        Squared distances.
    sums : Tensor or float
        The sums of the squared lengths of the points that they were computed from.
    n_features : int
        So many products were added up.
    sizes : Tensor or float
        Lengths of the vectors, see :class:`Cloud`.
    """
    # Where products lose more digits, the distance was computed from differences.
    widths = (squares / CANCELLED).minimum(torch.as_tensor(sums, dtype=torch.float64, device=squares.device))
    widths *= _product_error(n_features)
    widths += squares.sqrt().mul_(sizes).mul_(4 * DOUBLE_EPSILON).minimum(squares * 2.0**-30)
    return widths.add_(squares, alpha=2.0**-40)


def largest_tie_width(n_features: int) -> float:
    """Return the largest share of a squared distance that ``tie_width`` may be."""
    return _product_error(n_features) / CANCELLED + 2.0**-30 + 2.0**-39


def _product_error(n_features: int) -> float:
    """Return a bound on the error of sums of products, in units of the squared lengths."""
    return (16 + 2 * n_features**0.5) * DOUBLE_EPSILON


def shifted_cloud(x: Features) -> Cloud:
    """Return the rows, in units of the representation's scale, with the centred matrix as points."""
    points = x.shared(shifted)
    return Cloud(x.shared(positions), points, _squared_lengths(points), x.shared(scaled).matrix.norm(dim=1))


def cloud_of_positions(x: Features) -> Cloud:
    """Return ``shifted_cloud`` of rows that are not all the same.

    Raises
    ------
    DegenerateInputError
        If they are, to the precision of the numbers.
    """
    check_varied(x)
    return x.shared(shifted_cloud)


def check_varied(x: Features) -> None:
    """Raise ``DegenerateInputError`` if all rows are the same, to the precision of the numbers."""
    if not is_varied(x.shared(positions), max(RELATIVE_ZERO, resolution(x))):
        raise DegenerateInputError(
            f"the representation is constant: all rows are the same, to the precision of {name_of(x.dtype)} numbers"
        )


def is_varied(vectors: Vectors, share: float) -> bool:
    """Return whether some column varies by more than a share of the size of its numbers.

    Each column is judged by its own size: rounding of large entries of a row does not change its small ones.
    """
    return any(
        bool((_moved(vectors, part).norm(dim=0) > share * vectors.sizes(part)).any())
        for part in column_blocks(*vectors.shape)
    )


def cloud_of_directions(vectors: Vectors) -> Cloud:
    """Return rows of length one, with points that are centred where the rows are nearly parallel."""
    points = vectors.take()
    ones = torch.ones(len(points), dtype=torch.float64, device=points.device)
    if not is_narrow(vectors, float(points.sum(0).square().sum())):
        return Cloud(vectors, points, ones, ones, is_unit=True)
    points = _moved(vectors, EVERY)
    return Cloud(vectors, points, _squared_lengths(points), ones)


def _squared_lengths(points: Tensor) -> Tensor:
    # Without the squares of all entries.
    return points.norm(dim=1).square_()


def are_parallel(vectors: Vectors, lengths: Tensor, share: float) -> bool:
    """Return whether all vectors of length one have the same direction, to the precision of the numbers.

    Parameters
    ----------
    lengths : Tensor of shape (n_samples,)
        Squared lengths of the points of their cloud.
    """
    # Points of length one were not centred, since they are far apart.
    return vectors.missing is None and float(lengths.max()) < 1 and not is_varied(vectors, share)


def squares_below(vectors: Vectors) -> tuple[Tensor, Tensor]:
    """Return the squared distances between all vectors, and the squared lengths of the points they were computed from.

    Only entries on and below the diagonal of the first, of shape (n_samples, n_samples), are filled. Beside it, a few
    blocks of the representation are held.
    """
    n_samples, n_features = vectors.shape
    blocks = list(column_blocks(n_samples, n_features))
    unit = vectors.norm is not None and not is_narrow(
        vectors, sum(float(vectors.take(columns=part).sum(0).square().sum()) for part in blocks)
    )
    squares = torch.empty((n_samples, n_samples), dtype=torch.float64, device=vectors.given.device)
    lengths = squares.new_full((n_samples,), float(unit))
    for part in blocks:
        points = vectors.take(columns=part) if unit else _moved(vectors, part)
        for rows in pair_blocks(n_samples):
            product = squares[rows, : rows.stop]
            torch.addmm(product, points[rows], points[: rows.stop].T, beta=int(part.start > 0), out=product)
        if not unit:
            lengths += points.square_().sum(1)
        del points  # before the next block is made
    for rows in pair_blocks(n_samples):
        sums = _sums(lengths, rows, rows.stop, unit)
        part_of_all = squares[rows, : rows.stop]
        mend(vectors, torch.sub(sums, part_of_all, alpha=2, out=part_of_all), sums, rows)
    return squares, lengths


def _sums(lengths: Tensor, rows: slice | Tensor, stop: int | None, unit: bool) -> Tensor:
    """Return the sums of the squared lengths of rows and of all before ``stop``; where all are 1, one number."""
    return lengths.new_full((1, 1), 2.0) if unit else lengths[rows].unsqueeze(1) + lengths[:stop]


def is_narrow(vectors: Vectors, squared_sum: float) -> bool:
    """Return whether vectors of length one, the squared length of whose sum is given, have nearly one direction."""
    missing = vectors.missing
    count = len(vectors.given) - (0 if missing is None else len(missing))
    return count > 0 and squared_sum > FAR_APART * count**2


def _moved(vectors: Vectors, columns: slice) -> Tensor:
    """Return columns of the vectors with their means taken off; rows without a direction stay zero."""
    points, rest = vectors.take_exactly(columns=columns)
    missing = vectors.missing
    count = len(points) - (0 if missing is None else len(missing))
    points -= points.sum(0).div_(count)
    if rest is not None:
        points += rest
    # A constant column far from zero keeps the rounding error of its mean, which the second pass takes off.
    points -= points.mean(0)
    if missing is not None:
        points[missing] = 0
    return points


def pair_blocks(n_samples: int) -> Iterator[slice]:
    """Yield the rows whose distances are computed at a time: always the same, so that their last bits are, too."""
    block = max(1, BLOCK_ENTRIES // n_samples)
    return (slice(start, min(start + block, n_samples)) for start in range(0, n_samples, block))


def euclidean_distances(x: Features) -> Distances:
    """Return the Euclidean distances between all rows; identical rows are at distance zero exactly."""
    distinct = x.shared(distinct_rows)
    matrix, _ = squares_below(x.shared(positions))
    for rows in pair_blocks(len(matrix)):
        lengths = matrix[rows, : rows.stop].sqrt_()
        matrix[: rows.start, rows] = lengths[:, : rows.start].T
        square = matrix[rows, rows]
        square.tril_(-1).add_(square.T.clone())
    if distinct is not None:
        matrix[distinct.copies] = matrix[distinct.originals]
        matrix[:, distinct.copies] = matrix[:, distinct.originals]
    return Distances(matrix, matrix.mean(1), x.shared(scale))


def inner_products(x: Features) -> Distances:
    """Return the inner products of all rows."""
    vectors = x.shared(positions)
    n_samples, n_features = vectors.shape
    matrix = torch.empty((n_samples, n_samples), dtype=torch.float64, device=x.given.device)
    for part in column_blocks(n_samples, n_features):
        block = vectors.take(columns=part)
        torch.addmm(matrix, block, block.T, beta=int(part.start > 0), out=matrix)
    return Distances(matrix, matrix.mean(1), x.shared(scale) ** 2)
