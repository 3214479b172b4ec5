"""Figures of similarities and of the performance of measures, drawn with matplotlib.

Every function returns a figure, accepts ``ax=`` to draw into your own figure, and does not change pyplot or
matplotlib's global settings. ``docs/plots.md`` shows each call.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resi.plot.canvas import save
    from resi.plot.convergences import convergence
    from resi.plot.cost_dots import cost
    from resi.plot.critical import critical_difference
    from resi.plot.group_strips import groups
    from resi.plot.heatmaps import heatmap
    from resi.plot.model_map import map
    from resi.plot.output_dots import outputs
    from resi.plot.rank_boxes import ranks
    from resi.plot.score_dots import scores

# Modules have other names than their functions: importing one would otherwise hide its function here.
_PUBLIC = {
    "convergence": "resi.plot.convergences",
    "cost": "resi.plot.cost_dots",
    "critical_difference": "resi.plot.critical",
    "groups": "resi.plot.group_strips",
    "heatmap": "resi.plot.heatmaps",
    "map": "resi.plot.model_map",
    "outputs": "resi.plot.output_dots",
    "ranks": "resi.plot.rank_boxes",
    "save": "resi.plot.canvas",
    "scores": "resi.plot.score_dots",
}

__all__ = [
    "convergence", "cost", "critical_difference", "groups", "heatmap", "map", "outputs", "ranks", "save", "scores",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'resi.plot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
