"""Measures that match neurons, by optimal transport or each with its best partner."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi import Measure
from resi.errors import DegenerateInputError, MeasureError
from resi.measures.shared import intermediates
from resi.measures.shared.precision import or_exactly

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch

SOFT_MATCHING = (
    "Khosla & Williams, Soft Matching Distance: A metric on neural representations that captures single-neuron tuning, "
    "UniReps 2023"
)


class Plan(NamedTuple):
    """How much of each neuron of one side is matched with each of the other: what is not zero of the plan."""

    rows: Tensor
    columns: Tensor
    shares: Tensor


def transport(name: str, costs: Tensor) -> Plan:
    """Return the cheapest plan that moves equal shares of all rows onto equal shares of all columns.

    Parameters
    ----------
    name : str
        The measure, which errors name.
    costs : Tensor of shape (n_rows, n_columns)

    Raises
    ------
    MeasureError
        If the solver does not find the optimum.
    """
    import numpy as np

    entries = costs.cpu().numpy().astype(np.float64)
    n_rows, n_columns = entries.shape
    if n_rows == n_columns:
        # Some optimal plan is a permutation.
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(entries)
        shares = np.full(n_rows, 1 / n_rows)
    else:
        import ot

        first, second = np.full(n_rows, 1 / n_rows), np.full(n_columns, 1 / n_columns)
        # A network simplex takes far fewer pivots than there are entries.
        plan, log = ot.emd(first, second, entries, numItermax=max(100_000, 10 * entries.size), log=True)
        if log["warning"] is not None:
            raise MeasureError(f"{name}: the optimal transport of {n_rows} to {n_columns} units: {log['warning']}")
        rows, columns = plan.nonzero()
        shares = plan[rows, columns]
    return Plan(*(torch.as_tensor(part, device=costs.device) for part in (rows, columns, shares)))


class Units(NamedTuple):
    """Neurons of one representation as columns; times ``scale`` they are in the units of the features.

    Attributes
    ----------
    matrix, centred : Tensor of shape (n_samples, n_features)
        As they are compared, and with their means taken off.
    scale : float
    """

    matrix: Tensor
    centred: Tensor
    scale: float

    def squares(self, other: Units) -> Tensor:
        """Return the squared distances of all neurons to all of the other side, which has the same scale."""
        products = self.centred.T @ other.centred
        lengths = self.centred.square().sum(0).unsqueeze(1) + other.centred.square().sum(0)
        # A common offset of the neurons would leave their products no digits.
        offsets = (self.matrix.mean(0).unsqueeze(1) - other.matrix.mean(0)).square()
        return (lengths - 2 * products).clamp_(min=0) + len(self.matrix) * offsets

    def times(self, share: float) -> Units:
        """Return the neurons multiplied by a number."""
        return self if share == 1 else Units(self.matrix * share, self.centred * share, self.scale)


@dataclass
class SoftMatchingDistance(Measure):
    """Soft matching distance.

    ``sqrt(min_P Σ_ij P_ij ‖r_i - s_j‖²)`` over all plans P that move the neurons r of R, of 1 / D each, onto the
    neurons s of S, of 1 / D' each: the 2-Wasserstein distance of the two sets of tuning curves. For equal numbers of
    neurons it is the Procrustes distance over permutations, divided by the root of their number. The transport is
    solved exactly.

    Parameters
    ----------
    centred : bool
        Whether the mean of each neuron is taken off before; the value is then invariant to translation.

    References
    ----------
    .. [1] Khosla & Williams, Soft Matching Distance: A metric on neural representations that captures single-neuron
       tuning, UniReps 2023.
    """

    centred: bool = False

    name = "soft_matching_distance"
    family = "alignment"
    larger_is_more_similar = False
    metric = True
    invariances = frozenset({"permutation"})
    self_value = 0.0
    spatial = "align"
    copies = True
    on_cpu = True
    cost = "O(N D² + D³)"
    reference = SOFT_MATCHING

    def prepare(self, x: Features) -> Units:
        """Take the neurons' means off; the neurons as they are, are kept as well."""
        matrix, scale = x.shared(intermediates.scaled)
        centred = x.shared(intermediates.shifted)
        return Units(centred if self.centred else matrix, centred, scale)

    def permuted(self, state: Units, order: Tensor) -> Units:
        """Return the state for the rows in another order."""
        return Units(state.matrix[order], state.centred[order], state.scale)

    def compare(self, a: Units, b: Units) -> float:
        """Return the distance, in the units of the features."""
        scale = max(a.scale, b.scale)
        first, second = a.times(a.scale / scale), b.times(b.scale / scale)
        plan = transport(self.name, first.squares(second))
        # Neurons that are nearly equal are subtracted before squaring, which keeps all digits of small distances.
        total = 0.0
        chunk = max(1, intermediates.BLOCK_ENTRIES // len(first.matrix))
        for start in range(0, len(plan.shares), chunk):
            rows, columns, shares = (part[start : start + chunk] for part in plan)
            total += float((first.matrix[:, rows] - second.matrix[:, columns]).square().sum(0) @ shares)
        size = max(float(x.centred.norm()) / math.sqrt(x.centred.shape[1]) for x in (first, second))
        return scale * or_exactly(0.0, math.sqrt(total), size)

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, its centred copy, and the costs of a pair."""
        return 8 * (3 * n_samples * n_features + 4 * n_features**2)


class Profiles(NamedTuple):
    """Neurons that vary, centred and of length one, shape (n_samples, n_varying), and how many there are in all."""

    unit: Tensor
    n_features: int

    @property
    def dropped(self) -> int:
        """How many neurons do not vary."""
        return self.n_features - self.unit.shape[1]


@dataclass
class _Correlations(Measure):
    """Measures on the correlations of all neurons that vary."""

    family = "alignment"
    larger_is_more_similar = True
    invariances = frozenset({"permutation", "isotropic_scaling", "translation"})
    self_value = 1.0
    spatial = "align"
    copies = True

    def prepare(self, x: Features) -> Profiles:
        """Centre the neurons that vary, and bring them to length one.

        Raises
        ------
        DegenerateInputError
            If no neuron varies.
        """
        unit = x.shared(intermediates.unit_columns)
        varying = ~x.shared(intermediates.constant_columns)
        if not bool(varying.any()):
            raise DegenerateInputError("the representation is constant: no neuron varies")
        return Profiles(unit if bool(varying.all()) else unit[:, varying], x.shape[1])

    def permuted(self, state: Profiles, order: Tensor) -> Profiles:
        """Return the state for the rows in another order."""
        return Profiles(state.unit[order], state.n_features)

    def note(self, a: Profiles, b: Profiles) -> str:
        """Return how many neurons are left out."""
        sides = ("R", a), ("S", b)
        found = " and ".join(f"{x.dropped} of {x.n_features} of {side}" for side, x in sides if x.dropped)
        return f"neurons that are constant are left out: {found}" if found else ""

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, its centred copy, its unit columns, and the correlations of a pair."""
        return 8 * (4 * n_samples * n_features + 3 * n_features**2)


@dataclass
class SoftMatchingCorrelation(_Correlations):
    """Soft matching correlation.

    ``max_P Σ_ij P_ij corr(r_i, s_j)`` over all plans P that move the neurons of R, of 1 / D each, onto those of S, of
    1 / D' each; in [-1, 1]. With equal numbers of neurons it is the mean correlation under the best one-to-one match.
    Neurons that are constant have no correlation and are left out. The transport is solved exactly.

    References
    ----------
    .. [1] Khosla & Williams, Soft Matching Distance: A metric on neural representations that captures single-neuron
       tuning, UniReps 2023.
    """

    name = "soft_matching_correlation"
    on_cpu = True
    cost = "O(N D² + D³)"
    reference = SOFT_MATCHING

    def compare(self, a: Profiles, b: Profiles) -> float:
        """Return the correlation of matched neurons, in [-1, 1]."""
        found = a.unit.T @ b.unit
        plan = transport(self.name, 1 - found)
        return or_exactly(1.0, float(found[plan.rows, plan.columns] @ plan.shares))


@dataclass
class SemiMatchingCorrelation(_Correlations):
    """Semi-matching correlation.

    The mean over the neurons of R of the best correlation with a neuron of S, ``Σ_i max_j corr(r_i, s_j) / D``; in
    [-1, 1]. Several neurons of R may have the same partner: it is not symmetric, and its mean with the other direction
    is ``soft_correlation_match`` where no neuron is constant. Those that are have no correlation and are left out.

    References
    ----------
    .. [1] Li et al., Convergent Learning: Do different neural networks learn the same representations?, ICLR 2016.
    """

    name = "semi_matching_correlation"
    symmetric = False
    cost = "O(N D²)"
    reference = (
        "Li et al., Convergent Learning: Do different neural networks learn the same representations?, ICLR 2016"
    )

    def compare(self, a: Profiles, b: Profiles) -> float:
        """Return the mean of the best correlations, in [-1, 1]."""
        return or_exactly(1.0, float((a.unit.T @ b.unit).amax(1).mean()))


MEASURES: tuple[type[Measure], ...] = (SemiMatchingCorrelation, SoftMatchingCorrelation, SoftMatchingDistance)
