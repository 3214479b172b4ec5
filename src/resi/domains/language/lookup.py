"""The datasets and networks of the language domain by name, those of plugins included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.language.datasets.base import TextDataset
from resi.domains.language.networks.base import TextNetwork
from resi.domains.lookup import find_dataset, find_family

if TYPE_CHECKING:
    from resi.domains.language.networks.base import TransformerArchitecture


def text_dataset(name: str) -> TextDataset:
    """Return a dataset by name, or raise ``UsageError`` naming what exists."""
    return find_dataset(name, TextDataset)


def text_network(architecture: str) -> TextNetwork:
    """Return the family of an architecture, or raise ``UsageError`` naming what exists."""
    return find_family(architecture, TextNetwork)  # type: ignore[type-abstract]


def text_architecture(name: str) -> TransformerArchitecture:
    """Return what an architecture is built from."""
    return text_network(name).architecture(name)
