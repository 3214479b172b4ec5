"""Representational similarity analysis with other distances and other correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resi import Measure

MEASURES: tuple[type[Measure], ...] = ()
