"""The graph domain: node classification with graph neural networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.graph.domain import GraphDomain
from resi.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from resi.domains.base import Domain


@hookimpl
def resi_domains() -> tuple[type[Domain], ...]:
    """Return the graph domain."""
    return (GraphDomain,)
