"""The vision domain: image classification with ResNets, VGGs and vision transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.vision.domain import VisionDomain
from resi.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from resi.domains.base import Domain


@hookimpl
def resi_domains() -> tuple[type[Domain], ...]:
    """Return the vision domain."""
    return (VisionDomain,)
