"""Memory needs of measures: what is held for a representation, and temporary memory for preparing and comparing.

Held memory is stated by parts, since measures share most of it: the engine counts each part once for all of them.
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
        Bytes held after preparing, including its numbers, by part. Parts of the same name are shared by all measures.
    preparing : int
        Additional bytes while preparing.
    comparing : int
        Additional bytes per thread while comparing two, or many at once.
    together : int
        Further bytes per thread when many are compared at once.
    """

    held: Mapping[str, int]
    preparing: int = 0
    comparing: int = 0
    together: int = 0

    @property
    def of_one(self) -> int:
        """Half of the bytes needed to prepare two representations in turn and compare them."""
        return math.ceil(of_pair(self, self) / 2)


def of_pair(a: Needs, b: Needs) -> int:
    """Return the bytes needed to prepare two representations in turn and compare them."""
    held = sum(a.held.values()) + sum(b.held.values())
    return held + max(a.preparing, b.preparing, max(a.comparing, b.comparing) + a.together + b.together)


def total(needs: Iterable[Needs], count: int, threads: int) -> int:
    """Return the bytes needed to prepare a number of representations for measures and compare them.

    Parameters
    ----------
    threads : int
        Number of representations prepared, and pairs compared, at the same time.
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
