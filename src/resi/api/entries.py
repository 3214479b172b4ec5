"""What a call compares: representations by name, from arrays, collections and paths."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.api.frames import Ids, numbers_and_ids
from resi.errors import ShapeError, UsageError, unknown_name
from resi.extraction.collection import Representations
from resi.measures.shapes import LAYOUTS, as_tensor, axes_advice
from resi.representation import Representation
from resi.specs import layout_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.specs import Layout

AUTO = "auto"


@dataclass(frozen=True)
class Entry:
    """One representation of a call.

    Attributes
    ----------
    name : str
    given : object
        The object given by the caller; the same object means the same numbers.
    item : Representation or None
        None if it cannot be compared.
    ids : tuple of str or None
        Ids of its samples, if known.
    refused : str
        Why it cannot be compared.
    numbered : str
        Hash of the data that its layer was computed from, if its samples are known only by row number.
    of_second : bool
        Whether it belongs to the second of two sets, which may use the names of the first.
    """

    name: str
    given: Any
    item: Representation | None
    ids: Ids | None = None
    refused: str = ""
    numbered: str = ""
    of_second: bool = False

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"{self.name} of the second set" if self.of_second else self.name


class Shapes:
    """The layouts that a call states: one for all, ``auto``, one per name, or none."""

    def __init__(self, stated: str | Mapping[str, str] | None) -> None:
        self._by_name = dict(stated) if isinstance(stated, Mapping) else {}
        self._of_all = None if isinstance(stated, Mapping) else stated

    def check_names(self, names: list[str]) -> None:
        """Raise ``UsageError`` if a layout is stated for an unknown name."""
        for name in self._by_name:
            if name not in names:
                raise unknown_name("representation in shape=", str(name), names)

    def of(self, name: str, array: Any, own: Layout | None = None) -> Any:
        """Return the layout of an array: the stated one, otherwise its ``own``, otherwise ``nd``."""
        stated = self._by_name.get(name, self._of_all)
        if stated == AUTO:
            return own or layout_of(_axes(array))
        return stated or own or "nd"


def _axes(array: Any) -> int:
    if isinstance(array, list | tuple):
        return 1 + _axes(array[0]) if array else 1
    return getattr(array, "ndim", 0)


def entries(function: str, given: Any, shapes: Shapes) -> list[Entry]:
    """Return the representations of a set.

    Raises
    ------
    UsageError
        If the set is not a mapping, a collection or a path, or two of its representations have the same name.
    """
    named: dict[str, Any] = {}
    for name, value in _flat(function, given):
        if name in named:
            raise UsageError(f"{function}: two representations have the name {name!r}; give each its own name")
        named[name] = value
    return [entry(function, name, value, shapes) for name, value in named.items()]


def _flat(function: str, given: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and arrays, the layers of collections in a mapping as ``NAME:LAYER``."""
    if isinstance(given, str | os.PathLike):
        given = _read(given)
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise UsageError(
            f"{function}: expected a mapping from names to arrays, such as {{'a': R, 'b': S}}, a collection of layers "
            f"or the path of one, not a {kind}"
        )
    for name, value in _items(given):
        is_path = isinstance(value, str | os.PathLike)
        held = _read(value) if is_path else value
        if not isinstance(held, Mapping):
            yield str(name), held
        elif is_path and len(held) == 1:
            yield str(name), next(iter(_items(held)))[1]
        else:
            yield from ((f"{name}:{layer}", array) for layer, array in _items(held))


def single(name: str, given: Any) -> Any:
    """Return one side of a comparison: an array, or the only layer of a path or collection.

    Raises
    ------
    UsageError
        If it has several layers.
    """
    held = _read(given) if isinstance(given, str | os.PathLike) else given
    if not isinstance(held, Representations):
        return held
    if len(held) != 1:
        raise UsageError(
            f"compare: {name} has {len(held)} layers: {', '.join(held)}; take one, {name}.layers[...], or compare all "
            "with resi.pairwise"
        )
    return next(_items(held))[1]


@dataclass(frozen=True)
class _Layer:
    """A layer of a collection, with the ids of its samples and ``numbered`` as in :class:`Entry`."""

    item: Representation
    ids: Ids
    numbered: str


def _items(given: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    if isinstance(given, Representations):
        is_numbered = given.samples == tuple(map(str, range(len(given.samples))))
        data = {layer: about.get("data", "") if is_numbered else "" for layer, about in given.about.items()}
        return iter([(layer, _Layer(item, given.samples, data.get(layer, ""))) for layer, item in given.layers.items()])
    return iter(given.items())


def _read(path: str | os.PathLike[str]) -> Any:
    import resi

    return resi.load(path)


def entry(function: str, name: str, given: Any, shapes: Shapes) -> Entry:
    """Return one representation; the entry has no ``item`` if it cannot be compared, for example because of a NaN.

    Raises
    ------
    ShapeError
        If the layout is unknown.
    """
    ids: Ids | None = None
    source, numbered = given, ""
    if isinstance(given, _Layer):
        ids, source, numbered = given.ids, given.item, given.numbered
    try:
        if isinstance(source, Representation):
            return Entry(name, source, _relabelled(function, name, source, shapes), ids, numbered=numbered)
        array, ids = numbers_and_ids(f"{function}: {name}", source)
        layout = shapes.of(name, array)
        tensor = as_tensor(function, name, array, layout)
    except ShapeError as error:
        if shapes.of(name, None) not in (*LAYOUTS, AUTO):
            raise
        return Entry(name, source, None, ids, f"{type(error).__name__}: {error}")
    item = Representation(name, tuple(tensor.shape), layout, "", lambda: tensor, label=name, itemsize=tensor.itemsize)
    return Entry(name, source, item, ids)


def _relabelled(function: str, name: str, item: Representation, shapes: Shapes) -> Representation:
    """Return a representation under its name in a call; it is loaded when it is compared."""
    layout = shapes.of(name, None, item.layout)
    if layout not in LAYOUTS:
        raise ShapeError(f"{function}: unknown shape {layout!r} of {name}; known: {', '.join(LAYOUTS)}")
    if len(item.size) not in (2, len(layout)):
        advice = axes_advice(layout, len(item.size))
        raise ShapeError(f"{function}: {name} has shape {item.size}; shape={layout!r} needs {len(layout)} axes{advice}")
    if item.size[0] < 2:
        raise ShapeError(f"{function}: {name} has shape {item.size}; at least 2 samples are needed")
    return dataclasses.replace(item, key=name, layout=layout, label=name)
