"""Measures on the spaces that neurons span."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi import Measure
from resi.errors import DegenerateInputError
from resi.measures.shared import bases, chance, intermediates
from resi.measures.shared.precision import DOUBLE_EPSILON

if TYPE_CHECKING:
    from torch import Tensor

    from resi.measures.features import Features

LEAST = 1e-10
"""Distances of vectors of length one to a span that is computed in double precision are known to about this."""


class Neurons(NamedTuple):
    """Neurons as vectors over samples.

    Attributes
    ----------
    unit : Tensor of shape (n_samples, n_features)
        They have length one; those that are zero stay so.
    tolerance : float
        Length up to which a vector may be rounding of the numbers.
    """

    unit: Tensor
    tolerance: float


@dataclass
class MaximumMatch(Measure):
    """Maximum match similarity of neuron activation subspaces.

    Two sets of neurons match when each neuron of either set is within ``epsilon`` times its own length of the span of
    the other set. Among all such pairs of subsets there is one that contains all others, and
    ``(|X*| + |Y*|) / (|X| + |Y|)`` is the share of the neurons that it holds; in [0, 1]. It is found by taking out
    neurons that are farther away until none is. Neurons are vectors over the samples, not centred. With no more samples
    than neurons every neuron is in the span of the others.

    Parameters
    ----------
    epsilon : float
        The largest distance, as a share of a neuron's length, in [0, 1).

    References
    ----------
    .. [1] Wang et al., Towards Understanding Learning Representations: To What Extent Do Different Neural Networks
       Learn the Same Representation, NeurIPS 2018.
    """

    epsilon: float = 0.25

    name = "maximum_match"
    family = "cca"
    larger_is_more_similar = True
    invariances = frozenset({"permutation", "isotropic_scaling"})
    self_value = 1.0
    spatial = "align"
    cost = "O(rounds N D²)"
    reference = (
        "Wang et al., Towards Understanding Learning Representations: To What Extent Do Different Neural Networks "
        "Learn the Same Representation, NeurIPS 2018"
    )

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon < 1:
            raise ValueError(f"{self.name}: epsilon {self.epsilon} must be in [0, 1)")

    def prepare(self, x: Features) -> Neurons:
        """Bring every neuron to length one.

        Raises
        ------
        DegenerateInputError
            If all entries are zero.
        """
        matrix = x.shared(intermediates.scaled).matrix
        lengths = matrix.norm(dim=0)
        if not bool(lengths.any()):
            raise DegenerateInputError("all entries are zero")
        n_samples, n_features = matrix.shape
        tolerance = 4 * x.epsilon * (1 + math.sqrt(n_features / n_samples))
        return Neurons(matrix / lengths.where(lengths > 0, 1.0), tolerance)

    def permuted(self, state: Neurons, order: Tensor) -> Neurons:
        """Return the state for the rows in another order."""
        return Neurons(state.unit[order], state.tolerance)

    def compare(self, a: Neurons, b: Neurons) -> float:
        """Return the share of the neurons that the maximum match holds, in [0, 1]."""
        first, second = a.unit, b.unit
        while first.shape[1] and second.shape[1]:
            near_first = self._near(first, second, b.tolerance)
            near_second = self._near(second, first, a.tolerance)
            if bool(near_first.all()) and bool(near_second.all()):
                return (first.shape[1] + second.shape[1]) / (a.unit.shape[1] + b.unit.shape[1])
            first, second = first[:, near_first], second[:, near_second]
        return 0.0

    def note(self, a: Neurons, b: Neurons) -> str:
        """Return a sentence if the neurons of unrelated representations match as well."""
        fewest = min(a.unit.shape[1], b.unit.shape[1])
        expected = math.sqrt(max(1 - fewest / len(a.unit), 0.0))
        if expected > self.epsilon:
            return ""
        return chance.note(len(a.unit), f"{a.unit.shape[1]} and {b.unit.shape[1]} features", 1.0)

    def _near(self, neurons: Tensor, others: Tensor, tolerance: float) -> Tensor:
        """Return which neurons are near the span of others, the precision of which is given."""
        left, values, _ = bases.thin_svd(others)
        span = left[:, values > max(tolerance, max(others.shape) * DOUBLE_EPSILON * float(values[0]))]
        far = (neurons - span @ (span.T @ neurons)).norm(dim=0)
        return far <= self.epsilon + max(tolerance, LEAST)


MEASURES: tuple[type[Measure], ...] = (MaximumMatch,)
