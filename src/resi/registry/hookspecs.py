"""The hooks a plugin may implement.

A plugin is a distribution with an entry point in the group ``resi`` that names a module; the module implements one or
more of these hooks, marked with :data:`resi.hookimpl`. The measures, domains, datasets and networks that come with resi
register through the same hooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resi.domains.base import Domain, NetworkFamily
    from resi.measures.base import Measure
    from resi.specs import DatasetInfo

PROJECT = "resi"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Decorator of a plugin's functions that implement hooks: write it above ``resi_measures`` and the like."""


@hookspec
def resi_measures() -> Iterable[type[Measure]]:  # type: ignore[empty-body]
    """Return the measure classes this plugin provides."""


@hookspec
def resi_domains() -> Iterable[type[Domain]]:  # type: ignore[empty-body]
    """Return the domain classes this plugin provides."""


@hookspec
def resi_datasets() -> Iterable[DatasetInfo]:  # type: ignore[empty-body]
    """Return datasets for existing domains, such as ``resi.domains.graph.GraphDataset(...)``."""


@hookspec
def resi_networks() -> Iterable[NetworkFamily]:  # type: ignore[empty-body]
    """Return families of networks for existing domains: one instance each, of a subclass of the domain's class."""
