"""Releases of the published benchmark: the models of each domain, and the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi import registry
from resi.domains.releases import DESCRIBED, EVIDENCE, Release

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from resi.domains.base import Domain
    from resi.domains.releases import Holding

MODELS, RESULTS = "models", "results"
"""The similarities that the publishers have computed."""


def releases() -> dict[str, tuple[Release, ...]]:
    """Return the downloads by name: the models of each installed domain, and the results."""
    found: dict[str, tuple[Release, ...]] = {}
    results: list[Holding] = []
    for domain in registry.usable_domains():
        found |= domain.releases()
        results += domain.published_results
    return {**found, RESULTS: (Release("11565486", r"results\.parquet", "published", holdings=tuple(results)),)}


def domain_of(name: str) -> Domain | None:
    """Return the domain whose models a release holds; None for the results."""
    return next((domain for domain in registry.usable_domains() if name in domain.releases()), None)


def evidence(architecture: str = "", dataset: str = "") -> dict[str, list[str]]:
    """Return what is known about published models and results for an architecture or dataset.

    Returns
    -------
    dict of str to list of str
        For ``models`` and ``results``, a phrase for each group of which something is known.
    """
    found: dict[str, list[str]] = {}
    for what, name, held in _holdings():
        if architecture in ("", *held.architectures) and dataset in ("", *held.datasets):
            others = held.datasets if architecture else held.architectures
            phrase = f"{', '.join(others)}: {EVIDENCE[held.evidence]}, resi download {name}"
            if phrase not in found.setdefault(what, []):
                found[what].append(phrase)
    return found


def only_described(pairs: Collection[tuple[str, str]]) -> dict[str, list[str]]:
    """Return of which architectures on which datasets nothing but the publishers' description is known.

    Parameters
    ----------
    pairs : collection of (str, str)
        Architectures with datasets, among which is looked.
    """
    found: dict[str, list[str]] = {}
    for what, _, held in _holdings():
        for dataset in held.datasets if held.evidence == DESCRIBED else ():
            names = [name for name in held.architectures if (name, dataset) in pairs]
            phrase = f"{', '.join(names)} on {dataset}"
            if names and phrase not in found.setdefault(what, []):
                found[what].append(phrase)
    return found


def _holdings() -> Iterator[tuple[str, str, Holding]]:
    """Yield what all releases hold: ``models`` or ``results``, what they are downloaded by, and the holding."""
    for name, sources in releases().items():
        for source in sources:
            for held in source.holdings:
                yield RESULTS if name == RESULTS else MODELS, name, held
