"""How the loops are compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.machine import compiling

if TYPE_CHECKING:
    from collections.abc import Callable


def compiled(function: Callable[..., Any]) -> Any:
    """Return a function compiled when it is first called, its sums taken in any order."""
    return compiling.compiled(function, fastmath=compiling.ANY_ORDER)
