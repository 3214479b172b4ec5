"""Modules that load when first used.

torch takes seconds to import, and numpy a tenth of one, while listing measures and tests needs only their names and
facts. A module that uses them inside functions alone imports them from here, and pays for it at the first call.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType


class LazyModule:
    """Stands for a module; the first attribute access imports it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: ModuleType | None = None

    def __getattr__(self, attribute: str) -> Any:
        """Return the attribute of the real module."""
        if self._module is None:
            self._module = importlib.import_module(self._name)
        return getattr(self._module, attribute)


def loaded(name: str) -> ModuleType | None:
    """Return a module if the program has loaded it, or another thread is loading it now; else None.

    Importing it waits for that thread, whose half-made module is in ``sys.modules`` already.
    """
    return None if sys.modules.get(name) is None else importlib.import_module(name)


numpy = LazyModule("numpy")
torch = LazyModule("torch")
