"""Everything available, built in and from plugins, by name."""

from __future__ import annotations

from resi.registry.names import (
    SETS,
    SLOW_FAMILIES,
    Registered,
    Registry,
    configured,
    datasets,
    domains,
    make_measure,
    measure_sets,
    measures,
    networks,
    usable_domains,
)

__all__ = [
    "SETS",
    "SLOW_FAMILIES",
    "Registered",
    "Registry",
    "configured",
    "datasets",
    "domains",
    "make_measure",
    "measure_sets",
    "measures",
    "networks",
    "usable_domains",
]
