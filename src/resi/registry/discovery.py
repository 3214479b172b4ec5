"""Discovery of plugins. One that fails is reported and skipped, and never stops the others."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pluggy

from resi.errors import UsageError, described
from resi.machine.sources import note_sources
from resi.machine.unchanged import unchanged_process
from resi.registry import hookspecs

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRY_POINT_GROUP = "resi"
DOMAINS = ("resi.domains.graph", "resi.domains.language", "resi.domains.vision", "resi.domains.custom")
BUILT_IN = {
    "resi.measures": "resi.registry.built_in",
    **{name: name for name in DOMAINS},
}
"""The built-in plugins: their names, and the modules that register their items."""


@dataclass(frozen=True)
class PluginInfo:
    """One plugin, and why it failed to load; ``error`` is empty when it loaded."""

    name: str
    distribution: str
    version: str
    error: str = ""

    @property
    def key(self) -> str:
        """What distinguishes it: two distributions may use the same name."""
        return f"{self.distribution}:{self.name}"


@dataclass
class Plugins:
    """The loaded plugins and a record of each, including failed ones."""

    manager: pluggy.PluginManager
    _records: dict[str, PluginInfo] = field(default_factory=dict)

    def call(self, hook: str) -> Iterator[tuple[PluginInfo, Any]]:
        """Yield ``(plugin, item)`` for every item that any plugin returns from ``hook``, built-in plugins first.

        A plugin whose hook raises is recorded as failed and contributes nothing.
        """
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            info = self._records[implementation.plugin_name]
            try:
                with unchanged_process():
                    items = list(implementation.function())
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self.fail(info, f"{hook}: {described(error)}")
                continue
            for item in items:
                yield info, item

    @property
    def infos(self) -> list[PluginInfo]:
        """A record of every plugin, including failed ones."""
        return list(self._records.values())

    def add(self, info: PluginInfo) -> None:
        """Record that a plugin has loaded."""
        self._records[info.key] = info

    def fail(self, info: PluginInfo, error: str) -> None:
        """Record that a plugin failed; with ``RESI_STRICT_PLUGINS=1`` raise instead."""
        if os.environ.get("RESI_STRICT_PLUGINS", "0") not in ("", "0"):
            raise UsageError(f"plugin {info.name} ({info.distribution} {info.version}) failed: {error}")
        self._records[info.key] = replace(info, error=error)

    @property
    def failed(self) -> list[PluginInfo]:
        """The plugins that did not load."""
        return [info for info in self.infos if info.error]


@functools.cache
def load_plugins() -> Plugins:
    """Load the built-in plugins, then those of installed distributions.

    ``RESI_LOAD_PLUGINS`` limits the latter to the named distributions (comma-separated; empty: none).
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = Plugins(manager)
    version = importlib.metadata.version("resi")
    for name, module in BUILT_IN.items():
        info = PluginInfo(name, "resi", version)
        manager.register(importlib.import_module(module), name=info.key)
        plugins.add(info)
    for entry_point in _entry_points():
        _load(plugins, entry_point)
    note_sources()
    return plugins


def _entry_points() -> list[importlib.metadata.EntryPoint]:
    found = sorted(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda point: str(point.name))
    wanted = os.environ.get("RESI_LOAD_PLUGINS")
    if wanted is None:
        return found
    names = {name.strip() for name in wanted.split(",")}
    return [point for point in found if _distribution(point)[0] in names]


def _load(plugins: Plugins, entry_point: importlib.metadata.EntryPoint) -> None:
    info = PluginInfo(entry_point.name, *_distribution(entry_point))
    try:
        with unchanged_process():
            module = entry_point.load()
            plugins.manager.register(module, name=info.key)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        plugins.fail(info, described(error))
        return
    try:
        plugins.manager.check_pending()
    except Exception as error:
        # It misspells a hook, but is registered; take it out again.
        plugins.manager.unregister(module)
        plugins.fail(info, described(error))
    else:
        plugins.add(info)


def _distribution(entry_point: importlib.metadata.EntryPoint) -> tuple[str, str]:
    distribution = entry_point.dist
    try:
        return str(distribution.name), str(distribution.version)  # type: ignore[union-attr]
    except Exception:  # of metadata that are damaged or not there
        return "unknown", "unknown"
