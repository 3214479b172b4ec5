"""User overrides of hyperparameters: checked and applied to those of the benchmark."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORDS = {int: "a whole number", float: "a number", str: "a text"}


def put_over(
    config: type,
    architecture: str,
    values: Mapping[str, Any],
    overrides: Mapping[str, Any],
    choices: Mapping[str, Sequence[str]],
    limits: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    """Return hyperparameters with the ``overrides`` that are not None.

    Parameters
    ----------
    config : type
        The dataclass of the architecture's keys, whose annotations are the types of the overrides.
    choices : mapping
        The allowed values of a hyperparameter.
    limits : mapping
        The smallest value of a hyperparameter, and its exclusive upper limit.

    Raises
    ------
    UsageError
        Naming the first override that is unknown for the architecture or invalid.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    for name, value in given.items():
        if name not in values:
            raise UsageError(f"model.{architecture}.{name}: unknown; {architecture} has {', '.join(values)}")
        if name in choices and value not in choices[name]:
            raise unknown_name(f"{name} of {architecture}", str(value), choices[name])
        expected = _types(config).get(name)
        if expected is not None and not _is(value, expected):
            raise UsageError(f"model.{architecture}.{name}={value!r}: expected {WORDS[expected]}")
        smallest, below = limits.get(name, (-math.inf, math.inf))
        if name in limits and not smallest <= value < below:
            limit = f"from {smallest}" if below == math.inf else f"from {smallest} to below {below}"
            raise UsageError(f"model.{architecture}.{name}={value}: expected a number {limit}")
    return {**values, **given}


def changed_by_dataset(
    architecture: str, values: Mapping[str, Any], dataset: str, changes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return hyperparameters with a dataset's changes for an architecture.

    Parameters
    ----------
    changes : mapping from architecture to mapping
        The ``hyperparameters`` of the dataset.

    Raises
    ------
    UsageError
        If the dataset sets a hyperparameter that the architecture does not have.
    """
    changed = changes.get(architecture, {})
    for name in changed:
        if name not in values:
            raise UsageError(
                f"dataset={dataset} sets the hyperparameter {name} of {architecture}, which has none of that name; it "
                f"has {', '.join(values)}. Correct the dataset's plugin"
            )
    return {**values, **changed}


@functools.cache
def _types(config: type) -> dict[str, type]:
    """Return the type of each key of a config that is a number or a text, its null aside."""
    found = {name: (get_args(hint) or (hint,))[0] for name, hint in get_type_hints(config).items()}
    return {name: kind for name, kind in found.items() if kind in WORDS}


def _is(value: object, expected: type) -> bool:
    """Return whether a value has a type; a whole number is also a number, and True is neither."""
    return isinstance(value, (int, float) if expected is float else expected) and not isinstance(value, bool)
