"""Linear CKA of all samples and units, estimated from a subset of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.errors import DegenerateInputError
from resi.measures.base import BuiltIn
from resi.measures.kernel import cross_square
from resi.measures.needs import Needs
from resi.measures.shared import intermediates, parts

if TYPE_CHECKING:
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.needs import Size

FEWEST_SAMPLES = 4
"""The unbiased estimate of HSIC takes so many different samples at a time."""


class SampledUnits(NamedTuple):
    """A side of which samples and units are drawn.

    Attributes
    ----------
    features : Features
    squares : Tensor of shape (n_samples,)
        Squared lengths of the centred rows.
    alignment : float
        The side's alignment with itself, from pairs of different units.
    """

    features: Features
    squares: Tensor
    alignment: float


@dataclass
class UnbiasedCKA(BuiltIn):
    """Linear CKA of all samples and all units, estimated from a subset of both.

    CKA on few samples is biased upwards, and on few units (neurons) downwards. Here numerator and denominators are each
    estimated without bias: the numerator by the unbiased estimator of HSIC, from different samples; each denominator by
    its sum over pairs of different units of one side. The bias of the ratio vanishes faster than its noise. With few
    samples and units it can be below 0 or above 1. It is undefined if the units of a side do not agree more than by
    chance.

    The units of each side are assumed to be drawn at random from a larger population, independently for R and S. So it
    should not compare a representation with itself, and is not invariant to rotations of the units.

    References
    ----------
    .. [1] Chun et al., Estimating Neural Representation Alignment from Sparsely Sampled Inputs and Features, CCN 2025.
    .. [2] Song et al., Feature selection via dependence maximization, JMLR 2012 (the unbiased estimator of HSIC).
    """

    name = "cka_unbiased"
    family = "kernel"
    larger_is_more_similar = True
    invariances = frozenset({"permutation", "isotropic_scaling", "translation"})
    resolution = 1e-9
    cost = "O(N D²), or O(N²) when N < D"
    reference = (
        "Chun et al., Estimating Neural Representation Alignment from Sparsely Sampled Inputs and Features, CCN 2025"
    )

    def prepare(self, x: Features) -> SampledUnits:
        """Centre the units, and compute what different units have in common.

        Raises
        ------
        DegenerateInputError
            With fewer than four samples or two units, or where units have nothing in common.
        """
        n_samples, n_units = x.shape
        if n_samples < FEWEST_SAMPLES or n_units < 2:
            raise DegenerateInputError(
                f"{n_samples} samples and {n_units} features: {FEWEST_SAMPLES} samples and 2 features are needed"
            )
        entries = x.shared(intermediates.centred).square()
        squares = entries.sum(1)
        all_pairs = _hsic(x.shared(intermediates.product_norm) ** 2, squares, squares)
        of_units = entries.sum(0).square().sum()
        same = float(_unbiased(of_units, entries.square().sum(), of_units, n_samples))
        alignment = (all_pairs - same) / (n_units * (n_units - 1))
        if alignment <= self.resolution * all_pairs / n_units**2:
            raise DegenerateInputError("features agree no more than by chance: more samples or features are needed")
        return SampledUnits(x, squares, alignment)

    def compare(self, a: SampledUnits, b: SampledUnits) -> float:
        """Return the estimate, which may leave [0, 1]."""
        cross = _hsic(cross_square(a.features, b.features), a.squares, b.squares)
        units = a.features.shape[1] * b.features.shape[1]
        return cross / units / math.sqrt(a.alignment * b.alignment)

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the centred matrix, of the squares of its entries, and of a Gram matrix."""
        held = parts.shifted(size) | ({"centred_gram": size.pairs} if size.wide else {})
        return Needs(held, preparing=2 * size.double, comparing=2 * size.square)


def _hsic(cross: float, squares_a: Tensor, squares_b: Tensor) -> float:
    """Return the unbiased estimate of HSIC from ``‖RcᵀSc‖F²`` and the squared lengths of the centred rows."""
    totals = float(squares_a.sum()) * float(squares_b.sum())
    return float(_unbiased(cross, float(squares_a @ squares_b), totals, len(squares_a)))


def _unbiased(cross: Any, diagonal: Any, totals: Any, n_samples: int) -> Any:
    """Return the unbiased HSIC of two Gram matrices K and L of centred rows.

    Parameters
    ----------
    cross, diagonal, totals
        ``tr(K L)``, ``Σ K_ii L_ii`` and ``tr(K) tr(L)``. As rows of K and L sum to 0, they do so to ``-K_ii`` and
        ``-L_ii`` once the diagonal is set to 0.
    """
    found = cross - diagonal + totals / (n_samples - 1) / (n_samples - 2) - 2 * diagonal / (n_samples - 2)
    return found / n_samples / (n_samples - 3)
