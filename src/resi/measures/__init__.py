"""The built-in similarity measures, one file a family, registered through the same hook as anybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.hookspecs import hookimpl
from resi.measures.alignment import Procrustes
from resi.measures.kernel import CKA
from resi.measures.neighbours import Jaccard
from resi.measures.rsm import RSA
from resi.measures.topology import IMD, RTD, GeometryScore

if TYPE_CHECKING:
    from resi.measures.base import Measure


@hookimpl
def resi_measures() -> tuple[type[Measure], ...]:
    """Return the built-in measures."""
    return (CKA, GeometryScore, IMD, Jaccard, Procrustes, RSA, RTD)
