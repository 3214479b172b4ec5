"""The exponential function as plain arithmetic, which vector instructions can do."""

from __future__ import annotations

from typing import Any

import numba

LEAST = -104.0
"""Below it, the exponential is 0 in single precision."""
SQUARINGS = 10
PART = 2.0**-SQUARINGS


@numba.njit(inline="always")
def exponential(x: Any) -> Any:
    """Return ``exp(x)`` of a number that is not positive, in double precision; right to the last bit of a single one.

    It is the 1024th power, by squaring, of the exponential of the 1024th part, by its series.
    """
    y = max(x, LEAST) * PART
    power = 1 + y * (1 + y * (1 / 2 + y * (1 / 6 + y * (1 / 24 + y * (1 / 120 + y * (1 / 720))))))
    for _ in range(SQUARINGS):
        power *= power
    return power
