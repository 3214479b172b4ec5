"""Layers of models: those of files whose layers the table does not name, their order, and the one that is used."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from resi.domains.custom.table import Row

    Names = tuple[str, ...]


def by_layer(row: Row) -> list[Row]:
    """Return a row for each layer of a file, if the table does not name layers."""
    if row.layer is not None:
        return [row]
    return [replace(row, layer=name) for name in row.origin.layers()]


def of_models(rows: Iterable[Row]) -> dict[str, list[Names]]:
    """Return the layers of each model in the order of the rows, by architecture."""
    models: dict[str, dict[object, dict[str, None]]] = {}
    for row in rows:
        layers = models.setdefault(row.architecture, {}).setdefault((row.setting, row.seed), {})
        layers[str(row.layer)] = None
    return {name: [tuple(layers) for layers in found.values()] for name, found in models.items()}


def in_order(label: str, architecture: str, models: Sequence[Names]) -> Names:
    """Return the layers of an architecture in the common order of all its models.

    Parameters
    ----------
    label : str
        Name of the table in messages.
    models : sequence of tuple of str
        The layers of each model.

    Raises
    ------
    UsageError
        If two models have them in different orders.
    """
    merged: list[str] = []
    for layers in models:
        place = 0
        for layer in layers:
            if layer not in merged:
                merged.insert(place, layer)
            place = merged.index(layer) + 1
    for layers in models:
        if sorted(layers, key=merged.index) != list(layers):
            raise UsageError(
                f"{label} has the layers of architecture={architecture} in different orders: {', '.join(layers)} and "
                f"{', '.join(layer for layer in merged if layer in layers)}; list those of all models in the same order"
            )
    return tuple(merged)


def one_of(label: str, architecture: str, models: Sequence[Names], option: str) -> str:
    """Return the layer of an architecture for tests between models: the last, if it is the same for all models.

    Raises
    ------
    UsageError
        If the last layers differ.
    """
    last = list(dict.fromkeys(layers[-1] for layers in models))
    if len(last) > 1:
        raise UsageError(
            f"{label}: the last layers of models of architecture={architecture} are {', '.join(last)}; choose one with "
            f"{option}={last[0]}"
        )
    return last[0]


def check_layer(label: str, layer: str, models: Iterable[Sequence[Names]]) -> None:
    """Raise ``UsageError`` if no model has a layer."""
    known = list(dict.fromkeys(name for several in models for layers in several for name in layers))
    if layer not in known:
        raise unknown_name(f"layer of {label}:", layer, known)
