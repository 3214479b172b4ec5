"""The checks of ``resi doctor`` in the order shown: the fastest come first."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING

from resi.upkeep.checks import Check, guarded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOKS = {
    "versions": "resi.upkeep.environment",
    "extras": "resi.upkeep.environment",
    "machine": "resi.upkeep.machine",
    "place": "resi.upkeep.place",
    "held_locks": "resi.upkeep.stored",
    "caches": "resi.upkeep.stored",
    "plugins": "resi.upkeep.plugins",
    "datasets": "resi.upkeep.stored",
}
"""Functions that yield lines for a data root, with their modules; a module that cannot be imported is a failed line."""
GROUPS = {"place": "data root", "held_locks": "locks"}
"""The groups of their lines, where they have other names."""


def examine(root: Path, seconds: float) -> Iterator[Check]:
    """Yield lines as soon as they are known; a broken library never raises.

    Parameters
    ----------
    root : Path
        The data root.
    seconds : float
        Time limit for computing measures; with 0, libraries are not loaded and nothing is computed.
    """
    for name in LOOKS:
        yield from guarded(GROUPS.get(name, name), functools.partial(_look, name, root))
    if seconds:
        from resi.upkeep.self_test import in_process

        yield from guarded("self-test", functools.partial(in_process, seconds))


def _look(name: str, root: Path) -> Iterator[Check]:
    yield from getattr(importlib.import_module(LOOKS[name]), name)(root)
