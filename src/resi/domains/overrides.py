"""Hyperparameters that a user changes: checked, and overriding those of the benchmark."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def put_over(
    architecture: str,
    values: Mapping[str, Any],
    overrides: Mapping[str, Any],
    choices: Mapping[str, Sequence[str]],
    limits: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    """Return hyperparameters with those ``overrides`` that are set, None standing for one that is not.

    Parameters
    ----------
    choices : mapping
        The values that a hyperparameter may have.
    limits : mapping
        The smallest value of a hyperparameter, and what it has to stay below.

    Raises
    ------
    UsageError
        Naming the first override that the architecture does not have, or that does not fit.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    for name, value in given.items():
        if name not in values:
            raise UsageError(f"model.{architecture}.{name}: {architecture} has none; it has {', '.join(values)}")
        if name in choices and value not in choices[name]:
            raise unknown_name(f"{name} of {architecture}", str(value), choices[name])
        smallest, below = limits.get(name, (-math.inf, math.inf))
        if name in limits and not smallest <= value < below:
            limit = f"from {smallest}" if below == math.inf else f"from {smallest} to below {below}"
            raise UsageError(f"model.{architecture}.{name}={value}: expected a number {limit}")
    return {**values, **given}
