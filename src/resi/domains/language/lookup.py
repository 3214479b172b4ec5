"""The datasets and networks of the domain by name, those of plugins included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi import registry
from resi.domains.language.datasets.base import TextDataset
from resi.domains.language.networks.base import TextNetwork
from resi.errors import UsageError

if TYPE_CHECKING:
    from resi.domains.language.networks.base import TransformerArchitecture

DOMAIN = "language"


def dataset_of(name: str) -> TextDataset:
    """Return a dataset by name.

    Raises
    ------
    UsageError
        If there is none, or if a plugin gives it as something else than a :class:`TextDataset`.
    """
    found = registry.datasets(DOMAIN).get(name)
    if not isinstance(found, TextDataset):
        raise UsageError(f"dataset {name} of domain={DOMAIN} is of the class {type(found).__name__}, not TextDataset")
    return found


def family_of(architecture: str) -> TextNetwork:
    """Return the family of an architecture.

    Raises
    ------
    UsageError
        If there is none, or if a plugin gives it as something else than a :class:`TextNetwork`.
    """
    found = registry.networks(DOMAIN).get(architecture)
    if not isinstance(found, TextNetwork):
        raise UsageError(
            f"model {architecture} of domain={DOMAIN} is of the class {type(found).__name__}, not TextNetwork"
        )
    return found


def architecture_of(name: str) -> TransformerArchitecture:
    """Return what an architecture is built from."""
    return family_of(name).architecture(name)
