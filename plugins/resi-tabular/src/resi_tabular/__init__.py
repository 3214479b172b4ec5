"""A plugin for resi with a domain of its own: small networks that classify the rows of tables.

The domain registers its datasets and networks through the hooks by which others add theirs: a :class:`TabularDataset`
or a :class:`TabularNetwork` of any plugin is one of the domain's.
"""

from __future__ import annotations

import resi
from resi_tabular.datasets import DATASETS, TabularDataset
from resi_tabular.domain import TabularDomain
from resi_tabular.networks import NETWORKS, TabularNetwork, recipe

__all__ = ["TabularDataset", "TabularDomain", "TabularNetwork", "recipe"]


@resi.hookimpl
def resi_domains() -> tuple[type[TabularDomain], ...]:
    """Return the domain."""
    return (TabularDomain,)


@resi.hookimpl
def resi_datasets() -> tuple[TabularDataset, ...]:
    """Return its datasets."""
    return DATASETS


@resi.hookimpl
def resi_networks() -> tuple[TabularNetwork, ...]:
    """Return its families of networks."""
    return NETWORKS
