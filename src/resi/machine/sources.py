"""Which source files have changed since this process loaded them: another one would load other code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec


class _Noted(NamedTuple):
    spec: ModuleSpec
    """Another one once the module is loaded again."""
    state: tuple[int, int] | None


_noted: dict[str, _Noted] = {}


def note_sources() -> None:
    """Note the state of the files of loaded modules that are not noted yet; best soon after they are loaded."""
    changed_sources()


def changed_sources() -> tuple[str, ...]:
    """Return the files that have changed since they were noted, and whose modules were not loaded again since.

    Those of modules that are not noted yet are noted. It takes some milliseconds.
    """
    changed = []
    for file, spec in _loaded():
        state, noted = _state(file), _noted.get(file)
        if noted is None or noted.spec is not spec:
            _noted[file] = _Noted(spec, state)
        elif noted.state != state:
            changed.append(file)
    return tuple(changed)


def loaded_sources() -> set[str]:
    """Return the source files of the modules that this process has imported."""
    return {file for file, _ in _loaded()}


def _loaded() -> Iterator[tuple[str, ModuleSpec]]:
    for module in list(sys.modules.values()):
        known = getattr(module, "__dict__", {})  # to ask a module for what it lacks may load others
        file, spec = known.get("__file__"), known.get("__spec__")
        if isinstance(file, str) and file.endswith(".py") and spec is not None:
            yield file, spec


def _state(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - of thousands
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
