"""The graph domain: node classification with graph neural networks.

A plugin adds a :class:`GraphDataset` or a :class:`GraphNetwork` through the hooks ``resi_datasets`` and
``resi_networks``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.graph.datasets.base import Found, GraphDataset
from resi.domains.graph.datasets.catalogue import DATASETS
from resi.domains.graph.domain import GraphDomain
from resi.domains.graph.hyperparameters import recipe
from resi.domains.graph.networks.base import GraphNetwork
from resi.domains.graph.networks.catalogue import NETWORKS
from resi.domains.graph.networks.pyg import PyGNetwork
from resi.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from resi.domains.base import Domain

__all__ = ["Found", "GraphDataset", "GraphDomain", "GraphNetwork", "PyGNetwork", "recipe"]


@hookimpl
def resi_domains() -> tuple[type[Domain], ...]:
    """Return the graph domain."""
    return (GraphDomain,)


@hookimpl
def resi_datasets() -> tuple[GraphDataset, ...]:
    """Return the datasets of the graph domain."""
    return DATASETS


@hookimpl
def resi_networks() -> tuple[GraphNetwork, ...]:
    """Return the families of networks of the graph domain."""
    return NETWORKS
