"""Ties: scores must not depend on differences that are only rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from resi.groundings.base import Values
else:
    from resi.lazy import numpy as np

# Relative error of measures that do not state one: several thousand roundings of double precision.
RESOLUTION = 1e-12


def merge_ties(values: Values, resolution: float = RESOLUTION, scale: float = 0.0) -> Values:
    """Return values with ties made equal: values within their error of each other become the smallest of them.

    Of two neighbours in order, the error is ``resolution`` times the largest of their sizes, the median size of all
    values, and ``scale``. So values that should be 0 are tied to each other wherever others say how large values are.

    Parameters
    ----------
    values : array
        NaN stays NaN.
    resolution : float
        Relative error of a value.
    scale : float
        Known scale of the values, such as 1 for similarities of at most 1.
    """
    known = np.unique(values[np.isfinite(values)])
    if len(known) < 2:
        return values
    sizes = np.abs(known)
    typical = max(scale, float(np.median(np.abs(values[np.isfinite(values)]))))
    allowed = resolution * np.maximum(np.maximum(sizes[1:], sizes[:-1]), typical)
    starts = np.concatenate([[True], np.diff(known) > allowed])
    if starts.all():
        return values
    smallest = known[starts][np.cumsum(starts) - 1]
    merged = values.copy()
    finite = np.isfinite(values)
    merged[finite] = smallest[np.searchsorted(known, values[finite])]
    return merged
