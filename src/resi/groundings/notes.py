"""Notes on why a score is barely informative."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from resi.groundings.base import Values
else:
    from resi.lazy import numpy as np


def short_p(p_value: float) -> str:
    """Return a p-value in a sentence, with the digits that it has in a table: 0.0286, 0.1."""
    return f"{p_value:.4f}".rstrip("0").rstrip(".")


TOO_FEW_TO_TELL = re.compile(r"with ([^;]+?) no p-value can be below ([0-9.e-]+)")
"""What :func:`too_few_to_tell` returns."""


def too_few_to_tell(what: str, smallest: float) -> str:
    """Return a note that no p-value can be small."""
    return f"with {what} no p-value can be below {short_p(smallest)}"


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
