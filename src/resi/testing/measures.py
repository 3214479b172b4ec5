"""Checks that a measure satisfies the facts it states.

Examples
--------
>>> from resi.measures.kernel import CKA
>>> check_measure(CKA)
"""

from __future__ import annotations

import math
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from resi.measures.base import Measure, check_facts
from resi.measures.facts import INVARIANCES
from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Callable

    Matrix = np.ndarray[Any, np.dtype[np.float64]]

N_SAMPLES, WIDTHS = 40, (6, 5)
SLOW_SECONDS = 0.5


class SlowMeasureWarning(UserWarning):
    """A measure that takes long for very small representations; a run may make thousands of comparisons."""


class MeasureCheckError(AssertionError):
    """A measure violates a fact that it states; the message names the measure and the fact."""


def check_measure(measure: type[Measure], relative: float = 1e-6, absolute: float = 1e-6, seed: int = 0) -> None:
    """Check a measure class against its own facts on small random representations.

    Checked are the facts themselves; that two representations of different width give a finite number, the same one
    again and after other comparisons; that the engine gives what a direct call gives; that the order of samples
    does not matter; symmetry, the value of a representation with itself, the triangle inequality of a metric; and every
    declared invariance, on both sides for a symmetric measure, on both at once otherwise.

    Parameters
    ----------
    measure : type
        The measure class, with defaults for all its parameters.
    relative, absolute : float
        How much two values that should be equal may differ.
    seed : int
        Key of the representations.

    Raises
    ------
    MeasureCheckError
        Naming the first thing that does not hold.

    Warns
    -----
    SlowMeasureWarning
        With the seconds that the fastest call has taken.
    """
    try:
        check_facts(measure)
    except ValueError as error:
        raise MeasureCheckError(str(error)) from error
    check = _Checker(measure(), relative, absolute)
    R, S, T = (_representation(seed, number) for number in range(3))
    value = check.finite("a number for two representations of different width", R, S)
    check.same("the same number again", value, R, S)
    check.same_through_engine(value, R, S)
    order = generator(seed, "check_measure order").permutation(N_SAMPLES)
    if measure.deterministic:
        check.same("no influence of the order of samples", value, R[order], S[order])
    if measure.symmetric:
        check.same("symmetric", value, S, R)
    itself = check.finite("a number for a representation with itself", R, R.copy())
    if measure.self_value is not None:
        check.close(f"self_value = {measure.self_value}", measure.self_value, itself)
    check.direction(itself, value, R, S, T)
    if measure.metric:
        check.triangle(R, S, T)
        for step in (0.05, 1.0):
            move = step * generator(seed, "check_measure move").normal(size=R.shape)
            check.triangle(R, R + move, R + 2 * move)
    for invariance in sorted(measure.invariances):
        change = _CHANGES[invariance]
        label = f"invariant to {invariance} ({INVARIANCES[invariance]})"
        rng = generator(seed, "check_measure", invariance)
        check.same(label, value, change(R, rng), change(S, rng))
        if measure.symmetric:
            check.same(label, value, change(R, rng), S)
    if check.fastest >= SLOW_SECONDS:
        warnings.warn(
            f"{measure.name}: its fastest call takes {check.fastest:.2g} s for {N_SAMPLES} samples of "
            f"{WIDTHS[0]} features; a run may make thousands of comparisons",
            SlowMeasureWarning,
            stacklevel=2,
        )


class _Checker:
    def __init__(self, measure: Measure, relative: float, absolute: float) -> None:
        self.measure = measure
        self.relative = relative
        self.absolute = absolute
        self.fastest = math.inf

    def finite(self, expectation: str, R: Matrix, S: Matrix) -> float:
        before = R.copy(), S.copy()
        start = time.perf_counter()
        try:
            value = float(self.measure.evaluate(R, S))
        except Exception as error:
            raise self._failure(expectation, f"{type(error).__name__}: {error}") from error
        self.fastest = min(self.fastest, time.perf_counter() - start)
        if not all(map(np.array_equal, (R, S), before)):
            raise self._failure("its input left as it is", "that it has been written to")
        if not math.isfinite(value):
            raise self._failure(expectation, str(value))
        return value

    def same(self, expectation: str, expected: float, R: Matrix, S: Matrix) -> None:
        self.close(expectation, expected, self.finite(expectation, R, S))

    def close(self, expectation: str, expected: float, value: float) -> None:
        if not math.isclose(value, expected, rel_tol=self.relative, abs_tol=self.absolute):
            raise self._failure(expectation, f"{value!r} instead of {expected!r}")

    def same_through_engine(self, expected: float, R: Matrix, S: Matrix) -> None:
        import torch

        from resi.engine.execution import Engine
        from resi.engine.tiles import Task
        from resi.machine.devices import plain_arithmetic
        from resi.representation import Representation

        items = {
            name: Representation(name, array.shape, "nd", "", lambda array=array: array)  # type: ignore[misc]
            for name, array in (("R", R), ("S", S))
        }
        engine = Engine({self.measure.name: self.measure}, 10**10, torch.device("cpu"))
        with plain_arithmetic():
            (outcome,) = engine.run([Task("R", "S", self.measure.name)], items)
        if outcome.value is None or not math.isclose(
            outcome.value, expected, rel_tol=self.relative, abs_tol=self.absolute
        ):
            raise self._failure("the same through prepare and compare", f"{outcome.value!r} {outcome.error}")

    def direction(self, itself: float, value: float, R: Matrix, S: Matrix, T: Matrix) -> None:
        """Check that a representation is not less similar to itself than to every other one."""
        stated = "larger" if self.measure.larger_is_more_similar else "smaller"
        expectation = f"{stated} values for more similar representations"
        values = [value, self.finite(expectation, R, T)]
        if not self.measure.symmetric:
            values += [self.finite(expectation, other, R) for other in (S, T)]
        sign = 1 if self.measure.larger_is_more_similar else -1
        margin = self.absolute + self.relative * max(map(abs, [itself, *values]))
        if all(sign * itself < sign * value - margin for value in values):
            raise self._failure(
                expectation, f"{itself!r} for one with itself and {values} for it with others: the other direction"
            )

    def triangle(self, R: Matrix, S: Matrix, T: Matrix) -> None:
        expectation = "metric: the triangle inequality"
        direct, one, two = (self.finite(expectation, *pair) for pair in ((R, T), (R, S), (S, T)))
        if direct > (one + two) * (1 + self.relative) + self.absolute:
            raise self._failure(expectation, f"{direct} > {one} + {two}")

    def _failure(self, expectation: str, found: str) -> MeasureCheckError:
        return MeasureCheckError(f"{self.measure.name}: expected {expectation}, found {found}")


def _representation(seed: int, number: int) -> Matrix:
    """Return one of several related representations that are not centred, shape (40, 5 or 6)."""
    base = generator(seed, "check_measure base").normal(size=(N_SAMPLES, WIDTHS[0]))
    rng = generator(seed, "check_measure representation", number)
    width = WIDTHS[number % 2]
    return 0.3 * base @ rng.normal(size=(WIDTHS[0], width)) + 0.1 * rng.normal(size=(N_SAMPLES, width)) + 0.2


def _orthogonal(x: Matrix, rng: np.random.Generator) -> Matrix:
    return x @ np.linalg.qr(rng.normal(size=(x.shape[1], x.shape[1])))[0]


def _invertible(x: Matrix, rng: np.random.Generator) -> Matrix:
    return _orthogonal(_orthogonal(x, rng) * rng.uniform(0.5, 2, x.shape[1]), rng)


def _translation(x: Matrix, rng: np.random.Generator) -> Matrix:
    return x + rng.normal(size=x.shape[1])


_CHANGES: dict[str, Callable[[Matrix, np.random.Generator], Matrix]] = {
    "affine": lambda x, rng: _translation(_invertible(x, rng), rng),
    "invertible_linear": _invertible,
    "orthogonal": _orthogonal,
    "permutation": lambda x, rng: x[:, rng.permutation(x.shape[1])],
    "isotropic_scaling": lambda x, rng: x * rng.uniform(0.5, 2),
    "translation": _translation,
}
