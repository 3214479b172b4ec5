"""The datasets and networks of the graph domain by name, those that plugins add included.

:class:`GraphDomain` checks what plugins add, so that a run which has been planned finds what it expects here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from resi import registry

if TYPE_CHECKING:
    from resi.domains.graph.datasets.base import GraphDataset
    from resi.domains.graph.networks.base import GraphNetwork

DOMAIN = "graph"


def find_dataset(name: str) -> GraphDataset:
    """Return a dataset, or raise ``UsageError`` naming what exists."""
    return cast("GraphDataset", registry.datasets(DOMAIN).get(name))


def find_network(architecture: str) -> GraphNetwork:
    """Return the family that an architecture is of, or raise ``UsageError`` naming what exists."""
    return cast("GraphNetwork", registry.networks(DOMAIN).get(architecture))
