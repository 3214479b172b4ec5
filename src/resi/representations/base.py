"""A representation: what one layer of one model computes for a set of samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from resi.measures.shapes import ArrayLike, Layout


@dataclass(frozen=True)
class Representation:
    """A representation that can be loaded when it is needed.

    Attributes
    ----------
    key : str
        Identity; two representations with one key are the same numbers.
    size : tuple of int
        Shape of the array; the first axis counts samples.
    layout : str
        ``nd``, ``ntd`` or ``nchw``.
    samples : str
        Hash of the sample ids, row by row (:func:`hash_samples`); empty where they are not known.
    load : callable
        Returns the array.
    """

    key: str
    size: tuple[int, ...]
    layout: Layout
    samples: str
    load: Callable[[], ArrayLike]


def hash_samples(ids: Iterable[object]) -> str:
    """Return a hash of sample ids in their order: equal hashes mean rows that belong together."""
    digest = hashlib.sha256()
    for sample in ids:
        digest.update(f"{sample}\n".encode())
    return digest.hexdigest()[:32]
