"""Hydra's config groups: every launcher, domain, dataset, model, test and measure, including plugins'."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from resi import registry
from resi.config.launchers import LAUNCHERS
from resi.config.loading import private_store
from resi.config.own_measures import key_of, parameters_of
from resi.config.schema import DatasetConfig, RunSchema, TestConfig
from resi.console import say
from resi.errors import described
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
        try:
            _register_domain(store, domain)
        except (Exception, SystemExit) as error:  # a plugin's, which must not take the others with it
            say(f"left out: domain {domain.name}: {described(error)}")
    for test in GROUNDINGS:
        store.store(group="test", name=test, node=TestConfig(name=test))
    for name, members in registry.measure_sets().items():
        store.store(group="measure", name=name, node={"defaults": members}, package="measure")
    known = registry.measures()
    for name in dict.fromkeys([*known, *known.of_plugins()]):
        _register_measure(store, name)


def _register_measure(store: ConfigStore, name: str) -> None:
    entry, package = registry.measures().origin(name), f"measure.{key_of(name)}"
    try:
        store.store(group="measure", name=name, node=entry.item, package=package)
    except (Exception, SystemExit):  # of a plugin, with parameters of kinds that a typed config cannot hold
        try:
            store.store(group="measure", name=name, node=parameters_of(entry.item), package=package)
        except (Exception, SystemExit) as error:
            reason = " ".join(str(error).split())
            say(f"left out: measure {name} of {entry.distribution} cannot be named in a run: {reason}")


def _register_domain(store: ConfigStore, domain: Domain) -> None:
    defaults: list[Any] = [{"override /dataset": domain.default_dataset}, {"override /model": [*domain.default_models]}]
    names = {domain.name, *(name for name in registry.domains().of_plugins() if _is_same(name, domain))}
    for name in names:
        store.store(group="domain", name=name, node={"defaults": defaults, "domain": name}, package="_global_")
    datasets = [dataset.name for dataset in domain.datasets()]
    for name in dict.fromkeys([*datasets, *registry.datasets(domain.name).of_plugins()]):
        store.store(group="dataset", name=name, node=DatasetConfig(name=name))
    architectures = [architecture.name for architecture in domain.architectures()]
    for name in dict.fromkeys([*architectures, *registry.networks(domain.name).of_plugins()]):
        store.store(group="model", name=name, node=domain.model_config, package=f"model.{key_of(name)}")


def _is_same(name: str, domain: Domain) -> bool:
    """Return whether ``distribution:name`` is a domain, by whichever name that is known."""
    return issubclass(registry.domains().get(name), type(domain)) and name.endswith(f":{domain.name}")
