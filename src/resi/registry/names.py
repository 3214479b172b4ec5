"""What exists, by name: measures, domains, datasets and networks, gathered from all plugins."""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from resi.console import say
from resi.errors import UsageError, unknown_name
from resi.registry.discovery import described, load_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from resi.domains.base import Domain, NetworkFamily
    from resi.measures.base import Measure
    from resi.specs import DatasetInfo

T = TypeVar("T")

SETS = ("all", "benchmark", "fast")
"""Names of sets of measures, which no measure can have."""
SLOW_FAMILIES = ("topology", "rsm")
"""Families of measures that the set ``fast`` leaves out."""


@dataclass(frozen=True)
class Registered(Generic[T]):
    """One registered item and where it comes from.

    Attributes
    ----------
    code : str
        Hash of the code of a measure that is not built in, when it was loaded; else empty.
    """

    item: T
    distribution: str
    version: str
    code: str = ""


class Registry(Generic[T]):
    """Items of one kind by unique name."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, Registered[T]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._items))

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __len__(self) -> int:
        return len(self._items)

    def add(self, name: str, item: T, distribution: str, version: str, code: str = "") -> None:
        """Add an item.

        Raises
        ------
        ValueError
            If the name is taken.
        """
        self.check_free(name)
        self._items[name] = Registered(item, distribution, version, code)

    def check_free(self, name: str) -> None:
        """Raise ``ValueError`` if a name is taken."""
        if name in self._items:
            taken = self._items[name].distribution
            raise ValueError(f"{self.kind} {name!r} is already provided by {taken}")

    def origin(self, name: str) -> Registered[T]:
        """Return an item with the distribution that provides it, or raise ``UsageError`` with suggestions."""
        if name not in self._items:
            failed = [f" Plugin {p.name} of {p.distribution} failed to load: {p.error}" for p in load_plugins().failed]
            raise unknown_name(self.kind, name, list(self), "".join(failed))
        return self._items[name]

    def get(self, name: str) -> T:
        """Return an item by name, or raise ``UsageError`` with suggestions."""
        return self.origin(name).item

    def in_order(self) -> list[T]:
        """Return the items in the order they were added."""
        return [entry.item for entry in self._items.values()]

    def match(self, pattern: str) -> list[str]:
        """Return the names that match a shell-style pattern, sorted."""
        return [name for name in self if fnmatch.fnmatchcase(name, pattern)]


@functools.cache
def measures() -> Registry[type[Measure]]:
    """All discovered measures by name."""
    from resi.measures.base import check_facts
    from resi.measures.functional import FUNCTIONAL
    from resi.measures.guard import is_built_in
    from resi.measures.source import code_hash

    registry: Registry[type[Measure]] = Registry("measure")
    plugins = load_plugins()
    for info, measure in plugins.call("resi_measures"):
        try:
            check_facts(measure)
            if measure.name in FUNCTIONAL:
                raise ValueError(f"measure {measure.name!r}: the name is taken by a function of outputs")
            if measure.name in SETS:
                raise ValueError(f"measure {measure.name!r}: the name is taken by a set of measures")
            if measure.benchmark and not is_built_in(measure):
                raise ValueError(f"measure {measure.name!r}: 'benchmark' marks the published ones alone; leave it out")
            code = "" if is_built_in(measure) else code_hash(measure, f"{info.distribution} {info.version}")
            registry.add(measure.name, measure, info.distribution, info.version, code)
        except ValueError as error:
            plugins.fail(info, str(error))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            plugins.fail(info, f"measure {getattr(measure, '__qualname__', measure)!r}: {described(error)}")
    return registry


def measure_sets() -> dict[str, list[str]]:
    """Return the named sets of measures."""
    facts = {name: measures().get(name) for name in measures()}
    benchmark = [name for name, measure in facts.items() if measure.benchmark]
    return {
        "all": list(facts),
        "benchmark": benchmark,
        "fast": [name for name in benchmark if facts[name].family not in SLOW_FAMILIES],
    }


@functools.cache
def domains() -> Registry[type[Domain]]:
    """All discovered domains by name."""
    registry: Registry[type[Domain]] = Registry("domain")
    plugins = load_plugins()
    for info, domain in plugins.call("resi_domains"):
        try:
            registry.add(domain.name, domain, info.distribution, info.version)
        except ValueError as error:
            plugins.fail(info, str(error))
        except Exception as error:
            plugins.fail(info, f"domain {getattr(domain, '__qualname__', domain)!r}: {described(error)}")
    return registry


def datasets(domain: str) -> Registry[DatasetInfo]:
    """Return the datasets of a domain by name."""
    return _of_domain(domain, "dataset", "resi_datasets", _name_of_dataset)


def networks(domain: str) -> Registry[NetworkFamily]:
    """Return the families of networks of a domain by the name of each of their architectures."""
    return _of_domain(domain, "model", "resi_networks", _names_of_architectures)


def _name_of_dataset(dataset: DatasetInfo) -> list[str]:
    return [dataset.name]


def _names_of_architectures(family: NetworkFamily) -> list[str]:
    return [architecture.name for architecture in family.architectures]


def _of_domain(domain: str, kind: str, hook: str, names: Callable[[Any], list[str]]) -> Registry[Any]:
    found = _of_domains(kind, hook, names)
    if domain not in found:
        raise unknown_name("domain", domain, list(found))
    return found[domain]


@functools.cache
def _of_domains(kind: str, hook: str, names: Callable[[Any], list[str]]) -> dict[str, Registry[Any]]:
    found: dict[str, Registry[Any]] = {domain: Registry(f"{kind} of domain={domain}:") for domain in domains()}
    plugins = load_plugins()
    for info, item in plugins.call(hook):
        try:
            if item.domain not in found:
                raise ValueError(f"there is no domain {item.domain!r}; there are {', '.join(found)}")
            registry = found[item.domain]
            for name in names(item):  # all of them, before any is added
                registry.check_free(name)
            for name in names(item):
                registry.add(name, item, info.distribution, info.version)
        except ValueError as error:
            plugins.fail(info, f"{hook}: {error}")
        except Exception as error:
            plugins.fail(info, f"{hook}: {kind} {getattr(item, 'name', item)!r}: {described(error)}")
    return found


@functools.cache
def usable_domains() -> tuple[Domain, ...]:
    """Return each domain by name; a plugin's domain that fails to list its contents is left out with a message."""
    found = []
    for name in domains():
        entry = domains().origin(name)
        try:
            domain = entry.item()
            _ = domain.datasets(), domain.architectures(), domain.default_dataset, domain.default_models
        except (Exception, SystemExit) as error:  # a plugin's, which must not take the others with it
            say(f"left out: domain {name} of {entry.distribution}: {type(error).__name__}: {error}")
        else:
            found.append(domain)
    return tuple(found)


def make_measure(name: str, parameters: Mapping[str, Any]) -> Measure:
    """Return a measure with its parameters set, or raise ``UsageError`` naming what exists."""
    if not isinstance(name, str):
        raise UsageError(f"expected the name of a measure, not {name!r}")
    return configured(measures().get(name), parameters)


def configured(measure: type[Measure], parameters: Mapping[str, Any]) -> Measure:
    """Return a measure of a class with its parameters set, or raise ``UsageError`` naming what exists."""
    name = measure.name
    defaults = {field.name: field.default for field in dataclasses.fields(measure)}  # type: ignore[arg-type]
    for parameter, value in parameters.items():
        if parameter not in defaults:
            raise unknown_name(f"parameter of {name}", parameter, list(defaults))
        _check_type(f"{name}: {parameter}={value!r}", value, defaults[parameter])
    try:
        return measure(**parameters)
    except (TypeError, ValueError) as error:
        message = str(error)
        raise UsageError(message if message.startswith(f"{name}:") else f"{name}: {message}") from error


def _check_type(label: str, value: Any, default: Any) -> None:
    """Raise ``UsageError`` if a parameter is not of the kind of its default."""
    kinds = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}
    allowed = kinds.get(type(default))
    if allowed is None or (isinstance(value, allowed) and isinstance(value, bool) == isinstance(default, bool)):
        return
    raise UsageError(f"{label}: expected a value such as {default!r}")
