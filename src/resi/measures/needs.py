"""How much memory measures need: what stays of a representation, and what preparing and comparing take for a while.

What stays is told by its parts, since measures share most of it: the engine counts each part once for all of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from resi.measures.features import DOUBLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Size(NamedTuple):
    """The shape of a representation's matrix, and the bytes of each of its numbers as they are given."""

    n_samples: int
    n_features: int
    itemsize: int = DOUBLE_BYTES

    @property
    def entries(self) -> int:
        """How many numbers there are."""
        return self.n_samples * self.n_features

    @property
    def single(self) -> bool:
        """Whether the numbers have single precision or less."""
        return self.itemsize < DOUBLE_BYTES

    @property
    def double(self) -> int:
        """The bytes of as many numbers in double precision."""
        return DOUBLE_BYTES * self.entries

    @property
    def smaller(self) -> int:
        """The number of samples or of features, whichever is smaller."""
        return min(self.n_samples, self.n_features)

    @property
    def wide(self) -> bool:
        """Whether there are more features than samples."""
        return self.n_features > self.n_samples

    @property
    def square(self) -> int:
        """The bytes of a square matrix of the smaller side, in double precision."""
        return DOUBLE_BYTES * self.smaller**2

    @property
    def pairs(self) -> int:
        """The bytes of a matrix over all pairs of samples, in double precision."""
        return DOUBLE_BYTES * self.n_samples**2

    def given(self) -> dict[str, int]:
        """Return the part that is the numbers as they are given."""
        return {"given": self.itemsize * self.entries}

    def matrix(self) -> dict[str, int]:
        """Return the parts of a representation whose numbers are all there in double precision."""
        return self.given() | ({"matrix": self.double} if self.single else {})


class Needs(NamedTuple):
    """What a measure needs of one representation, in bytes.

    Attributes
    ----------
    held : mapping
        What stays when it is prepared, its numbers included, by the name of each part. Parts of the same name are the
        same for all measures.
    preparing : int
        What preparing it takes beside that.
    comparing : int
        What comparing two takes in each thread, or many at once, beside all of them.
    together : int
        What it takes beside that in each thread, where many are compared at once.
    """

    held: Mapping[str, int]
    preparing: int = 0
    comparing: int = 0
    together: int = 0

    @property
    def of_one(self) -> int:
        """Half of what two of them take that are prepared one after the other, and compared."""
        return math.ceil(of_pair(self, self) / 2)


def of_pair(a: Needs, b: Needs) -> int:
    """Return the bytes that two representations take that are prepared one after the other, and compared."""
    held = sum(a.held.values()) + sum(b.held.values())
    return held + max(a.preparing, b.preparing, max(a.comparing, b.comparing) + a.together + b.together)


def total(needs: Iterable[Needs], count: int, threads: int) -> int:
    """Return the bytes that so many representations take that are prepared for measures and compared with each other.

    Parameters
    ----------
    threads : int
        So many are prepared, and then as many pairs compared, at the same time.
    """
    all_needs = list(needs)
    held: dict[str, int] = {}
    for each in all_needs:
        for part, size in each.held.items():
            held[part] = max(held.get(part, 0), size)
    return count * sum(held.values()) + working(all_needs, count, threads)


def working(needs: Iterable[Needs], count: int, threads: int) -> int:
    """Return what of their total is only taken while they are prepared, or compared; one measure follows the other."""
    pairs = max(1, count * (count - 1) // 2)
    return max(
        max(
            min(threads, count) * each.preparing,
            min(threads, pairs) * each.comparing + threads * count * each.together,
        )
        for each in needs
    )
