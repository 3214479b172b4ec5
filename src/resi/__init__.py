"""resi measures how similar the representations of neural networks are, and which measures can be trusted.

The public names load when they are first used, so that ``import resi`` stays instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resi.api.comparing import compare, list_measures, pairwise
    from resi.groundings.scores import score_table
    from resi.measures.base import Measure, as_measure
    from resi.pipeline.run import run
    from resi.registry.hookspecs import hookimpl

_PUBLIC = {
    "Measure": "resi.measures.base",
    "as_measure": "resi.measures.base",
    "compare": "resi.api.comparing",
    "hookimpl": "resi.registry.hookspecs",
    "list_measures": "resi.api.comparing",
    "pairwise": "resi.api.comparing",
    "run": "resi.pipeline.run",
    "score_table": "resi.groundings.scores",
}
_MODULES = ("plot", "testing")

__all__ = ["Measure", "as_measure", "compare", "hookimpl", "list_measures", "pairwise", "run", "score_table"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # most of the time that importing resi would take

        return version("resi")
    if name in _MODULES:
        return importlib.import_module(f"resi.{name}")
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'resi' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__"])
