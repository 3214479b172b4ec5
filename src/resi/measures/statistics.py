"""Measures that compare one number per representation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.errors import DegenerateInputError
from resi.measures.base import PAPER, BuiltIn, check_variant
from resi.measures.needs import Needs
from resi.measures.shared import distances, intermediates, parts, rows
from resi.measures.shared.cancellation import RIGHT_ANGLE
from resi.measures.shared.vectors import column_blocks, directions, name_of, positions, resolution, row_blocks

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.needs import Size
    from resi.measures.shared.distances import Cloud
else:
    from resi.lazy import torch

NEARLY_PARALLEL = 1e-3
"""Rows are nearly parallel where the mean cosine distance to their mean row is less."""
FAR_APART = 1e-3
"""Uniformities plus log N below this are those of rows none of which is near another."""
WANG = "Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022"


@dataclass
class _StatisticDifference(BuiltIn):
    """The absolute difference of a number that ``prepare`` gives for each representation."""

    family = "statistics"
    larger_is_more_similar = False
    self_value = 0.0
    benchmark = True
    cost = "O(1)"

    def permuted(self, state: float, order: Tensor) -> float:
        """Return the same number: it does not depend on the order of the rows."""
        del order
        return state

    def compare(self, a: float, b: float) -> float:
        """Return the absolute difference of the two numbers."""
        return abs(a - b)


@dataclass
class MagnitudeDifference(_StatisticDifference):
    """Absolute difference of the lengths of the mean rows, in the units of the features.

    References
    ----------
    .. [1] Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022.
    """

    name = "magnitude_difference"
    invariances = frozenset({"orthogonal", "permutation"})
    spatial = "flatten"
    copies = True
    published_name = "MagnitudeDifference"
    reference = WANG

    def prepare(self, x: Features) -> float:
        """Return the length of the mean row."""
        return x.shared(intermediates.scale) * float(_mean_row(x)[0].norm())

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the numbers and of a block of their columns."""
        return Needs(size.given(), preparing=parts.taking(size))


@dataclass
class ConcentricityDifference(_StatisticDifference):
    """Absolute difference of the concentricities: the mean cosine of rows to their mean row; in [0, 2].

    An all-zero row has cosine 0.

    References
    ----------
    .. [1] Wang et al., Towards Understanding the Instability of Network Embedding, TKDE 2022.
    """

    name = "concentricity_difference"
    version = 2
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling"})
    spatial = "flatten"
    copies = True
    published_name = "ConcentricityDifference"
    reference = WANG

    def prepare(self, x: Features) -> float:
        """Return the mean cosine distance of rows to the mean row: 1 less their mean cosine.

        That keeps its digits where rows are nearly parallel.

        Raises
        ------
        DegenerateInputError
            If the mean row is zero, as after centring.
        """
        vectors = x.shared(directions)
        mean, size = _mean_row(x)
        length = float(mean.norm())
        if length <= max(intermediates.RELATIVE_ZERO, resolution(x)) * size:
            raise DegenerateInputError(
                f"the mean row is zero, to the precision of {name_of(x.dtype)} numbers: rows have no cosine to it"
            )
        mean /= length
        total = 0.0
        for part in row_blocks(*x.shape):
            squares = vectors.take(part).sub_(mean).square_().sum(1)
            total += float(torch.where(vectors.factor[part].squeeze(1) == 0, RIGHT_ANGLE, squares).sum())
        return total / 2 / len(vectors.given)

    def note(self, a: float, b: float) -> str:
        """Note if the rows of both sides are nearly parallel, so that the value is always small."""
        if max(a, b) < NEARLY_PARALLEL:
            return f"rows are nearly parallel on both sides: their mean cosine is above {1 - NEARLY_PARALLEL}"
        return ""

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the numbers and of a block of their rows."""
        return Needs(parts.vectors(size), preparing=parts.taking(size))


def _mean_row(x: Features) -> tuple[Tensor, float]:
    """Return the mean row, in units of the representation's scale, and the root mean square of the lengths of rows."""
    vectors = x.shared(positions)
    means, squares = [], 0.0
    for part in column_blocks(*x.shape):
        block = vectors.take(columns=part)
        means.append(block.mean(0))
        squares += float(block.square_().sum())
        del block  # before the next one is made
    return torch.cat(means), math.sqrt(squares / x.shape[0])


@dataclass
class UniformityDifference(_StatisticDifference):
    """Absolute difference of the uniformities ``log(Σ_ij exp(-2 ‖x_i - x_j‖²) / N²)``, pairs i = j included.

    The cited paper defines uniformity for unit rows; the default follows the published benchmark and does not normalise
    rows, so for rows a few units apart both numbers, and the value, are about 0. ``variant=paper`` normalises rows to
    length one (all-zero rows count as orthogonal to all others) and takes the mean over pairs of different samples; it
    is invariant to isotropic scaling, but not to translation.

    Parameters
    ----------
    variant : {"published", "paper"}
        Whose definition is followed.

    References
    ----------
    .. [1] Wang and Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on the
       Hypersphere, ICML 2020.
    """

    variant: str = "published"

    name = "uniformity_difference"
    invariances = frozenset({"orthogonal", "permutation", "translation"})
    spatial = "align"
    published_name = "UniformityDifference"
    reference = (
        "Wang and Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on the "
        "Hypersphere, ICML 2020"
    )

    def __post_init__(self) -> None:
        check_variant(self.name, self.variant, ("published", PAPER))

    def prepare(self, x: Features) -> float:
        """Return the uniformity; for rows without normalisation plus log N, at least 0.

        There the pairs i = j alone give -log N, the same on both sides of a comparison. Without it, a small share of
        all other pairs keeps its digits.
        """
        return x.shared(_uniformity_of_directions if self.variant == PAPER else _uniformity)

    def note(self, a: float, b: float) -> str:
        """Note if all rows are too far apart for the value to be informative."""
        if self.variant != PAPER and max(a, b) < FAR_APART:
            return (
                "rows are so far apart that pairs of different ones hardly add to the uniformity of either side: "
                "the value is about 0 whatever they are; variant=paper brings rows to length one"
            )
        return ""

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the centred rows, and of a block of their distances."""
        if self.variant == PAPER:
            return Needs(parts.directions(size), preparing=17 * parts.entries_below(size.n_samples))
        return Needs(parts.cloud(size), preparing=17 * parts.entries_below(size.n_samples))


def _uniformity(x: Features) -> float:
    distinct = x.shared(rows.distinct_rows)
    cloud = x.shared(distances.shifted_cloud)
    counts = torch.ones_like(cloud.lengths)
    if distinct is not None:
        cloud = cloud.subset(distinct.first)
        counts = distinct.kind.bincount().to(counts.dtype)
    n_samples = x.shape[0]
    others = float(counts.square().sum()) - n_samples + _sum_of_kernel(cloud, counts, x.shared(intermediates.scale))
    return math.log1p(others / n_samples)


def _uniformity_of_directions(x: Features) -> float:
    cloud = distances.cloud_of_directions(x.shared(directions))
    n_samples = x.shape[0]
    return math.log(_sum_of_kernel(cloud, torch.ones_like(cloud.lengths), 1.0) / n_samples / (n_samples - 1))


def _sum_of_kernel(cloud: Cloud, counts: Tensor, scale: float) -> float:
    """Return the sum of ``exp(-2 ‖x - y‖²)`` over all ordered pairs of different points, each so often."""
    total = 0.0
    for part in distances.pair_blocks(len(cloud.points)):
        # In two steps, so that zero stays zero where the square of the scale is infinite.
        kernel = cloud.squares(part, part.stop).mul_(-2.0 * scale).mul_(scale).exp_()
        kernel[:, part].tril_(-1)
        total += 2 * float(counts[part] @ kernel @ counts[: part.stop])
        del kernel  # before the next block is made
    return total
