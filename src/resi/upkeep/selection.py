"""Selecting items of a data root: by kind, name, age, and whether something refers to them."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.errors import UsageError, unknown_name
from resi.upkeep.items import KINDS, NEVER_REMOVED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from resi.upkeep.items import Item

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DAY = UNITS["d"]
MAYBE_NEEDED = ("models", "representations")
"""Kinds made by runs of earlier stages before a shard refers to them."""


@dataclass(frozen=True)
class Selection:
    """The selection.

    Attributes
    ----------
    kinds : tuple of str
        Empty for all.
    pattern : str
        Shell-style pattern for paths below the data root, or for their last part.
    unreferenced : bool
        Only items that nothing refers to.
    age : float or None
        Minimum number of seconds since the last change. None: a day for unreferenced models and representations, as
        their comparisons may still follow; otherwise 0.
    """

    kinds: tuple[str, ...] = ()
    pattern: str = "*"
    unreferenced: bool = False
    age: float | None = None

    def of(self, items: Iterable[Item], root: Path, now: float) -> list[Item]:
        """Return the selected items."""
        return [item for item in items if self._has(item, root) and now - item.changed >= self._age(item)]

    def too_young(self, items: Iterable[Item], root: Path, now: float) -> list[Item]:
        """Return the items that are left out only because they are too young."""
        return [item for item in items if self._has(item, root) and now - item.changed < self._age(item)]

    def _has(self, item: Item, root: Path) -> bool:
        if item.kind not in (self.kinds or KINDS) or (self.unreferenced and not item.reason):
            return False
        return any(fnmatch.fnmatchcase(name, self.pattern) for name in (item.name(root), item.path.name))

    def _age(self, item: Item) -> float:
        if self.age is not None:
            return self.age
        return DAY if self.unreferenced and item.kind in MAYBE_NEEDED else 0.0


def parse_kinds(texts: Iterable[str]) -> tuple[str, ...]:
    """Return kinds that can be removed, from texts such as ``models,locks``.

    Raises
    ------
    UsageError
        If there is no such kind.
    """
    found = [name.strip() for text in texts for name in text.split(",")]
    removable = [kind for kind in KINDS if kind != NEVER_REMOVED]
    for name in found:
        if name not in removable:
            raise unknown_name("kind of items in a data root:", name, removable)
    return tuple(dict.fromkeys(found))


def parse_age(text: str) -> float:
    """Return seconds from texts such as ``12h`` or ``7d``.

    Raises
    ------
    UsageError
        If it is not an age.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text)
    if not found:
        raise UsageError(f"--older-than {text}: expected an age such as 90m, 12h or 7d; 0 for any")
    return float(found[1]) * UNITS[found[2]]
