"""The datasets and networks of the graph domain by name, those that plugins add included."""

from __future__ import annotations

from resi import registry
from resi.domains.graph.datasets.base import GraphDataset
from resi.domains.graph.networks.base import GraphNetwork
from resi.errors import UsageError

DOMAIN = GraphDataset.domain


def find_dataset(name: str) -> GraphDataset:
    """Return a dataset.

    Raises
    ------
    UsageError
        If there is none of that name, or a plugin's is of another class.
    """
    found = registry.datasets(DOMAIN).get(name)
    if not isinstance(found, GraphDataset):
        raise UsageError(f"dataset={name} is a {type(found).__name__}: expected a GraphDataset; correct its plugin")
    return found


def find_network(architecture: str) -> GraphNetwork:
    """Return the family that an architecture is of.

    Raises
    ------
    UsageError
        If there is none, or a plugin's is of another class.
    """
    found = registry.networks(DOMAIN).get(architecture)
    if not isinstance(found, GraphNetwork):
        raise UsageError(
            f"model={architecture} is of a {type(found).__name__}: expected a GraphNetwork; correct its plugin"
        )
    return found
