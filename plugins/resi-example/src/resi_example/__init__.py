"""A plugin for resi with one measure: how different the effective ranks of two representations are."""

from __future__ import annotations

from dataclasses import dataclass

import resi
from resi.errors import DegenerateInputError


@dataclass
class EffectiveRankDifference(resi.Measure):
    """Difference of effective ranks.

    The effective rank of a representation is ``exp(H(p))``, with H the entropy of its centred singular values divided
    by their sum: about the number of directions it uses. Returns the absolute difference of the two, in directions.

    References
    ----------
    .. [1] Roy & Vetterli, The effective rank: A measure of effective dimensionality, EUSIPCO 2007.
    """

    name = "effective_rank_difference"
    family = "statistics"
    larger_is_more_similar = False
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 0.0
    cost = "O(1)"
    reference = "Roy & Vetterli, The effective rank: A measure of effective dimensionality, EUSIPCO 2007"

    def prepare(self, x):
        """Return the effective rank of one representation; ``x.matrix`` has shape (n_samples, n_features)."""
        values = (x.matrix - x.matrix.mean(0)).svd().S
        total = float(values.sum())
        if total == 0:
            raise DegenerateInputError("the representation is constant: all rows are the same")
        shares = values[values > 0] / total
        return float((-(shares * shares.log()).sum()).exp())

    def compare(self, a: float, b: float) -> float:
        """Return the difference of two effective ranks."""
        return abs(a - b)


@resi.hookimpl
def resi_measures():
    """Tell resi of the measure."""
    return (EffectiveRankDifference,)
