"""Figures of similarities and of how well measures do, drawn with matplotlib.

Every function returns a figure, takes ``ax=`` to draw into a figure of one's own, and leaves pyplot and matplotlib's
global settings alone. ``docs/plots.md`` shows each call.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resi.plot.canvas import save
    from resi.plot.heatmaps import heatmap

# Modules have other names than their functions: importing one would otherwise hide its function here.
_PUBLIC = {
    "heatmap": "resi.plot.heatmaps",
    "save": "resi.plot.canvas",
}

__all__ = ["heatmap", "save"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'resi.plot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
