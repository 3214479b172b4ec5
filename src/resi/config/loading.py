"""Hydra's reading of configs without Hydra's global state: a program that uses Hydra itself is not affected.

Hydra keeps its search path, the configs that code registers, its version and its resolvers in one place for the whole
process. This module has its own search path and store, and restores the rest.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import setup_globals
from hydra.version import VersionBase, setbase
from omegaconf import OmegaConf

from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hydra.core.config_loader import ConfigLoader
    from hydra.core.config_search_path import ConfigSearchPath
    from omegaconf import DictConfig

VERSION_BASE = "1.3"
# The scheme of the source that reads a store.
STRUCTURED = "structured"
RESOLVERS = ("now", "hydra", "python_version")
"""Resolvers that Hydra registers when it is initialised."""
# What every store has: Hydra's own configs.
HYDRAS_OWN = ("hydra", "_dummy_empty_config_.yaml")
_lock = threading.RLock()


def config_folder() -> Path:
    """Return the folder of the YAML configs: inside an installed package, at the top of a checkout."""
    inside = Path(__file__).parents[1] / "conf"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "conf"


def private_store() -> ConfigStore:
    """Return a store of configs beside the one of the process, which has what Hydra and its plugins register."""
    with _lock:
        Plugins.instance()  # plugins register their configs once, in the store of the process
        shared = ConfigStore.instance()
        store = ConfigStore.__new__(ConfigStore)  # by its class alone: calling it returns the one of the process
        store.repo = {name: _copied(shared.repo[name]) for name in HYDRAS_OWN if name in shared.repo}
        return store


def _copied(entry: Any) -> Any:
    """Return a copy of a group of a store; the configs in it are copied when they are read."""
    return {name: _copied(below) for name, below in entry.items()} if isinstance(entry, dict) else entry


class PrivateLoader(ConfigLoaderImpl):
    """Reads configs from its own search path and store.

    Parameters
    ----------
    search_path
        Where YAML files lie.
    store : ConfigStore
        What code has registered.
    """

    def __init__(self, search_path: ConfigSearchPath, store: ConfigStore) -> None:
        super().__init__(search_path)
        self.store = store
        self.repository = _Repository(search_path, store)

    def load_configuration(self, *given: Any, **options: Any) -> DictConfig:
        """Compose a config as Hydra does."""
        with composing():
            return super().load_configuration(*given, **options)


class _Repository(ConfigRepository):
    def __init__(self, search_path: ConfigSearchPath, store: ConfigStore) -> None:
        self._store = store
        super().__init__(search_path)

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        super().initialize_sources(config_search_path)
        for source in self.sources:
            if source.scheme() == STRUCTURED:
                source.store = self._store  # type: ignore[attr-defined]

    def __deepcopy__(self, memo: dict[int, Any]) -> _Repository:
        # Hydra copies all sources for each config, to replace some in the copy; none of them is ever changed.
        copied = copy.copy(self)
        copied.sources = list(self.sources)
        return copied


def store_of(loader: ConfigLoader) -> ConfigStore:
    """Return the store that a loader reads: of Hydra's own, that of the process."""
    return loader.store if isinstance(loader, PrivateLoader) else ConfigStore.instance()


def open_loader(main: Path, store: ConfigStore, further: Path | None = None) -> PrivateLoader:
    """Return what composes configs from a folder, a store, and a further folder of a user's.

    Raises
    ------
    UsageError
        If the further folder does not exist.
    """
    with _lock:
        path = create_config_search_path(str(main))
        if further is not None:
            if not further.is_dir():
                raise UsageError(f"--config-dir {further}: there is no such folder")
            path.prepend("command-line", f"file://{further.absolute()}", SearchPathQuery(provider="schema"))
        return PrivateLoader(path, store)


@contextlib.contextmanager
def composing() -> Iterator[None]:
    """Set up the global state that composing and reading a config needs, for this block, in one thread at a time."""
    with _lock:
        version = VersionBase.instance()
        before = version.version_base  # also where none is set yet
        missing = [name for name in RESOLVERS if not OmegaConf.has_resolver(name)]
        if len(missing) == len(RESOLVERS):  # else the program has some, of Hydra's or its own
            setup_globals()
        setbase(VERSION_BASE)
        try:
            yield
        finally:
            version.version_base = before
            if len(missing) == len(RESOLVERS):
                for name in missing:
                    OmegaConf.clear_resolver(name)
