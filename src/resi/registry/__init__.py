"""Everything available, built in and from plugins, by name."""

from __future__ import annotations

from resi.registry.items import SEPARATOR, Registered, Registry, canonical_name, qualified
from resi.registry.names import (
    SETS,
    SLOW_FAMILIES,
    configured,
    datasets,
    defaults,
    domains,
    is_taken,
    make_measure,
    measure_sets,
    measures,
    networks,
    usable_domains,
)

__all__ = [
    "SEPARATOR",
    "SETS",
    "SLOW_FAMILIES",
    "Registered",
    "Registry",
    "canonical_name",
    "configured",
    "datasets",
    "defaults",
    "domains",
    "is_taken",
    "make_measure",
    "measure_sets",
    "measures",
    "networks",
    "qualified",
    "usable_domains",
]
