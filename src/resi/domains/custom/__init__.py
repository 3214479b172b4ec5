"""The custom domain: representations of a user's own models, listed in a table with one row per representation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.custom.domain import CustomDomain
from resi.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from resi.domains.base import Domain

__all__ = ["CustomDomain"]


@hookimpl
def resi_domains() -> tuple[type[Domain], ...]:
    """Return the custom domain."""
    return (CustomDomain,)
