"""resi measures how similar the representations of neural networks are, and which measures can be trusted.

The public names load when they are first used, so that ``import resi`` stays instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resi.api.aggregates import calibrate
    from resi.api.comparing import compare, list_measures, pairwise
    from resi.api.convergence import convergence
    from resi.api.differences import difference
    from resi.api.evaluate import evaluate
    from resi.api.matrices import matrix
    from resi.api.models import Model
    from resi.api.ranking import ranks
    from resi.api.running import run
    from resi.engine.chance import Null
    from resi.engine.intervals import Bootstrap
    from resi.extraction.collection import Representations
    from resi.extraction.extract import extract
    from resi.extraction.files.loading import load
    from resi.extraction.files.saving import save
    from resi.extraction.listing import layers
    from resi.groundings.corrections import correct
    from resi.groundings.scores import score_table
    from resi.measures.base import Measure, as_measure
    from resi.registry.hookspecs import hookimpl
    from resi.report.beside import with_baseline

_PUBLIC = {
    "Bootstrap": "resi.engine.intervals",
    "Measure": "resi.measures.base",
    "Model": "resi.api.models",
    "Null": "resi.engine.chance",
    "Representations": "resi.extraction.collection",
    "as_measure": "resi.measures.base",
    "calibrate": "resi.api.aggregates",
    "compare": "resi.api.comparing",
    "convergence": "resi.api.convergence",
    "correct": "resi.groundings.corrections",
    "difference": "resi.api.differences",
    "evaluate": "resi.api.evaluate",
    "extract": "resi.extraction.extract",
    "hookimpl": "resi.registry.hookspecs",
    "layers": "resi.extraction.listing",
    "list_measures": "resi.api.comparing",
    "load": "resi.extraction.files.loading",
    "matrix": "resi.api.matrices",
    "pairwise": "resi.api.comparing",
    "ranks": "resi.api.ranking",
    "run": "resi.api.running",
    "save": "resi.extraction.files.saving",
    "score_table": "resi.groundings.scores",
    "with_baseline": "resi.report.beside",
}
_MODULES = ("plot", "testing")

__all__ = [
    "Bootstrap",
    "Measure",
    "Model",
    "Null",
    "Representations",
    "as_measure",
    "calibrate",
    "compare",
    "convergence",
    "correct",
    "difference",
    "evaluate",
    "extract",
    "hookimpl",
    "layers",
    "list_measures",
    "load",
    "matrix",
    "pairwise",
    "ranks",
    "run",
    "save",
    "score_table",
    "with_baseline",
]


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
    return sorted([*__all__, "__version__", *_MODULES])
