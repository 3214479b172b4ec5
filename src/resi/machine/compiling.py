"""Loops compiled by numba: how, and where the machine code is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

# Sums may be taken in any order, which vector instructions need; NaN and infinity are kept.
ANY_ORDER = {"reassoc", "contract"}
_OPTIONS = getattr(getattr(numba.core, "options", None), "DefaultOptions", None)
# For functions that allocate nothing. The option is private to numba: one without it counts, which takes longer.
NO_REFERENCES_COUNTED = {"_nrt": False} if hasattr(_OPTIONS, "_nrt") else {}


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Return a function compiled when it is first called, and kept on disk for later processes where that can be.

    It runs without Python's lock, so that threads run side by side.

    Parameters
    ----------
    **options
        Of ``numba.njit``.
    """
    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # nowhere to keep compiled code, as in an installation that cannot be written to
        return numba.njit(nogil=True, **options)(function)
