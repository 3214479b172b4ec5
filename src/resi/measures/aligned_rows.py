"""Cosines of matching rows after rotating one representation onto the other."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError
from resi.measures.base import BuiltIn
from resi.measures.needs import Needs
from resi.measures.shared import intermediates, parts, rows
from resi.measures.shared.bases import thin_svd
from resi.measures.shared.precision import or_exactly
from resi.measures.shared.rotations import is_clear, rotation_of_all_sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from resi.measures.base import Spread
    from resi.measures.features import Features
    from resi.measures.needs import Size
else:
    from resi.lazy import torch


class RowsState(NamedTuple):
    """Scaled features in at most n_samples columns, with unit rows, and a mask of rows that are not all zero."""

    compact: Tensor
    unit: Tensor
    usable: Tensor


@dataclass
class AlignedCosine(BuiltIn):
    """Aligned cosine similarity.

    R is rotated onto S by the best orthogonal matrix, without centring; the value is the mean cosine of matching rows,
    in [-1, 1]. Rows that are all zero on either side are left out with a warning. Directions in which one side is
    orthogonal to the other have no best rotation, and count as orthogonal.

    References
    ----------
    .. [1] Hamilton et al., Diachronic Word Embeddings Reveal Statistical Laws of Semantic Change, ACL 2016.
    """

    name = "aligned_cosine"
    family = "alignment"
    version = 2
    larger_is_more_similar = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling"})
    self_value = 1.0
    spatial = "align"
    copies = True
    benchmark = True
    published_name = "AlignedCosineSimilarity"
    cost = "O(N D² + D³)"
    reference = "Hamilton et al., Diachronic Word Embeddings Reveal Statistical Laws of Semantic Change, ACL 2016"

    def prepare(self, x: Features) -> RowsState:
        """Rotate the features into fewer columns where there are more columns than rows, and normalise the rows.

        Raises
        ------
        DegenerateInputError
            If all entries are zero.
        """
        if not x.matrix.any():
            raise DegenerateInputError("all entries are zero")
        compact = x.shared(intermediates.compact)
        unit = rows.with_unit_rows(compact)
        return RowsState(compact, unit, unit.any(1))

    def permuted(self, state: RowsState, order: Tensor) -> RowsState:
        """Return the prepared state with its rows in another order."""
        return RowsState(*(part.index_select(0, order) for part in state))

    def compare(self, a: RowsState, b: RowsState) -> float:
        """Return the mean cosine of matching rows, in [-1, 1].

        Raises
        ------
        DegenerateInputError
            If every row is zero on one side or the other.
        """
        count = int((a.usable & b.usable).sum())
        if count == 0:
            raise DegenerateInputError("every row is zero on at least one side")
        if count < len(a.usable):
            warnings.warn(f"{self.name}: {len(a.usable) - count} all-zero rows are left out", stacklevel=2)
        rotation = rotation_of_all_sizes(a.compact, b.compact)
        # The sum of the cosines u R v over pairs of unit rows; rows that are all zero add nothing.
        value = float((rotation * (a.unit.T @ b.unit)).sum()) / count
        return or_exactly(1.0, max(-1.0, min(1.0, value)))

    def permuted_values(
        self, states: Sequence[RowsState], pairs: Sequence[tuple[int, int]], orders: Tensor, spread: Spread
    ) -> Sequence[Tensor | None]:
        """Reuse what is the same for all orders; pairs with all-zero rows are compared one by one."""
        chosen = [(states[one], states[other]) for one, other in pairs]
        return list(spread(lambda pair: self._in_orders(pair[0], pair[1], orders), chosen))

    def _in_orders(self, a: RowsState, b: RowsState, orders: Tensor) -> Tensor | None:
        if not bool((a.usable & b.usable).all()):
            return None
        norms = float(a.compact.norm()) * float(b.compact.norm())
        values = torch.empty(len(orders), dtype=torch.float64)
        for number, order in enumerate(orders):
            left, sizes, right = thin_svd(a.compact.T @ b.compact.index_select(0, order))
            if is_clear(sizes, max(a.compact.shape[1], b.compact.shape[1]), norms):
                cosines = a.unit.T @ b.unit.index_select(0, order)
                value = float(torch.tensordot(left @ right, cosines)) / len(a.unit)
                values[number] = or_exactly(1.0, max(-1.0, min(1.0, value)))
            else:
                values[number] = self.compare(a, self.permuted(b, order))
        return values

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the compact form and its unit rows, and of rotating a pair."""
        compact = 8 * size.n_samples * size.smaller
        held = size.matrix() | ({"compact": compact} if size.wide else {}) | {"unit": compact}
        return Needs(held, preparing=parts.rotating(size), comparing=8 * size.square)
