"""The plugins that were found, and why others could not be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi import registry
from resi.registry.discovery import load_plugins
from resi.upkeep.checks import Check, failed, ok

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLUGINS = "plugins"


def plugins(_root: Path) -> Iterator[Check]:
    """Yield a line about the plugins shipped with resi, and one about each other plugin."""
    registry.measures()  # these call every hook, so that failures are recorded
    for domain in registry.domains():
        registry.datasets(domain), registry.networks(domain)
    infos = load_plugins().infos
    own = [info for info in infos if info.distribution == "resi" and not info.error]
    if own:
        counts = f"{len(registry.measures())} measures, {len(registry.domains())} domains"
        yield ok(PLUGINS, "built in", f"{len(own)} plugins; with all others {counts}")
    for info in infos:
        title = f"{info.distribution} {info.version}"
        if info.error:
            advice = f"python -m pip install --upgrade {info.distribution}, or uninstall it"
            yield failed(PLUGINS, info.name, f"{title} is left out: {info.error}", advice)
        elif info.distribution != "resi":
            yield ok(PLUGINS, info.name, title)
