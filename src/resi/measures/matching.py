"""Measures that match neurons by their correlation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from resi.measures.alignment import best_match
from resi.measures.base import BuiltIn
from resi.measures.needs import Needs
from resi.measures.shared import intermediates, parts
from resi.measures.shared.precision import or_exactly
from resi.measures.shared.reordered import Reordered

if TYPE_CHECKING:
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.needs import Size

CONVERGENT_LEARNING = "Li et al., Convergent Learning: Do different neural networks learn the same representations?"


def correlations(a: Features, b: Features) -> Tensor:
    """Return the Pearson correlations of all neurons of two sides; those of constant neurons are 0."""
    return a.shared(intermediates.unit_columns).T @ b.shared(intermediates.unit_columns)


@dataclass
class _CorrelationMatch(BuiltIn):
    """Base of both measures: neurons centred and normalised, so that their products are correlations."""

    family = "alignment"
    version = 2
    larger_is_more_similar = True
    invariances = frozenset({"permutation", "isotropic_scaling", "translation"})
    spatial = "align"
    copies = True
    benchmark = True
    reference = f"{CONVERGENT_LEARNING}, ICLR 2016"

    of_correlations: ClassVar[int]
    """How many matrices of the size of a pair's correlations comparing takes."""

    def prepare(self, x: Features) -> Features:
        """Centre the neurons and bring them to length one."""
        x.shared(intermediates.unit_columns)
        return x

    def permuted(self, state: Features, order: Tensor) -> Features:
        """Return what was prepared with its rows in another order."""
        return Reordered(state, order)

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the centred matrix and its unit columns, and of the correlations of a pair."""
        held = parts.shifted(size) | {"unit_columns": size.double}
        return Needs(held, comparing=self.of_correlations * 8 * size.n_features**2)


@dataclass
class HardCorrelationMatch(_CorrelationMatch):
    """Mean correlation of neurons under the best one-to-one match, in [-1, 1].

    There are as many pairs as the narrower side has neurons. A constant (dead) neuron has correlation 0 with every
    other, so a representation with dead neurons has a value below 1 with itself.

    References
    ----------
    .. [1] Li et al., Convergent Learning: Do different neural networks learn the same representations?, ICLR 2016.
    """

    name = "hard_correlation_match"
    on_cpu = True
    of_correlations = 2  # the assignment takes a copy
    published_name = "HardCorrelationMatch"
    cost = "O(N D² + D³)"

    def compare(self, a: Features, b: Features) -> float:
        """Return the mean correlation of matched neurons, in [-1, 1]."""
        gains = a.shared_with(b, correlations)
        if gains.shape[0] > gains.shape[1]:
            gains = gains.T
        return or_exactly(1.0, best_match(gains).total / len(gains))


@dataclass
class SoftCorrelationMatch(_CorrelationMatch):
    """Mean of each neuron's best correlation with a neuron of the other side, averaged over both directions.

    In [-1, 1]; a constant (dead) neuron has correlation 0 with every other.

    References
    ----------
    .. [1] Li et al., Convergent Learning: Do different neural networks learn the same representations?, ICLR 2016.
    """

    name = "soft_correlation_match"
    of_correlations = 1
    published_name = "SoftCorrelationMatch"
    cost = "O(N D²)"

    def compare(self, a: Features, b: Features) -> float:
        """Return the mean of the best correlations, in [-1, 1]."""
        found = a.shared_with(b, correlations)
        return or_exactly(1.0, float((found.amax(0).mean() + found.amax(1).mean()) / 2))
