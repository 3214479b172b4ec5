"""A representation with its rows in another order, which reuses the intermediates of the original.

Most shared intermediates either have one row per sample, or do not depend on the order of samples. Only those of pairs
are computed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from resi.measures.features import Features
from resi.measures.shared import bases, chance, intermediates

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

T = TypeVar("T")

FIRST = -1
"""The place of a reordered representation: before all others, so that it keeps what belongs to a pair. Whoever made it
is alone in using it; the other side may be in use by other threads at the same time."""


class Reordered(Features):
    """A representation with its rows in another order.

    Parameters
    ----------
    base : Features
        The representation; what it holds already is not computed again.
    order : Tensor of shape (n_samples,), int64
        Row i is row ``order[i]`` of the base.
    """

    def __init__(self, base: Features, order: Tensor) -> None:
        super().__init__(base.given, base.dtype, FIRST)
        del self.given  # it has the order of the base
        self._base = base
        self._order = order
        self._known: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name != "given":
            raise AttributeError(name)
        # Seldom needed, and only then made.
        self.given = self._base.given[self._order]
        return self.given

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of samples and features."""
        return self._base.shape

    @property
    def matrix(self) -> Tensor:
        """The matrix in float64, shape (n_samples, n_features)."""
        return self._base.matrix[self._order]

    def shared(self, build: Callable[..., T], **parameters: Any) -> T:
        """Return ``build(self, **parameters)``, from what the base holds where that has the order of the rows."""
        if build in SAME:
            return self._base.shared(build, **parameters)
        key = (build, *sorted(parameters.items()))
        if build in IN_ROWS and key not in self._shared:
            value: Any = self._base.shared(build, **parameters)
            place = id(value)  # some are the same matrix, which the base holds
            if place not in self._known:
                self._known[place] = IN_ROWS[build](value, self._order)
            self._shared[key] = self._known[place]
        return super().shared(build, **parameters)


def _rows(value: Tensor, order: Tensor) -> Tensor:
    # A third of the time of indexing.
    return value.index_select(0, order)


def _first(value: Any, order: Tensor) -> Any:
    """Return a named tuple whose first part has one row per sample."""
    return value._replace(**{value._fields[0]: value[0].index_select(0, order)})


def both(value: Tensor, order: Tensor) -> Tensor:
    """Return a matrix over pairs of samples with rows and columns in another order."""
    return value.index_select(0, order).index_select(1, order)


SAME: frozenset[Callable[..., Any]] = frozenset(
    {
        intermediates.scale,
        intermediates.column_sizes,
        intermediates.centred_lengths,
        intermediates.column_noise,
        intermediates.constant_columns,
        intermediates.centred_norm,
        intermediates.product_norm,
        chance.extent,
    }
)
"""Intermediates that do not depend on the order of the rows."""
IN_ROWS: dict[Callable[..., Any], Callable[[Any, Tensor], Any]] = {
    intermediates.scaled: _first,
    intermediates.shifted: _rows,
    intermediates.centred: _rows,
    intermediates.centred_unit: _rows,
    intermediates.centred_compact: _rows,
    intermediates.compact_for_products: _rows,
    intermediates.compact: _rows,
    intermediates.moved: _first,
    intermediates.unit_columns: _rows,
    intermediates.centred_gram: both,
    bases.centred_basis: _first,
    bases.uncentred_basis: _first,
}
"""Intermediates that follow the order of the rows, and how to reorder them."""
