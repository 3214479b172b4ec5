"""Representations to test measures on, and changes to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from resi import measures

if TYPE_CHECKING:
    from collections.abc import Callable

    from resi.measures.base import Measure

    Matrix = np.ndarray[Any, np.dtype[np.float64]]
    Generator = np.random.Generator

MEASURES = {measure.name: measure for measure in measures.MEASURES}
# The topological measures have tests of their own.
LINEAR = [measure for measure in MEASURES.values() if measure.family != "topology"]
NAMES = [measure.name for measure in LINEAR]


def gaussian(rng: Generator, n: int, d: int) -> Matrix:
    return rng.normal(size=(n, d)) + rng.normal(size=d)


def rectified(rng: Generator, n: int, d: int) -> Matrix:
    X = np.maximum(gaussian(rng, n, d), 0)
    X[0] += 0.1  # one row at least is not all zero
    return X


def deficient(rng: Generator, n: int, d: int) -> Matrix:
    return gaussian(rng, n, max(2, d // 2)) @ rng.normal(size=(max(2, d // 2), d))


def with_dead_units(rng: Generator, n: int, d: int) -> Matrix:
    X = gaussian(rng, n, d)
    X[:, 0] = rng.choice([0.0, 0.1, 1e3])
    return X


def with_duplicates(rng: Generator, n: int, d: int) -> Matrix:
    X = gaussian(rng, n, d)
    return X[rng.integers(0, n // 2, size=n)]


KINDS: dict[str, Callable[[Generator, int, int], Matrix]] = {
    "gaussian": gaussian,
    "rectified": rectified,
    "deficient": deficient,
    "dead": with_dead_units,
    "duplicates": with_duplicates,
}


@st.composite
def pairs(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(KINDS), widths: tuple[int, int] = (3, 5)) -> Any:
    """Draw two related representations of the same 12 to 20 samples, and the generator that made them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(12, 20))
    R, S = (KINDS[draw(st.sampled_from(kinds))](rng, n, draw(st.integers(*widths))) for _ in range(2))
    return R, S, rng


def rotation(rng: Generator, d: int) -> Matrix:
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def orthogonal(X: Matrix, rng: Generator) -> Matrix:
    return X @ rotation(rng, X.shape[1])


def permutation(X: Matrix, rng: Generator) -> Matrix:
    # A roll, so that neurons do change places.
    return np.roll(X, 1, axis=1)[:, :: rng.choice([-1, 1])]


def isotropic_scaling(X: Matrix, rng: Generator) -> Matrix:
    return X * 10 ** rng.uniform(0.3, 2)


def translation(X: Matrix, rng: Generator) -> Matrix:
    return X + rng.normal(size=X.shape[1]) * 3


def invertible_linear(X: Matrix, rng: Generator) -> Matrix:
    d = X.shape[1]
    return X @ rotation(rng, d) @ np.diag(np.geomspace(0.5, 4, d)) @ rotation(rng, d)


def affine(X: Matrix, rng: Generator) -> Matrix:
    return translation(invertible_linear(X, rng), rng)


CHANGES: dict[str, Callable[[Matrix, Generator], Matrix]] = {
    "affine": affine,
    "invertible_linear": invertible_linear,
    "orthogonal": orthogonal,
    "permutation": permutation,
    "isotropic_scaling": isotropic_scaling,
    "translation": translation,
}


def parameters(measure: type[Measure]) -> dict[str, Any]:
    """Return parameters that suit few samples."""
    return {"k": 5} if measure.family == "neighbours" else {}
