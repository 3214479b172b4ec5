"""Weights under other names, and loading of weights that have to fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from resi.domains.weights import check_fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor, nn


def load_weights(model: nn.Module, state: Mapping[str, Tensor], source: object) -> None:
    """Load weights that have to fit exactly, see :func:`~resi.domains.weights.check_fit`."""
    check_fit(model.state_dict(), state, source)
    model.load_state_dict(dict(state), strict=True)


def unwrapped(state: Mapping[str, Tensor], roots: tuple[str, ...]) -> dict[str, Tensor]:
    """Return weights without the leading parts of every name, until it begins with a root."""
    return {_strip(name, roots): tensor for name, tensor in state.items()}


def _strip(name: str, roots: tuple[str, ...]) -> str:
    parts = name.split(".")
    for start in range(len(parts)):
        rest = ".".join(parts[start:])
        if rest.startswith(roots):
            return rest
    return name


def renamed(state: Mapping[str, Tensor], names: Iterable[tuple[str, str]]) -> dict[str, Tensor]:
    """Return weights with the patterns in every name replaced, one after the other."""
    found = {}
    for name, tensor in state.items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)  # noqa: PLW2901 - one name through all rules
        found[name] = tensor
    return found
