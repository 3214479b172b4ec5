"""Partly random labels: labels to memorise, or uninformative hints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resi.randomness import generator

if TYPE_CHECKING:
    Labels = np.ndarray[Any, np.dtype[np.int64]]


# Shares are whole per cents, which binary numbers only approximate: 29 % of 100 rows are 28.999999999999996.
ROUNDING = 1e-6


def count(share: float, total: int) -> int:
    """Return a share of ``total`` rows, rounded down."""
    return int(share * total + ROUNDING)


def partly_random(labels: Labels, rows: Labels, classes: int, share: float, purpose: str) -> Labels:
    """Replace the labels of a share of some rows by labels drawn uniformly from all classes, including the true one.

    What a row draws depends on the row and the purpose alone. So all models of a setting see the same labels, for any
    seed, and those that are random at one share are so at the next. A label that may be the true one is independent of
    it; one that is always wrong would still say something about it.

    Parameters
    ----------
    labels : array of shape (n_samples,)
        From 0 to ``classes - 1``; not written to.
    rows : array of shape (n_rows,)
        Indices of the rows of which a share, rounded down, is replaced.
    share : float
        From 0 to 1.
    purpose : str
        Keys the draws: labels that are random for different purposes are independent.

    Returns
    -------
    array of shape (n_samples,)

    Examples
    --------
    >>> partly_random(np.arange(6) % 3, np.arange(6), 3, 0.5, "random labels")
    array([1, 2, 2, 0, 1, 2])
    """
    # The i-th number is row i's, for any choice of rows.
    rank, label = (generator(0, purpose, what).random(len(labels)) for what in ("rank", "label"))
    order = np.argsort(rank[rows], kind="stable")
    chosen = rows[order[: count(share, len(rows))]]
    result = labels.copy()
    result[chosen] = (label * classes).astype(np.int64)[chosen]
    return result
