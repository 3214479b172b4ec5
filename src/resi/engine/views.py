"""The views of two representations that a measure compares, and whether preparing both fits into memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resi.engine.budget import check_budget
from resi.errors import ShapeError
from resi.measures.guard import needs_of
from resi.measures.needs import of_pair
from resi.measures.shapes import pair_views

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resi.engine.budget import Limits
    from resi.measures.base import Measure
    from resi.measures.needs import Needs
    from resi.measures.shapes import Sampling, View
    from resi.representation import Representation


class Views:
    """Finds the views of pairs, once for each combination of shapes: thousands of pairs share a few of them.

    Parameters
    ----------
    memory : int
        Budget for prepared representations, in bytes.
    sampling : {"spread", "strided"}
        Which of many rows of maps are compared.
    limits : Limits
        Names of the limits on memory and samples in messages.
    is_doubled : bool
        Whether draws of samples are prepared beside all samples, which takes twice the memory.
    """

    def __init__(self, memory: int, sampling: Sampling, limits: Limits, is_doubled: bool) -> None:
        self._memory = memory
        self._sampling = sampling
        self._limits = limits
        self._is_doubled = is_doubled
        self._known: dict[tuple[Any, ...], tuple[View, View]] = {}

    def of(self, measure: Measure, source: Representation, target: Representation) -> tuple[View, View]:
        """Return the views of a pair.

        Raises
        ------
        ShapeError
            If the sides hold different samples, or the measure does not accept their shapes.
        BudgetError
            If the pair exceeds the budget even on one thread; the message says what would fit.
        """
        known = (measure.name, *((side.size, side.layout, side.samples) for side in (source, target)))
        if known not in self._known:
            self._known[known] = self._find(measure, source, target)
        return self._known[known]

    def largest_need(self, measure: Measure, representations: Iterable[Representation]) -> Needs:
        """Return the need of the representation that needs most memory for a measure."""
        by_shape = {(item.size, item.layout, item.itemsize): item for item in representations}
        found = (self._needs(measure, item, item)[0] for item in by_shape.values())
        return max(found, key=lambda needs: needs.of_one)

    def _find(self, measure: Measure, source: Representation, target: Representation) -> tuple[View, View]:
        if source.samples != target.samples:
            raise ShapeError(f"{measure.name}: {source.name} and {target.name} hold different samples")
        result = self._pair(measure, source, target)

        def bytes_of(count: int) -> int:
            return self._bytes(measure, *(replace(side, size=(count, *side.size[1:])) for side in (source, target)))

        check_budget(measure.name, source.size, bytes_of, self._memory, self._limits)
        return result

    def _bytes(self, measure: Measure, source: Representation, target: Representation) -> int:
        """Return the bytes that preparing two representations, one after the other, and comparing them takes."""
        need = of_pair(*self._needs(measure, source, target))
        return 2 * need if self._is_doubled else need

    def _needs(self, measure: Measure, source: Representation, target: Representation) -> tuple[Needs, Needs]:
        """Return the memory that each of two representations needs for a measure."""
        views = self._pair(measure, source, target)
        sides = zip(views, (source, target), strict=True)
        first, second = (needs_of(measure, view.needed(side.size, side.itemsize)) for view, side in sides)
        return first, second

    def _pair(self, measure: Measure, source: Representation, target: Representation) -> tuple[View, View]:
        return pair_views(
            measure.name, (source.size, target.size), (source.layout, target.layout), measure.spatial, self._sampling
        )
