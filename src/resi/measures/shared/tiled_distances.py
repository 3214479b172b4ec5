"""Matrices over pairs of samples, tile by tile: computed when they are needed, or cut from a matrix that is held.

The shape of a representation alone decides which, so that no value depends on how much memory there is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

from resi.measures.shared.distances import euclidean_distances
from resi.measures.shared.intermediates import scale
from resi.measures.shared.tiles import row_parts, rows_of_positions
from resi.measures.shared.vectors import positions

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.shared.tiles import Rows, Tile
    from resi.measures.shared.vectors import Vectors
else:
    from resi.lazy import torch


class Tiled(Protocol):
    """A matrix over pairs of samples by its tiles; ``scale`` times its entries are in the units of the features."""

    @property
    def lengths(self) -> Tensor:
        """One number for each row: how far it is from the others, about. Shape (n_samples,)."""

    @property
    def scale(self) -> float:
        """The unit of the distances."""

    @property
    def typical(self) -> float:
        """About the mean of all distances."""

    def left(self, rows: slice) -> Tensor | None:
        """Return what the distances of some rows are computed from."""

    def tile(self, tile: Tile, left: Tensor | None) -> Tensor:
        """Return the distances of a tile, which may be overwritten, given what its rows have."""

    def reordered(self, order: Tensor) -> Tiled:
        """Return the same of the samples in another order."""


class Computed(NamedTuple):
    """Distances that are computed when they are needed."""

    rows: Rows
    scale: float

    @property
    def lengths(self) -> Tensor:
        """The squared distance of each row to the mean row."""
        return self.rows.lengths

    @property
    def typical(self) -> float:
        """The root mean square of all distances."""
        return math.sqrt(2 * float(self.rows.lengths.mean()))

    def left(self, rows: slice) -> Tensor:
        """Return the left factor of the products that are squared distances."""
        return self.rows.left(rows)

    def tile(self, tile: Tile, left: Tensor | None) -> Tensor:
        """Return the distances of a tile."""
        return self.rows.squares(tile, self.left(tile.rows) if left is None else left).sqrt_()

    def reordered(self, order: Tensor) -> Computed:
        """Return the same of the samples in another order."""
        return self._replace(rows=self.rows.reordered(order))


class Held(NamedTuple):
    """Distances that are held."""

    matrix: Tensor
    row_means: Tensor
    scale: float

    @property
    def lengths(self) -> Tensor:
        """The mean distance of each row to all."""
        return self.row_means

    @property
    def typical(self) -> float:
        """The mean of all distances."""
        return float(self.row_means.mean())

    def left(self, rows: slice) -> None:
        """Return nothing: all distances are there."""
        del rows

    def tile(self, tile: Tile, left: Tensor | None) -> Tensor:
        """Return the distances of a tile."""
        del left
        return self.matrix[tile.rows, tile.columns].clone()

    def reordered(self, order: Tensor) -> Held:
        """Return the same of the samples in another order."""
        matrix = self.matrix.index_select(0, order).index_select(1, order)
        return Held(matrix, self.row_means[order], self.scale)


class InnerProducts(NamedTuple):
    """Inner products that are computed when they are needed."""

    vectors: Vectors
    scale: float
    lengths: Tensor

    @property
    def typical(self) -> float:
        """The mean of those of rows with themselves."""
        return float(self.lengths.mean())

    def left(self, rows: slice) -> Tensor:
        """Return some rows."""
        return self.vectors.take(rows)

    def tile(self, tile: Tile, left: Tensor | None) -> Tensor:
        """Return the inner products of a tile."""
        rows = self.vectors.take(tile.rows) if left is None else left
        return rows @ self.vectors.take(tile.columns).T

    def reordered(self, order: Tensor) -> InnerProducts:
        """Return the same of the samples in another order."""
        return InnerProducts(self.vectors.subset(order), self.scale, self.lengths[order])


def tiled_products(x: Features) -> Tiled:
    """Return the inner products of all rows."""
    vectors = x.shared(positions)
    lengths = torch.cat([vectors.take(rows).square_().sum(1) for rows in row_parts(*x.shape)])
    return InnerProducts(vectors, x.shared(scale) ** 2, lengths)


def tiled_distances(x: Features) -> Tiled:
    """Return the Euclidean distances of a representation: held where they take no more than its numbers."""
    n_samples, n_features = x.shape
    if n_features >= n_samples:
        return Held(*x.shared(euclidean_distances))
    return Computed(rows_of_positions(x), x.shared(scale))
