"""One measure under check: it is called here, and what does not hold is gathered here."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from resi.engine.warned import hear
from resi.errors import DegenerateInputError, MeasureError, ShapeError
from resi.measures.features import Features
from resi.measures.guard import as_failure, features_for
from resi.testing.measures.report import MeasureReport, Violation
from resi.testing.process import process_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch

    from resi.measures.base import Measure
    from resi.specs import Layout
    from resi.testing.measures.cost import Cost
    from resi.testing.measures.report import Remark
    from resi.testing.measures.samples import Matrix, Pair
else:
    from resi.lazy import torch


class CallError(Exception):
    """A call of a measure that gave no finite number; the text says what it gave."""

    def __init__(self, found: str, error: Exception | None = None) -> None:
        super().__init__(found)
        self.error = error

    @property
    def is_undefined(self) -> bool:
        """Whether the measure says that it has no value for the input."""
        return isinstance(self.error, DegenerateInputError)

    @property
    def is_refused(self) -> bool:
        """Whether the measure says that it cannot take arrays of these shapes."""
        return isinstance(self.error, ShapeError)


@dataclass
class Case:
    """A measure that is checked.

    Attributes
    ----------
    relative, absolute : float
        How much two values that should be equal may differ: relative to them, and to the size of ordinary values.
    pairs : list of Pair
        Pairs that it has values for; the first is that of most checks.
    began : mapping
        The global generators and flags before the first call.
    is_guarded : bool
        Whether it is called as others call it; False where it writes to its input, so that the rest can be checked.
    """

    measure: Measure
    label: str
    relative: float
    absolute: float
    seed: int
    thorough: bool
    pairs: list[Pair] = field(default_factory=list)
    scale: float = 1.0
    began: Mapping[str, Any] = field(default_factory=process_state)
    is_guarded: bool = True
    fastest: float = math.inf
    violations: dict[str, Violation] = field(default_factory=dict)
    undeclared: list[Remark] = field(default_factory=list)
    limits: list[Remark] = field(default_factory=list)
    skipped: list[Remark] = field(default_factory=list)
    passed: dict[str, None] = field(default_factory=dict)
    _values: dict[tuple[str, int, int], float] = field(default_factory=dict)

    @property
    def is_one_width(self) -> bool:
        """Whether the measure refuses representations of different widths."""
        return self.pairs[0].R.shape == self.pairs[0].S.shape

    def holds(self, invariance: str) -> bool:
        """Return whether an invariance is stated, and not found to be false."""
        return invariance in self.measure.invariances and f"invariant to {invariance}" not in self.violations

    def has_value(self, pair: Pair) -> bool:
        """Return whether an ordinary pair has a value."""
        try:
            self.of(pair)
        except CallError:
            return False
        return True

    def value(self, R: Any, S: Any, shape: Layout = "nd") -> float:
        """Return the value for two representations.

        Raises
        ------
        CallError
            If it is not a finite number, or there is none.
        """
        before = _copies(R, S)
        start = time.perf_counter()
        try:
            with hear():  # so that warnings are not printed
                value = float(self.measure.evaluate(R, S, shape) if self.is_guarded else self._unguarded(R, S))
        except BaseException as error:
            failure = as_failure(self.measure, error)
            raise CallError(f"{type(failure).__name__}: {failure}", failure) from failure
        self.fastest = min(self.fastest, time.perf_counter() - start)
        if not all(map(_same_bits, before, (R, S))):
            self.violate(
                "input left as it is", "no change of the arrays that are compared", "that they have been written to"
            )
        if not math.isfinite(value):
            raise CallError(repr(value))
        return value

    def of(self, pair: Pair) -> float:
        """Return the value for an ordinary pair, computed once."""
        known = (pair.kind, id(pair.R), id(pair.S))
        if known not in self._values:
            self._values[known] = self.value(pair.R, pair.S)
        return self._values[known]

    def prepared(self, *arrays: Any) -> list[Any]:
        """Return the states that ``prepare`` makes, as the engine has it called."""
        with self.calling():
            return [self.measure.prepare(self.features(array, place)) for place, array in enumerate(arrays)]

    def features(self, array: Any, place: int = 0) -> Features:
        """Return a representation as the measure gets it; of the same memory only for measures that are built in."""
        return features_for(self.measure, torch.tensor(array), position=place)

    @contextlib.contextmanager
    def calling(self) -> Iterator[None]:
        """Turn any error of the measure into ``CallError``, and keep its warnings off the screen."""
        from resi.machine.devices import plain_arithmetic

        try:
            with hear(), plain_arithmetic():
                yield
        except CallError:
            raise
        except BaseException as error:
            failure = as_failure(self.measure, error)
            raise CallError(f"{type(failure).__name__}: {failure}", failure) from failure

    def close(self, one: float, other: float, relative: float | None = None) -> bool:
        """Return whether two values are equal but for rounding; ``relative`` replaces both tolerances."""
        share = self.relative if relative is None else relative
        absolute = (self.absolute if relative is None else relative) * self.scale
        return math.isclose(one, other, rel_tol=share, abs_tol=absolute)

    def expect(self, holds: bool, check: str, expected: str, found: str, on: object = "") -> bool:
        """Note that something holds, or does not; return whether."""
        if holds:
            self.passed.setdefault(check)
        else:
            self.violate(check, expected, found, on)
        return holds

    def expect_same(self, check: str, expected: float, value: float, what: str, on: object = "") -> bool:
        """Expect two values to be equal."""
        holds = self.close(expected, value)
        return self.expect(holds, check, f"{what}, {shown(expected)}", shown(value), on)

    @contextlib.contextmanager
    def expecting(self, check: str, expected: str, on: object = "") -> Iterator[None]:
        """Expect that the calls inside give finite numbers."""
        try:
            yield
        except CallError as failure:
            self.violate(check, expected, str(failure), on)

    def violate(self, check: str, expected: str, found: str, on: object = "") -> None:
        """Note that something does not hold: once for each check, with the first input that shows it."""
        known = self.violations.get(check)
        first = known or Violation(check, expected, " ".join(found.split()), str(on), times=0)
        self.violations[check] = first._replace(times=first.times + 1)

    def report(self, cost: Cost | None, seconds: float) -> MeasureReport:
        """Return what has been found."""
        return MeasureReport(
            self.label,
            tuple(self.violations.values()),
            tuple(self.undeclared),
            tuple(self.limits),
            tuple(check for check in self.passed if check not in self.violations),
            tuple(self.skipped),
            cost,
            self.fastest if math.isfinite(self.fastest) else None,
            seconds,
            getattr(self.measure, "_function", ""),
        )

    def _unguarded(self, R: Any, S: Any) -> float:
        from resi.machine.devices import plain_arithmetic

        with plain_arithmetic():
            copies = [torch.as_tensor(copy).detach() for copy in _copies(R, S)]
            return self.measure.compare(*(self.measure.prepare(Features(copy)) for copy in copies))


def writes_to_input(failure: CallError) -> bool:
    """Return whether a call failed because the measure has written to what it was given."""
    return isinstance(failure.error, MeasureError) and "writes to its input" in str(failure)


def shown(value: float) -> str:
    """Return a value in as many digits as tell it from one that is not equal."""
    return f"{value:.10g}"


def _copies(*arrays: Any) -> list[Any]:
    return [array.clone() if isinstance(array, torch.Tensor) else np.array(array, copy=True) for array in arrays]


def _same_bits(one: Matrix | torch.Tensor, other: Matrix | torch.Tensor) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    return np.array_equal(one, other)
