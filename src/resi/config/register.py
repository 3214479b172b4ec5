"""Hydra's config groups: every launcher, domain, dataset, model, test and measure, including plugins'."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf.errors import OmegaConfBaseException

from resi import registry
from resi.config.launchers import LAUNCHERS
from resi.config.loading import private_store
from resi.config.schema import DatasetConfig, RunSchema, TestConfig
from resi.console import say
from resi.groundings import GROUNDINGS

if TYPE_CHECKING:
    from resi.domains.base import Domain


@functools.cache
def register() -> None:
    """Register everything with Hydra's global store; for the resi command itself."""
    Plugins.instance()  # those of other packages register launchers of the same names, and not after us
    fill_store(ConfigStore.instance())


@functools.cache
def own_store() -> ConfigStore:
    """Return a store of everything there is, beside that of the program that calls resi."""
    store = private_store()
    fill_store(store)
    return store


def fill_store(store: ConfigStore) -> None:
    """Register every launcher, domain, dataset, model, test and measure, those of plugins included."""
    for name, options in LAUNCHERS.items():
        store.store(group="hydra/launcher", name=name, node=options)
    store.store(name="run_schema", node=RunSchema)
    for domain in registry.usable_domains():
        _register_domain(store, domain)
    for test in GROUNDINGS:
        store.store(group="test", name=test, node=TestConfig(name=test))
    for name, members in registry.measure_sets().items():
        store.store(group="measure", name=name, node={"defaults": members}, package="measure")
    for name in registry.measures():
        entry = registry.measures().origin(name)
        try:
            store.store(group="measure", name=name, node=entry.item, package=f"measure.{name}")
        except OmegaConfBaseException as error:  # of a plugin, with parameters that a config cannot hold
            reason = " ".join(str(error).split())
            say(f"left out: measure {name} of {entry.distribution} cannot be named in a run: {reason}")


def _register_domain(store: ConfigStore, domain: Domain) -> None:
    defaults: list[Any] = [{"override /dataset": domain.default_dataset}, {"override /model": [*domain.default_models]}]
    store.store(
        group="domain", name=domain.name, node={"defaults": defaults, "domain": domain.name}, package="_global_"
    )
    for dataset in domain.datasets():
        store.store(group="dataset", name=dataset.name, node=DatasetConfig(name=dataset.name))
    for architecture in domain.architectures():
        name = architecture.name
        store.store(group="model", name=name, node=domain.model_config, package=f"model.{name}")
