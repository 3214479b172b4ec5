"""Notes on why a score is barely informative."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from resi.groundings.base import Values
else:
    from resi.lazy import numpy as np

TOO_FEW_TO_TELL = "with {} no p-value can be below {:.2g}"


def sentence(*notes: str) -> str:
    """Join the notes that are not empty."""
    return "; ".join(note for note in notes if note)


def one_number(values: Values) -> str:
    """Return a note if all of several values are equal, so that the score says nothing about the models."""
    known = values[~np.isnan(values)]
    return "all pairs have the same value" if len(known) > 1 and (known == known[0]).all() else ""


def of_comparisons(notes: Iterable[str]) -> str:
    """Return how many comparisons have a note, and the most frequent note.

    Parameters
    ----------
    notes : iterable of str
        One for each comparison; empty without a note.
    """
    every = list(notes)
    counted = Counter(note for note in every if note)
    if not counted:
        return ""
    text, _ = min(counted.items(), key=lambda item: (-item[1], item[0]))
    others = f" (and {len(counted) - 1} other notes)" if len(counted) > 1 else ""
    return f"{counted.total()} of {len(every)} comparisons carry a note: {text}{others}"
