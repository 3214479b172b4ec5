"""A representation: what one layer of one model computes for a set of samples."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from resi.specs import Layout

    ArrayLike = np.ndarray[Any, Any] | Tensor


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
        Returns the array. One that can be pickled lets another process load it.
    dtype : str, optional
        Name of the floating point type in which the numbers were computed, such as ``bfloat16``: the array may be of a
        wider one. None where it is the array's own.
    label : str
        What a person knows it by, for messages.
    itemsize : int
        Bytes of a number of the array.
    """

    key: str
    size: tuple[int, ...]
    layout: Layout
    samples: str
    load: Callable[[], ArrayLike]
    dtype: str | None = None
    label: str = ""
    itemsize: int = 4

    @property
    def name(self) -> str:
        """The label, or else the key."""
        return self.label or self.key


def subsample(representation: Representation, count: int | None) -> Representation:
    """Return a representation of at most ``count`` of the samples; all of them if it is None.

    Which ones depends on the number of samples alone, so that all representations of the same samples keep the same.
    """
    rows = subsampled_rows(representation.size[0], count)
    if rows is None:
        return representation
    return dataclasses.replace(
        representation,
        key=f"{representation.key} [{count} samples]",
        size=(len(rows), *representation.size[1:]),
        load=functools.partial(_load_rows, representation.load, rows),
    )


def subsampled_rows(n_samples: int, count: int | None) -> NDArray[np.int64] | None:
    """Return which of the samples :func:`subsample` keeps, in increasing order; None for all."""
    if count is None or count >= n_samples:
        return None
    rows = generator(0, "subsample", n_samples, count).choice(n_samples, count, replace=False)
    rows.sort()
    return rows


def _load_rows(load: Callable[[], Any], rows: NDArray[np.int64]) -> Any:
    return load()[rows]


def hash_samples(ids: Iterable[object]) -> str:
    """Return a hash of sample ids in their order: equal hashes mean rows that belong together."""
    digest = hashlib.sha256()
    for sample in ids:
        digest.update(f"{sample}\n".encode())
    return digest.hexdigest()[:32]
