"""The language domain: text classification with BERT, ALBERT and SmolLM2.

A plugin adds a dataset as a :class:`TextDataset` and a family of networks as a subclass of :class:`TextNetwork`,
through the hooks ``resi_datasets`` and ``resi_networks``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.language.datasets.base import PromptStyle, TextDataset
from resi.domains.language.datasets.catalogue import DATASETS
from resi.domains.language.domain import LanguageDomain
from resi.domains.language.networks.base import TextNetwork, TransformerArchitecture
from resi.domains.language.networks.catalogue import NETWORKS
from resi.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from resi.domains.base import Domain, NetworkFamily
    from resi.specs import DatasetInfo

__all__ = ["LanguageDomain", "PromptStyle", "TextDataset", "TextNetwork", "TransformerArchitecture"]


@hookimpl
def resi_domains() -> tuple[type[Domain], ...]:
    """Return the language domain."""
    return (LanguageDomain,)


@hookimpl
def resi_datasets() -> tuple[DatasetInfo, ...]:
    """Return the built-in datasets."""
    return DATASETS


@hookimpl
def resi_networks() -> tuple[NetworkFamily, ...]:
    """Return the built-in families of networks."""
    return NETWORKS
