"""Measures, domains, datasets and networks by name, collected from all plugins."""

from __future__ import annotations

import copy
import dataclasses
import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.console import say
from resi.errors import UsageError, described, unknown_name
from resi.registry.discovery import load_plugins
from resi.registry.items import SEPARATOR, Registry, qualified

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resi.domains.base import Domain, NetworkFamily
    from resi.measures.base import Measure
    from resi.specs import DatasetInfo

SETS = ("all", "benchmark", "fast")
"""Names of sets of measures, which no measure can have."""
RESERVED = ("file", "true", "false", "null", "inf", "nan")
"""Further reserved names: the key ``measure.file``, and words that a config does not read as text."""
SLOW_FAMILIES = ("topology", "rsm")
"""Families of measures that the set ``fast`` leaves out."""
UNSET = "???"
"""The value in a config of a parameter without a default that was not given."""


@functools.cache
def measures() -> Registry[type[Measure]]:
    """All discovered measures by name."""
    from resi.measures.base import check_facts
    from resi.measures.functional import FUNCTIONAL
    from resi.measures.guard import is_built_in
    from resi.measures.source import code_hash

    registry: Registry[type[Measure]] = Registry("measure", _renamed_class)
    plugins = load_plugins()
    for info, measure in plugins.call("resi_measures"):
        try:
            check_facts(measure)
            if measure.name in FUNCTIONAL:
                raise ValueError(f"measure {measure.name!r}: the name is taken by a function of outputs")
            if measure.name in SETS:
                raise ValueError(f"measure {measure.name!r}: the name is taken by a set of measures")
            if measure.name in RESERVED:
                raise ValueError(f"measure {measure.name!r}: the name means something else after measure=")
            if measure.benchmark and not is_built_in(measure):
                raise ValueError(
                    f"measure {measure.name!r}: 'benchmark' is reserved for the published measures; leave it out"
                )
            code = "" if is_built_in(measure) else code_hash(measure, f"{info.distribution} {info.version}")
            registry.add(measure.name, measure, info.distribution, info.version, code)
        except ValueError as error:
            plugins.fail(info, str(error))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            plugins.fail(info, f"measure {_label(measure)}: {described(error)}")
    return registry


def is_taken(name: str) -> bool:
    """Return whether a name is reserved, so that no measure can have it."""
    from resi.measures.functional import FUNCTIONAL

    return name in (*SETS, *RESERVED, *FUNCTIONAL)


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
    registry: Registry[type[Domain]] = Registry("domain", _renamed_class)
    plugins = load_plugins()
    for info, domain in plugins.call("resi_domains"):
        try:
            _check_texts(domain, ("name", "title", "extra"))
            registry.add(domain.name, domain, info.distribution, info.version)
        except ValueError as error:
            plugins.fail(info, str(error))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            plugins.fail(info, f"domain {_label(domain)}: {described(error)}")
    return registry


def _renamed_class(kind: Any, _: str, name: str) -> Any:
    """Return a class of a plugin under another name, otherwise unchanged."""
    about = {"name": name, "__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind)(kind.__name__, (kind,), about)


def datasets(domain: str) -> Registry[DatasetInfo]:
    """Return the datasets of a domain by name."""
    return _of_domain(domain, "dataset", "resi_datasets", DATASETS)


def networks(domain: str) -> Registry[NetworkFamily]:
    """Return the families of networks of a domain by the name of each of their architectures."""
    return _of_domain(domain, "model", "resi_networks", NETWORKS)


class _Naming(NamedTuple):
    """The names of an item of a domain, and what makes it known by another one."""

    of: Callable[[Any], list[str]]
    renamed: Callable[[Any, str, str], Any]


def _renamed_dataset(dataset: DatasetInfo, _: str, name: str) -> DatasetInfo:
    return replace(dataset, name=name)


def _renamed_architecture(family: NetworkFamily, plain: str, name: str) -> NetworkFamily:
    """Return a family with one of its architectures, under another name."""
    renamed: Any = copy.copy(family)
    renamed.architectures = tuple(replace(item, name=name) for item in family.architectures if item.name == plain)
    return renamed


def _names_of_dataset(dataset: DatasetInfo) -> list[str]:
    _check_texts(dataset, ("name", "title", "source"))
    return [dataset.name]


def _names_of_architectures(family: NetworkFamily) -> list[str]:
    for item in family.architectures:
        _check_texts(item, ("name", "title", "published_name", "reference"))
    return [item.name for item in family.architectures]


def _check_texts(item: Any, attributes: tuple[str, ...]) -> None:
    """Raise ``ValueError`` for what is listed and is no text."""
    for attribute in attributes:
        if not isinstance(value := getattr(item, attribute), str):
            raise ValueError(f"{type(item).__name__} {_label(item)}: {attribute} must be a text, not {value!r}")


DATASETS = _Naming(_names_of_dataset, _renamed_dataset)
NETWORKS = _Naming(_names_of_architectures, _renamed_architecture)


def _of_domain(domain: str, kind: str, hook: str, naming: _Naming) -> Registry[Any]:
    found = _of_domains(kind, hook, naming)
    if domain in found:
        return found[domain]
    plain = domains().origin(domain).item.__mro__[1]  # of a domain as distribution:name, where nobody else has its name
    return next(found[name] for name in found if domains().get(name) is plain)


@functools.cache
def _of_domains(kind: str, hook: str, naming: _Naming) -> dict[str, Registry[Any]]:
    found: dict[str, Registry[Any]] = {
        domain: Registry(f"{kind} of domain={domain}:", naming.renamed) for domain in domains()
    }
    plugins = load_plugins()
    for info, item in plugins.call(hook):
        try:
            own = qualified(info.distribution, item.domain)  # its own domain, where another has one of that name
            domain = own if own in found else item.domain
            if domain not in found:
                raise ValueError(f"there is no domain {domain!r}; there are {', '.join(found)}")
            registry = found[domain]
            for name in naming.of(item):  # all of them, before any is added
                registry.check_free(name, info.distribution, item)
            for name in naming.of(item):
                registry.add(name, item, info.distribution, info.version)
        except ValueError as error:
            plugins.fail(info, f"{hook}: {error}")
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            plugins.fail(info, f"{hook}: {kind} {_label(item)}: {described(error)}")
    return found


def _label(item: Any) -> str:
    """Return the name of a plugin's item in a message; the item may be any object."""
    for attribute in ("__qualname__", "name"):
        try:
            return repr(str(getattr(item, attribute)))
        except Exception:  # noqa: S112 - the next one
            continue
    return f"of type {type(item).__name__}"


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


def defaults(name: str) -> dict[str, Any]:
    """Return the default parameters of an installed measure; empty for others."""
    known = measures()
    try:
        return known.get(name)().parameters() if name in known else {}
    except Exception:  # a plugin's, of which nothing else is shown for that
        return {}


def make_measure(name: str, parameters: Mapping[str, Any]) -> Measure:
    """Return a measure with its parameters set, or raise ``UsageError`` naming what exists."""
    if not isinstance(name, str):
        raise UsageError(f"expected the name of a measure, not {name!r}")
    if name.endswith(".py"):
        raise UsageError(
            f"measure {name} is a file; write measure.file={name}, or in Python pass the measures it defines"
        )
    return configured(measures().get(name), parameters)


def configured(measure: type[Measure], parameters: Mapping[str, Any]) -> Measure:
    """Return a measure of a class with its parameters set.

    Raises
    ------
    UsageError
        If there is no such parameter, a value has another type than its default, or the class refuses it.
    """
    name = measure.name
    fields: dict[str, Any] = {field.name: field for field in dataclasses.fields(measure) if field.init}  # type: ignore[arg-type]
    given = {}
    for parameter, value in parameters.items():
        if parameter not in fields:
            raise unknown_name(f"parameter of {name}", parameter, list(fields))
        if value == UNSET:
            continue
        default = fields[parameter].default
        _check_type(f"{name}: {parameter}={value!r}", value, default)
        given[parameter] = tuple(value) if isinstance(default, tuple) and isinstance(value, list) else value
    for parameter, field in fields.items():
        if parameter not in given and field.default is field.default_factory is dataclasses.MISSING:
            key = f"measure.{name.replace(SEPARATOR, '--')}.{parameter}"
            raise UsageError(f"{name}: {parameter} has no default; give {key}=VALUE")
    try:
        return measure(**given)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        message = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(message if message.startswith(f"{name}:") else f"{name}: {message}") from error


def _check_type(label: str, value: Any, default: Any) -> None:
    """Raise ``UsageError`` if a parameter is not of the kind of its default."""
    kinds = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}
    allowed = kinds.get(type(default))
    if allowed is None or (isinstance(value, allowed) and isinstance(value, bool) == isinstance(default, bool)):
        return
    raise UsageError(f"{label}: expected a value such as {default!r}")
