"""Items of one kind by name, with qualified names if two distributions use the same one."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from resi.console import say
from resi.errors import UsageError, described, stopped, unknown_name
from resi.registry.discovery import load_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

SEPARATOR = ":"
"""The separator between a distribution and the name of its item."""
BUILT_IN_DISTRIBUTION = "resi"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""Valid names of items, as they appear in commands, keys and folder names."""


@dataclass(frozen=True)
class Registered(Generic[T]):
    """One registered item and where it comes from.

    Attributes
    ----------
    code : str
        Hash of the code, when it was loaded, of a measure that is not built in; otherwise empty.
    """

    item: T
    distribution: str
    version: str
    code: str = ""


class Registry(Generic[T]):
    """Items of one kind by name.

    The plain name belongs to the built-in item, otherwise to the only item with that name. Every item also has the name
    ``distribution:name``, which distinguishes items with the same name from two plugins.

    Parameters
    ----------
    renamed : callable
        Returns an item under another name; called with the item, its name and the new one.
    """

    def __init__(self, kind: str, renamed: Callable[[T, str, str], T] = lambda item, *_: item) -> None:
        self.kind = kind
        self._renamed = renamed
        self._by_plain: dict[str, list[Registered[T]]] = {}
        self._qualified: dict[str, tuple[str, Registered[T]]] = {}
        self._renamed_items: dict[str, Registered[T]] = {}
        self._shortest: dict[str, Registered[T]] | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names()))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._names() or self._canonical(name) in self._qualified)

    def __len__(self) -> int:
        return len(self._names())

    def add(self, name: str, item: T, distribution: str, version: str, code: str = "") -> None:
        """Add an item.

        Raises
        ------
        ValueError
            If its distribution already has an item of that name, or the item is already registered.
        """
        self.check_free(name, distribution, item)
        entry = Registered(item, distribution, version, code)
        self._by_plain.setdefault(name, []).append(entry)
        self._qualified[qualified(distribution, name)] = name, entry
        self._shortest = None

    def check_free(self, name: str, distribution: str, item: T) -> None:
        """Raise ``ValueError`` if a name cannot be that of an item."""
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"{self.kind} {str(name)[:80]!r}: a name must consist of letters, digits and _ . -")
        for taken in self._by_plain.get(name, []):
            if taken.item is item or canonical_name(taken.distribution) == canonical_name(distribution):
                raise ValueError(f"{self.kind} {name!r} is already provided by {taken.distribution}")

    def _names(self) -> dict[str, Registered[T]]:
        """Return the shortest unambiguous name of each item, in the order they were added."""
        if self._shortest is None:
            found: dict[str, Registered[T]] = {}
            for plain, entries in self._by_plain.items():
                for entry in entries:
                    is_plain = len(entries) == 1 or entry.distribution == BUILT_IN_DISTRIBUTION
                    name = plain if is_plain else qualified(entry.distribution, plain)
                    if is_plain:
                        found[name] = entry
                        continue
                    try:
                        found[name] = self._as(name)
                    except Exception as error:  # a plugin's class may refuse subclassing
                        say(f"left out: {self.kind} {name}: {described(error)}")
            self._shortest = found
        return self._shortest

    def _as(self, name: str) -> Registered[T]:
        """Return an item under its name ``distribution:name``."""
        if name not in self._renamed_items:
            plain, entry = self._qualified[name]
            if entry.distribution == BUILT_IN_DISTRIBUTION:  # whose plain name nobody else can have
                return entry
            self._renamed_items[name] = replace(entry, item=self._renamed(entry.item, plain, name))
        return self._renamed_items[name]

    def _canonical(self, name: str) -> str:
        """Return ``distribution:name`` with the distribution's name as package indexes spell it."""
        distribution, separator, plain = name.rpartition(SEPARATOR)
        return qualified(distribution, plain) if separator else name

    def origin(self, name: str) -> Registered[T]:
        """Return an item with the distribution that provides it, or raise ``UsageError`` with suggestions."""
        if name in self._names():
            return self._names()[name]
        if (full := self._canonical(name)) in self._qualified:
            return self._as(full)
        if several := self.several(name):
            choice = " or ".join(several)
            raise UsageError(f"{self.kind} {name!r} is provided by several plugins; name one of them: {choice}")
        failed = [
            f" Plugin {p.name} of {p.distribution} failed to load: {stopped(p.error)}" for p in load_plugins().failed
        ]
        raise unknown_name(self.kind, name, list(self), "".join(failed))

    def several(self, name: str) -> list[str]:
        """Return the qualified names of the items with a plain name, if it is ambiguous."""
        entries = [] if name in self._names() else self._by_plain.get(name, [])
        return [qualified(entry.distribution, name) for entry in entries]

    def get(self, name: str) -> T:
        """Return an item by name, or raise ``UsageError`` with suggestions."""
        return self.origin(name).item

    def in_names(self) -> dict[str, T]:
        """Return the items by name, in the order they were added."""
        return {name: entry.item for name, entry in self._names().items()}

    def in_order(self) -> list[T]:
        """Return the items in the order they were added."""
        return list(self.in_names().values())

    def registered(self, item: object) -> tuple[str, Registered[T]] | None:
        """Return the plain name of an item and its origin, however it was looked up."""
        for full, (plain, entry) in self._qualified.items():
            known = self._renamed_items.get(full, entry)
            if item is entry.item or item is known.item:
                return plain, entry
        return None

    def match(self, pattern: str) -> list[str]:
        """Return the names that match a shell-style pattern, sorted."""
        return [name for name in self if fnmatch.fnmatchcase(name, pattern)]

    def of_plugins(self) -> dict[str, Registered[T]]:
        """Return every item that is not built in by ``distribution:name``."""
        others = [name for name, (_, entry) in self._qualified.items() if entry.distribution != BUILT_IN_DISTRIBUTION]
        return {name: self._as(name) for name in others}


def qualified(distribution: str, name: str) -> str:
    """Return the name of an item that does not depend on other installed packages: ``distribution:name``."""
    return f"{canonical_name(distribution)}{SEPARATOR}{name}"


def canonical_name(distribution: str) -> str:
    """Return the name of a distribution as package indexes spell it: ``resi-example`` of ``Resi_Example``."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
