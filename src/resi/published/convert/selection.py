"""Which published models a configuration selects, by the rules of the published code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from resi.domains.published_models import PublishedModel

ATTRIBUTES = ("domain", "architecture", "train_dataset", "identifier", "seed", "token_pos")
"""What models can be selected, grouped and separated by."""
TOLD = ("domain", "architecture", "train_dataset", "identifier", "token_pos")
"""Attributes whose unused values are reported; lists of seeds often cover several architectures."""


class Unused(NamedTuple):
    """Values of a filter that select no model."""

    attribute: str
    values: list[Any]


def check_attributes(key: str, names: Iterable[str]) -> None:
    """Raise ``UsageError`` for names that are not attributes of published models.

    Parameters
    ----------
    key : str
        Where the names stand, for the message.
    """
    for name in names:
        if name not in ATTRIBUTES:
            raise UsageError(f"{key}: published models have no {name!r}; expected {', '.join(ATTRIBUTES)}")


def select(models: Iterable[PublishedModel], filters: Mapping[str, Any]) -> list[PublishedModel]:
    """Return the models that pass all filters.

    A list holds what is allowed; a text selects everything whose name is part of it; any other value has to be equal. A
    model without an attribute does not pass a filter of it.
    """
    return [model for model in models if all(_passes(getattr(model, key), value) for key, value in filters.items())]


def _passes(attribute: object, allowed: Any) -> bool:
    if attribute is None:
        return False
    if isinstance(allowed, str):
        return isinstance(attribute, str) and attribute in allowed
    if isinstance(allowed, list):
        return attribute in allowed
    return bool(attribute == allowed)


def unused(selected: Sequence[PublishedModel], filters: Mapping[str, Any]) -> list[Unused]:
    """Return the values in lists that none of the selected models has."""
    found = []
    for key, allowed in filters.items():
        if key in TOLD and isinstance(allowed, list):
            values = {getattr(model, key) for model in selected}
            if left := [value for value in allowed if value not in values]:
                found.append(Unused(key, left))
    return found


def by_parts(selected: Sequence[PublishedModel], filters: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return, for filters that are a text, the values beside it that it selects because they are part of it."""
    found = {}
    for key, allowed in filters.items():
        if isinstance(allowed, str):
            values = dict.fromkeys(getattr(model, key) for model in selected)
            if others := [value for value in values if value != allowed]:
                found[key] = others
    return found


def split(models: Iterable[PublishedModel], keys: Sequence[str]) -> dict[tuple[Any, ...], list[PublishedModel]]:
    """Return the models by their values of some attributes, in the order in which these appear."""
    found: dict[tuple[Any, ...], list[PublishedModel]] = {}
    for model in models:
        found.setdefault(tuple(getattr(model, key) for key in keys), []).append(model)
    return found
