"""The language domain: text classification with BERT, ALBERT and SmolLM2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.language.domain import LanguageDomain
from resi.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from resi.domains.base import Domain


@hookimpl
def resi_domains() -> tuple[type[Domain], ...]:
    """Return the language domain."""
    return (LanguageDomain,)
