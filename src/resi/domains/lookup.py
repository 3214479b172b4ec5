"""Datasets and networks of a domain by name: built-in ones, and those of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from resi import registry
from resi.errors import UsageError

if TYPE_CHECKING:
    from resi.domains.base import NetworkFamily
    from resi.specs import DatasetInfo

Dataset = TypeVar("Dataset", bound="DatasetInfo")
Family = TypeVar("Family", bound="NetworkFamily")


def find_dataset(name: str, kind: type[Dataset]) -> Dataset:
    """Return a dataset of the domain of a dataset class.

    Raises
    ------
    UsageError
        If there is none of that name, or if a plugin gives it as an object of another class.
    """
    found: Any = registry.datasets(kind.domain).get(name)
    if not isinstance(found, kind):
        raise _other_class(f"dataset={name}", kind.domain, found, kind)
    return found


def find_family(architecture: str, kind: type[Family]) -> Family:
    """Return the family of networks that an architecture is of; raises as :func:`find_dataset` does."""
    found: Any = registry.networks(kind.domain).get(architecture)
    if not isinstance(found, kind):
        raise _other_class(f"model={architecture}", kind.domain, found, kind)
    return found


def _other_class(what: str, domain: str, found: object, kind: type) -> UsageError:
    return UsageError(
        f"{what} of domain={domain} is a {type(found).__name__}: expected a {kind.__name__}; correct its plugin"
    )
