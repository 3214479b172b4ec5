"""The measures of a call: names, classes, instances and functions, with their parameters."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from resi import registry
from resi.errors import UsageError
from resi.measures.base import Measure, check_facts
from resi.measures.functions import from_function, own_name, split_arguments, stated_facts

if TYPE_CHECKING:
    from typing import TypeAlias

    OneMeasure: TypeAlias = str | type[Measure] | Measure | Callable[..., float]
    Measures: TypeAlias = OneMeasure | Sequence[OneMeasure] | Mapping[Any, Any]

LONGEST = 80
KINDS = "a class derived from resi.Measure, an instance of one, or a function of R and S"


class Chosen(NamedTuple):
    """The measures of a call by the names that its table gives them.

    Attributes
    ----------
    measures : dict from name to Measure
    larger_is_more_similar : dict from name to bool or None
        None for plain functions, whose direction is unknown.
    """

    measures: dict[str, Measure]
    larger_is_more_similar: dict[str, bool | None]


def choose(given: Measures) -> Chosen:
    """Return the measures that a call names, with sets expanded.

    Raises
    ------
    UsageError
        If a measure or a parameter is unknown, two measures have the same name, or something is not a measure.
    FactError
        If a class states a fact that is missing or wrong.
    """
    pairs = _from_mapping(given) if isinstance(given, Mapping) else _from_list(given)
    found: dict[str, Measure] = {}
    for name, measure in pairs:
        if name in found and found[name] != measure:
            raise UsageError(
                f"two measures have the name {name!r}; give each its own: measures={{'{name}_1': ..., '{name}_2': ...}}"
            )
        found[name] = measure
    return Chosen(found, {name: _direction(measure) for name, measure in found.items()})


def choose_one(measure: Any, parameters: Mapping[str, Any], unnamed: str = "") -> Measure:
    """Return one measure with its parameters set; errors as of :func:`choose`.

    Parameters
    ----------
    unnamed : str
        The name of a function without one, such as a lambda; by default, this is an error.
    """
    if isinstance(measure, Measure):
        if parameters:
            raise UsageError(
                f"{measure.name}: {next(iter(parameters))} was given with an instance; set it on the instance"
            )
        check_facts(type(measure))
        return measure
    if isinstance(measure, type) and issubclass(measure, Measure):
        check_facts(measure)
        return registry.configured(measure, parameters)
    if isinstance(measure, str):
        return registry.make_measure(measure, parameters)
    if callable(measure) and not isinstance(measure, type):
        return _from_function(measure, parameters, unnamed if own_name(measure) == "" else "")
    raise UsageError(f"expected the name of a measure, not {_shown(measure)}; or {KINDS}")


def is_measures(given: Any) -> bool:
    """Return whether a value names measures, and not representations to compare."""
    if isinstance(given, Mapping):
        return all(_is_measure(key) or _is_measure(value) or _holds_parameters(value) for key, value in given.items())
    return _is_measure(given) or not (isinstance(given, os.PathLike) or hasattr(given, "shape"))


def _is_measure(value: Any) -> bool:
    return isinstance(value, Measure | type) or (callable(value) and not hasattr(value, "shape"))


def _holds_parameters(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(held, bool | int | float | str | None) for held in value.values())


def _from_list(given: Any) -> list[tuple[str, Measure]]:
    is_one = isinstance(given, str) or _is_measure(given) or not isinstance(given, Iterable)
    several = [given] if is_one else list(given)
    sets = registry.measure_sets()
    members = [sets.get(item, [item]) if isinstance(item, str) else [item] for item in several]
    made = [choose_one(item, {}) for items in members for item in items]
    return [(measure.name, measure) for measure in made]


def _from_mapping(given: Mapping[Any, Any]) -> list[tuple[str, Measure]]:
    """Return measures from names, classes or functions with their parameters, or from the user's own names."""
    found = []
    for key, value in given.items():
        if value is None or isinstance(value, Mapping):
            measure = choose_one(key, value or {})
            found.append((measure.name, measure))
        elif isinstance(key, str) and not isinstance(value, str):
            found.append((key, _named(key, value)))
        else:
            raise UsageError(f"measures: {_shown(key)}: expected its parameters, or {KINDS}, not {_shown(value)}")
    return found


def _named(name: str, given: Any) -> Measure:
    """Return a measure under the user's own name, which the engine and messages use."""
    measure = _from_function(given, {}, name) if _is_function(given) else choose_one(given, {})
    return measure if measure.name == name else _renamed(measure, name)


def _is_function(given: Any) -> bool:
    return callable(given) and not isinstance(given, type | Measure)


def _renamed(measure: Measure, name: str) -> Measure:
    kind = type(measure)
    facts = {"name": name, "__module__": kind.__module__, "__doc__": kind.__doc__}
    other: type[Measure] = type(kind.__name__, (kind,), facts)
    fields = [field.name for field in dataclasses.fields(measure) if field.init]  # type: ignore[arg-type]
    return other(**{field: getattr(measure, field) for field in fields})


def _from_function(function: Callable[..., Any], parameters: Mapping[str, Any], name: str = "") -> Measure:
    """Return a function as a measure, with values for its arguments and the measure's parameters."""
    if not (name or own_name(function) or stated_facts(function).get("name")):
        raise UsageError(f"measures: {function!r} has no name; give it one: measures={{'my_measure': ...}}")
    own, others = split_arguments(function, parameters)
    return from_function(function, name, others)(**own)


def _shown(value: Any) -> str:
    """Return a value as shown in an error message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _direction(measure: Measure) -> bool | None:
    return measure.larger_is_more_similar if measure.knows_direction else None
