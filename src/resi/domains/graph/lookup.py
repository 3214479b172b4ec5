"""The datasets and networks of the graph domain by name, those of plugins included."""

from __future__ import annotations

from resi.domains.graph.datasets.base import GraphDataset
from resi.domains.graph.networks.base import GraphNetwork
from resi.domains.lookup import find_dataset, find_family


def graph_dataset(name: str) -> GraphDataset:
    """Return a dataset by name, or raise ``UsageError`` naming what exists."""
    return find_dataset(name, GraphDataset)


def graph_network(architecture: str) -> GraphNetwork:
    """Return the family of an architecture, or raise ``UsageError`` naming what exists."""
    return find_family(architecture, GraphNetwork)  # type: ignore[type-abstract]
