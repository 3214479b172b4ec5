"""The plugin that registers the built-in measures, through the same hook as any plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.measures import MEASURES
from resi.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from resi.measures.base import Measure


@hookimpl
def resi_measures() -> tuple[type[Measure], ...]:
    """Return the built-in measures."""
    return MEASURES
