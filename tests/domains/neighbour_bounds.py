"""Between which numbers measures on nearest neighbours can lie, where rounding decides which of two rows is nearer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

K = 10
RANKS = np.arange(1, K + 1)


class Places(NamedTuple):
    """Where each row may stand in each row's list of the K + 1 nearest, without its first.

    Attributes
    ----------
    first, last : array of shape (n_rows, n_rows)
        Bounds of the rank of the row in the column, from 1.
    possible, certain : array of shape (n_rows, n_rows)
        Whether it may, or must, be among the K.
    """

    first: np.ndarray
    last: np.ndarray
    possible: np.ndarray
    certain: np.ndarray


def places(matrix: np.ndarray, rounding: float) -> Places:
    """Return the places that cosine distances allow, of which two may be in either order if no further apart."""
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    distances = 1 - unit @ unit.T
    ordered = np.sort(distances, axis=1)
    nearer = np.stack([np.searchsorted(o, d - rounding, "left") for o, d in zip(ordered, distances, strict=True)])
    no_farther = np.stack([np.searchsorted(o, d + rounding, "right") for o, d in zip(ordered, distances, strict=True)])
    # The place in the whole list, from 0: the first one is left out.
    low, high = nearer, no_farther - 1
    return Places(np.clip(low, 1, K), np.clip(high, 1, K), (low <= K) & (high >= 1), (low >= 1) & (high <= K))


def jaccard_bounds(a: Places, b: Places) -> tuple[float, float]:
    """Return the least and largest overlap of neighbours."""
    fewest, most = _common(a, b)
    return float((fewest / (2 * K - fewest)).mean()), float((most / (2 * K - most)).mean())


def rank_similarity_bounds(a: Places, b: Places) -> tuple[float, float]:
    """Return the least and largest agreement in ranks."""
    fewest, most = _common(a, b)
    largest = np.concatenate([[1.0], np.cumsum(1 / RANKS)])
    least = _gains(a, b, a.certain & b.certain, LEAST_GAIN) / largest[most]
    greatest = _gains(a, b, a.possible & b.possible, GREATEST_GAIN) / largest[fewest]
    return float(least.mean()), float(np.minimum(greatest, 1).mean())


def _common(a: Places, b: Places) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and largest number of common neighbours of each row."""
    at_least = np.maximum((a.certain & b.certain).sum(1), 2 * K - (a.possible | b.possible).sum(1))
    return at_least, np.minimum((a.possible & b.possible).sum(1), K)


def _gains(a: Places, b: Places, which: np.ndarray, table: np.ndarray) -> np.ndarray:
    bounds = (bound[which] - 1 for bound in (a.first, a.last, b.first, b.last))
    return np.bincount(which.nonzero()[0], table[tuple(bounds)], minlength=len(which))


def _extremes() -> tuple[np.ndarray, np.ndarray]:
    """Return the least and greatest gain of a neighbour by the bounds of its ranks on both sides."""
    gain = 2 / ((1 + np.abs(RANKS[:, None] - RANKS)) * (RANKS[:, None] + RANKS))
    least, greatest = np.zeros((2, K, K, K, K))
    for i in range(K):
        for j in range(i, K):
            for k in range(K):
                for m in range(k, K):
                    part = gain[i : j + 1, k : m + 1]
                    least[i, j, k, m], greatest[i, j, k, m] = part.min(), part.max()
    return least, greatest


LEAST_GAIN, GREATEST_GAIN = _extremes()
