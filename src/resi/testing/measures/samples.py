"""The representations that measures are checked on, and the changes of which they may claim not to notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Callable

    Matrix = np.ndarray[Any, np.dtype[Any]]

N_SAMPLES, WIDTH = 30, 6
GROUPS = 5
SPREAD, OFFSET = 0.3, 0.4


class Pair(NamedTuple):
    """Two representations of the same samples.

    Attributes
    ----------
    kind : str
        What is special about them, for messages.
    """

    kind: str
    R: Matrix
    S: Matrix

    def __str__(self) -> str:
        n_samples, width = self.R.shape
        return f"{self.kind} ({n_samples} x {width} and {n_samples} x {self.S.shape[1]})"

    @property
    def swapped(self) -> Pair:
        """The pair in the other order."""
        return Pair(self.kind, self.S, self.R)


def related(seed: int, number: int, width: int, n_samples: int = N_SAMPLES) -> Matrix:
    """Return one of several related representations: samples in groups, mixed into features, not centred.

    Returns
    -------
    array of shape (n_samples, width)
    """
    base = generator(seed, "check_measure base", n_samples)
    centres = base.normal(size=(GROUPS, WIDTH))
    samples = centres[base.integers(GROUPS, size=n_samples)] + SPREAD * base.normal(size=(n_samples, WIDTH))
    rng = generator(seed, "check_measure related", number, width, n_samples)
    mixed = samples @ rng.normal(size=(WIDTH, width)) / np.sqrt(WIDTH)
    return 0.5 * mixed + 0.1 * rng.normal(size=(n_samples, width)) + OFFSET * rng.uniform(0.5, 1, width)


def unrelated(seed: int, number: int, width: int) -> Matrix:
    """Return noise of its own scale and mean, shape (30, width)."""
    rng = generator(seed, "check_measure unrelated", number, width)
    return rng.uniform(1, 2) * rng.normal(size=(N_SAMPLES, width)) + rng.normal(size=width)


def ordinary_pairs(seed: int, is_same_width: bool) -> list[Pair]:
    """Return pairs of which every measure has a value; the first is the one that most checks begin from."""
    first, second, third = (related(seed, number, WIDTH) for number in range(3))
    narrow, wide = related(seed, 3, WIDTH - 1), [related(seed, number, N_SAMPLES + 10) for number in (4, 5)]
    same = Pair("of one width", second, third)
    if is_same_width:
        return [Pair("related", first, second), same, Pair("more features than samples", *wide)]
    return [Pair("related", first, narrow), same, Pair("more features than samples", wide[0], wide[1][:, :-5].copy())]


def _orthogonal(x: Matrix, rng: np.random.Generator) -> Matrix:
    return x @ np.linalg.qr(rng.normal(size=(x.shape[1], x.shape[1])))[0]


def _permutation(x: Matrix, rng: np.random.Generator) -> Matrix:
    # A roll, so that features do change places.
    order = np.roll(np.arange(x.shape[1]), rng.integers(1, max(2, x.shape[1])))
    return x[:, order if rng.random() < 0.5 else order[::-1]]


def _scaling(x: Matrix, rng: np.random.Generator) -> Matrix:
    return x * 10 ** rng.uniform(0.3, 1.5) ** rng.choice([-1, 1])


def _translation(x: Matrix, rng: np.random.Generator) -> Matrix:
    return x + 3 * rng.normal(size=x.shape[1])


def _invertible(x: Matrix, rng: np.random.Generator) -> Matrix:
    return _orthogonal(_orthogonal(x, rng) * np.geomspace(0.5, 4, x.shape[1]), rng)


def _affine(x: Matrix, rng: np.random.Generator) -> Matrix:
    return _translation(_invertible(x, rng), rng)


CHANGES: dict[str, Callable[[Matrix, np.random.Generator], Matrix]] = {
    "affine": _affine,
    "invertible_linear": _invertible,
    "orthogonal": _orthogonal,
    "permutation": _permutation,
    "isotropic_scaling": _scaling,
    "translation": _translation,
}
"""By the name of the invariance: a change of the features that is drawn from a generator."""


def degenerate_pairs(seed: int) -> list[Pair]:
    """Return pairs of which one side, or both, has something missing: a value, or ``DegenerateInputError``."""
    R, S = (related(seed, number, WIDTH) for number in range(2))
    constant, zero = np.full_like(S, 2.5), np.zeros_like(S)
    rng = generator(seed, "check_measure degenerate")
    dead, zero_row, outlier = (S.copy() for _ in range(3))
    dead[:, 0] = 1000.0
    zero_row[3] = 0.0
    outlier[0] *= 1e4
    twice = S[rng.integers(0, N_SAMPLES // 2, N_SAMPLES)]
    others = {
        "one side constant": constant,
        "one side zero": zero,
        "one constant feature": dead,
        "one row of zeros": zero_row,
        "repeated samples": twice,
        "repeated features": np.hstack([S, S]),
        "one direction": np.outer(S[:, 0], rng.normal(size=WIDTH)),
        "one far sample": outlier,
        "whole numbers": np.round(2 * S),
        "zeros and ones": (S > OFFSET).astype(float),
    }
    pairs = [pair for kind, other in others.items() for pair in (Pair(kind, R, other), Pair(kind, other, R))]
    pairs += [Pair("both sides constant", constant, constant + 1), Pair("both sides zero", zero, zero)]
    return [*pairs, Pair("repeated samples on both sides", twice, twice[:, ::-1] * 2)]


def shaped_pairs(seed: int) -> list[Pair]:
    """Return pairs of unusual numbers of samples and features."""
    sizes = {
        "as many features as samples": (N_SAMPLES, N_SAMPLES, N_SAMPLES),
        "one feature each": (N_SAMPLES, 1, 1),
        "one feature and several": (N_SAMPLES, 1, WIDTH),
        "two features": (N_SAMPLES, 2, 2),
        "narrow and wide": (N_SAMPLES, 3, N_SAMPLES + 20),
        "few samples": (12, WIDTH, WIDTH),
        "two samples": (2, WIDTH, WIDTH),
        "three samples of one feature": (3, 1, 1),
    }
    return [
        Pair(kind, related(seed, 10, first, n_samples), related(seed, 11, second, n_samples))
        for kind, (n_samples, first, second) in sizes.items()
    ]


def narrow_triples(seed: int, count: int) -> list[tuple[str, Matrix, Matrix, Matrix]]:
    """Return triples R, S, T with S between R and T: those of which a distance that is not a metric breaks the sum."""
    found: list[tuple[str, Matrix, Matrix, Matrix]] = []
    for number in range(count):
        rng = generator(seed, "check_measure triple", number)
        R: Any = related(seed, 20 + number, WIDTH)
        move = rng.normal(size=R.shape)
        # Squares break it on a line, chords and cosines on a circle, relative distances far from each other.
        for step in (1e-3, 0.05, 1.0, 30.0):
            found.append((f"steps of {step:g} on a line", R, R + step * move, R + 2 * step * move))
        centred = R - R.mean(0)
        other = np.linalg.qr(np.hstack([centred, move - move.mean(0)]))[0][:, -WIDTH:] * np.linalg.norm(centred) / 2
        for angle in (0.1, 0.7):
            turned = [np.cos(k * angle) * centred + np.sin(k * angle) * other for k in range(3)]
            found.append((f"turns of {angle} on a circle", turned[0], turned[1], turned[2]))
        found.append(("multiples", R, 2 * R, 4 * R))
        found.append(("shifts", R, R + 1.0, R + 2.0))
        found.append(("of several widths", R, related(seed, 40 + number, WIDTH - 1), related(seed, 60 + number, WIDTH)))
        noise = [unrelated(seed, 3 * number + k, WIDTH) for k in range(3)]
        found.append(("noise", noise[0], noise[1], noise[2]))
    return found
