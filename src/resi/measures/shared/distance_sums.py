"""Covariances of the distances of many representations, each distance computed once and none held.

Double-centred matrices have the covariance ``mean(e e') - 2 mean(m m') + M M'``, with e the distances, m the means of
their rows and M the mean of all. Taking one number off all distances, those of samples to themselves included, does not
change it; about their mean is taken off, so that the terms are not much larger than the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.measures.shared.tiles import Tile, stripes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from resi.measures.base import Spread
    from resi.measures.shared.tiled_distances import Tiled
else:
    from resi.lazy import torch


class OwnSums(NamedTuple):
    """Sums over the distances of one representation, less their shift.

    Attributes
    ----------
    row_means : Tensor of shape (n_samples,)
    mean, deviation : float
        The mean of all, and the standard deviation of the double-centred ones.
    """

    row_means: Tensor
    mean: float
    deviation: float


@dataclass
class CentredDistances:
    """The distances of a representation, and the sums over them as soon as they are known.

    Attributes
    ----------
    shift : float
        What is taken off all distances.
    """

    distances: Tiled
    shift: float
    known: OwnSums | None = None

    @classmethod
    def of(cls, distances: Tiled) -> CentredDistances:
        """Return what centres these distances."""
        return cls(distances, distances.typical)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.distances.lengths)

    @property
    def row_means(self) -> Tensor:
        """The mean distance of each sample to all, its own included."""
        return self.own.row_means + self.shift

    @property
    def mean(self) -> float:
        """The mean of all distances."""
        return self.own.mean + self.shift

    @property
    def deviation(self) -> float:
        """The standard deviation of the double-centred distances."""
        return self.own.deviation

    @property
    def own(self) -> OwnSums:
        """The sums over its distances; they are computed if they are not known."""
        if self.known is None:
            covariances([self], [], map)
        assert self.known is not None  # noqa: S101 - the line above has set it
        return self.known

    def rows(self, rows: slice) -> Tensor:
        """Return some rows of the double-centred matrix, shape (n_rows, n_samples)."""
        own = self.own
        centred = self.distances.tile(Tile(rows, slice(0, self.n_samples)), None) - self.shift
        return centred.sub_(own.row_means[rows].unsqueeze(1)).sub_(own.row_means).add_(own.mean)

    def reordered(self, order: Tensor) -> CentredDistances:
        """Return the same of the samples in another order."""
        own = self.own._replace(row_means=self.own.row_means[order])
        return CentredDistances(self.distances.reordered(order), self.shift, own)


def covariances(sides: Sequence[CentredDistances], pairs: Sequence[tuple[int, int]], spread: Spread) -> list[float]:
    """Return the covariance of the double-centred distances of each pair; the sums of all sides are known then.

    Parameters
    ----------
    sides : sequence
        Representations of the same number of samples.
    pairs : sequence of (int, int)
        Positions in ``sides``.
    spread : callable
        ``map``, or what does the same on several threads.
    """
    new = [number for number, side in enumerate(sides) if side.known is None]
    wanted = [*((number, number) for number in new), *pairs]
    n_samples = sides[0].n_samples
    row_sums = [sides[number].distances.lengths.new_zeros(n_samples) for number in new]
    products: list[list[float]] = []
    for of_stripe, added in spread(lambda stripe: _of_stripe(sides, new, wanted, stripe), stripes(n_samples)):
        products += of_stripe
        for total, part in zip(row_sums, added, strict=True):
            total[: len(part)] += part
    # Rounded once: tens of thousands of sums are added up.
    means = [math.fsum(terms) / n_samples**2 for terms in zip(*products, strict=True)]
    for number, total, square in zip(new, row_sums, means, strict=False):
        row_means = total / n_samples
        own = OwnSums(row_means, float(row_means.mean()), 0.0)
        deviation = math.sqrt(max(_centred(square, own, own), 0.0))
        sides[number].known = own._replace(deviation=deviation)
    return [
        _centred(product, sides[one].own, sides[other].own)
        for product, (one, other) in zip(means[len(new) :], pairs, strict=True)
    ]


def _centred(product: float, a: OwnSums, b: OwnSums) -> float:
    return product - 2 * float(a.row_means @ b.row_means) / len(a.row_means) + a.mean * b.mean


def _of_stripe(
    sides: Sequence[CentredDistances], new: Sequence[int], wanted: Sequence[tuple[int, int]], stripe: Sequence[Tile]
) -> tuple[list[list[float]], list[Tensor]]:
    """Return the sum of products of each pair in each tile, and what the tiles add to the sums of rows."""
    rows = stripe[0].rows
    factors = [side.distances.left(rows) for side in sides]
    sums = [sides[number].distances.lengths.new_zeros(rows.stop) for number in new]
    products: list[Tensor] = []
    for tile in stripe:
        distances = [
            side.distances.tile(tile, left).sub_(side.shift) for side, left in zip(sides, factors, strict=True)
        ]
        for number, total in zip(new, sums, strict=True):
            total[tile.rows] += distances[number].sum(1)
            if tile.times == 2:
                total[tile.columns] += distances[number].sum(0)
        dots = [torch.dot(distances[one].flatten(), distances[other].flatten()) for one, other in wanted]
        products.append(torch.stack(dots) * tile.times)
    return torch.stack(products).tolist(), sums
