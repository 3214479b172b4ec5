"""Measures on kernel (Gram) matrices: centred kernel alignment, HSIC and the RV coefficient in their variants."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resi import Measure

MEASURES: tuple[type[Measure], ...] = ()
