"""Values of unrelated representations, which show that a value is barely informative.

Two representations are unrelated if their rows are in random order. With few rows for their number of directions, many
measures are then near the best value for any data.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from resi.measures.shared import intermediates

if TYPE_CHECKING:
    from resi.measures.features import Features

NOTED = 0.5
"""From this share of the best value on, a note states the value of unrelated representations."""
_ANGLES = [math.pi * (step + 0.5) / 128 for step in range(128)]


def note(n_rows: int, extent: str, score: float, bound: str = "") -> str:
    """Return the note on the value of unrelated representations."""
    return f"with {n_rows} rows and {extent}, unrelated data score about {score:.2g}{bound} too"


def extent(x: Features) -> float:
    """Return in how many directions the centred rows extend: ``tr(K)² / ‖K‖F²`` of their Gram matrix K.

    It is the rank where all directions have the same variance, and less otherwise.
    """
    return (x.shared(intermediates.centred_norm) ** 2 / x.shared(intermediates.product_norm)) ** 2


def extents(a: Features, b: Features) -> tuple[str, float, float]:
    """Return words for the extents of two representations, and both as shares of the directions that rows allow."""
    counts = a.shared(extent), b.shared(extent)
    share_a, share_b = (count / (a.shape[0] - 1) for count in counts)
    return "variance in {:.0f} and {:.0f} directions".format(*counts), share_a, share_b


def least_alignment(share_a: float, share_b: float) -> float:
    """Return about what the nuclear norm ``‖RcᵀSc‖* / (‖Rc‖F ‖Sc‖F)`` of unrelated representations is at least.

    Parameters
    ----------
    share_a, share_b : float
        Their extents as shares of the directions that the rows allow, which is one less than these.

    Notes
    -----
    Of any matrix A, ``‖A‖*² ≥ ‖A‖F⁶ / ‖AᵀA‖F²``; both have simple means over random rotations of the rows.
    """
    return min(1 / math.sqrt(max(1 / share_a + 1 / share_b - 1, 1.0)), 1.0)


def mean_correlation(rank_a: int, rank_b: int, n_directions: int) -> float:
    """Return the mean canonical correlation of two random subspaces of the given ranks.

    Parameters
    ----------
    n_directions : int
        Dimension of the space they are in: one less than there are rows, as means are taken off.

    References
    ----------
    .. [1] Wachter, The limiting empirical measure of multiple discriminant ratios, Annals of Statistics 1980.
    """
    smaller, larger = sorted((rank_a / n_directions, rank_b / n_directions))
    if larger >= 1:
        return 1.0
    middle = smaller + larger - 2 * smaller * larger
    half = 2 * math.sqrt(smaller * larger * (1 - smaller) * (1 - larger))
    total = 0.0
    for angle in _ANGLES:
        square = middle + half * math.cos(angle)
        total += math.sin(angle) ** 2 / (math.sqrt(square) * (1 - square))
    spread = half**2 / (2 * math.pi * smaller) * total * math.pi / len(_ANGLES)
    return max(0.0, smaller + larger - 1) / smaller + spread
