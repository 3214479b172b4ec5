"""A plain function as a measure: attributes of the function are its facts, its defaults are the parameters."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
from typing import TYPE_CHECKING, Any

from resi.errors import FactError, UsageError
from resi.measures.base import Measure, check_facts
from resi.measures.facts import KINDS, PUBLISHED, misspelt, translated
from resi.measures.guard import as_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIRECTION = "larger_is_more_similar"
"""The attribute that states whether large values of a function mean similar."""
PLAIN_KINDS = (bool, int, float, str)
"""Types of defaults that become parameters of a measure; other arguments keep their defaults."""


class Undeclared(Measure):
    """A function without a stated direction: it can compare, but its values cannot be scored."""

    knows_direction = False


def from_function(
    function: Callable[..., Any], name: str = "", given: Mapping[str, Any] | None = None
) -> type[Measure]:
    """Return a function of R and S as a measure class.

    Parameters
    ----------
    function : callable
        Called with two float64 torch matrices, and with ``shape="nd"`` where it asks for it. Attributes such as
        ``function.larger_is_more_similar = False`` state facts. Nothing is assumed about missing facts: without
        ``symmetric``, the two orders of a pair may have different values.
    name : str
        By default the function's own.
    given : mapping, optional
        Values of arguments that are not parameters of the measure: without a default, or with the name of a fact.

    Raises
    ------
    UsageError
        If it is not a function of two matrices and these arguments.
    FactError
        If an attribute is a misspelt or invalid fact.
    """
    stated = stated_facts(function)
    name = name or str(stated.get("name", "")) or own_name(function)
    bound = functools.partial(function, **given) if given else function
    takes_shape, fields = _signature(name, function, given or {})

    def compare(self: Measure, a: Any, b: Any) -> float:
        values = {field: getattr(self, field) for field in fields}
        return as_number(self.name, bound(a, b, **values, **({"shape": "nd"} if takes_shape else {})))

    if DIRECTION not in stated and stated.get("knows_direction"):
        raise FactError(f"measure {name}: 'knows_direction' does not state the direction: state {DIRECTION!r} instead")
    facts = {"symmetric": False, DIRECTION: True, **translated(name, {k: v for k, v in stated.items() if k != "name"})}
    module = function.__module__ if isinstance(getattr(function, "__module__", None), str) else "__main__"
    # A table may call a function anything; the facts are checked under a name that every measure can have.
    known = name if name.isidentifier() and name == name.lower() else "function"
    body = {"__doc__": getattr(function, "__doc__", None) or f"{name}.", "__module__": module, "name": known}
    kinds = {field: "Any" if value is None else type(value) for field, value in fields.items()}
    bases = (Measure,) if DIRECTION in stated else (Undeclared,)
    content = {**body, **facts, "compare": compare, **fields, "__annotations__": kinds}
    kind: type[Measure] = dataclasses.dataclass(type(name, bases, content))
    check_facts(kind)
    kind.name = name
    kind._function = own_name(function)  # type: ignore[attr-defined]
    return kind


def own_name(function: Callable[..., Any]) -> str:
    """Return the name of a function; empty for a lambda."""
    name = str(getattr(function, "__name__", ""))
    return "" if name == "<lambda>" else name


def stated_facts(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the facts among a function's attributes, or raise ``FactError`` for those that are misspelt."""
    if not isinstance(function, types.FunctionType | functools.partial):
        return {}
    facts = {}
    problems: list[str] = []
    for attribute, value in vars(function).items():
        if attribute in KINDS or attribute in PUBLISHED or attribute.startswith("invariant_to_"):
            facts[attribute] = value
        else:
            problems += [
                f"measure {own_name(function)}: {problem}"
                for problem in misspelt(attribute, "attribute of the function")
            ]
    if problems:
        raise FactError(*problems)
    return facts


def split_arguments(function: Callable[..., Any], given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the given arguments into values of a function's parameters, and others."""
    others = dict(given)
    own = {}
    for name, default in _defaults(function).items():
        if name in others and (default is None or type(others[name]) is type(default)):
            own[name] = others.pop(name)
    return own, others


def _signature(name: str, function: Callable[..., Any], given: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Return whether a function takes the shape, and the defaults of the arguments that become parameters."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a function that is not written in Python
        return False, {}
    takes_shape = "shape" in signature.parameters and "shape" not in given
    try:
        signature.bind(None, None, **given, **({"shape": "nd"} if takes_shape else {}))
    except TypeError as error:
        raise UsageError(f"{name}: expected a function of R and S, and its parameters: {error}") from None
    return takes_shape, {key: value for key, value in _defaults(function).items() if key not in given}


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the defaults of those arguments of a function that become parameters of its measure."""
    try:
        further = list(inspect.signature(function).parameters.values())[2:]
    except (TypeError, ValueError):
        return {}
    return {
        item.name: item.default
        for item in further
        if (item.default is None or isinstance(item.default, PLAIN_KINDS))
        and item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
        and item.name != "shape"
        and not hasattr(Measure, item.name)
        and item.name not in KINDS
    }
