"""How long a measure takes, and how that grows with samples and features."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from resi.measures.base import Measure
from resi.testing.measures.case import CallError
from resi.testing.measures.samples import related

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from resi.testing.measures.case import Case

START = (64, 16)
"""Samples and features of the smallest representation whose growth is followed."""
LONGEST, MANY_LONGEST = 0.02, 1.0
"""Sizes grow until one comparison takes so many seconds, or in a thorough check so many."""
LARGEST, FACTOR = 2048, 2
TIMES, MOST_TIMES = 3, 20
ENOUGH_SECONDS = 0.03
"""Fast calls are repeated until they have taken so long together: other programs make single ones slow."""
BEND = 1.0
"""By how much the powers between neighbouring sizes may differ where they are one power."""
LEAST_POWER = 0.05
"""Below, the time does not grow."""
POINTS = 3
"""Of a fit: the largest sizes, at which overheads weigh least."""


class Times(NamedTuple):
    """Seconds of one size, each the shortest of a few calls."""

    n_samples: int
    n_features: int
    prepare: float
    compare: float


class Cost(NamedTuple):
    """How long comparisons take.

    Attributes
    ----------
    by_samples, by_features : list of Times
        While the one number grows and the other stays.
    declared : str
        The fact ``cost``.
    has_prepare : bool
        Whether anything is prepared; a plain function takes both matrices as they are.
    """

    by_samples: list[Times]
    by_features: list[Times]
    declared: str
    has_prepare: bool = True

    def exponent(self, part: str, by: str) -> float | None:
        """Return the power with which ``prepare`` or ``compare`` grows with ``samples`` or ``features``.

        Returns
        -------
        float or None
            The slope of a line through the logarithms of the three largest sizes; None of fewer sizes, and where they
            are on no line.
        """
        times = (self.by_samples if by == "samples" else self.by_features)[-POINTS:]
        if len(times) < POINTS:
            return None
        sizes = [math.log(item.n_samples if by == "samples" else item.n_features) for item in times]
        logs = [math.log(max(getattr(item, part), 1e-9)) for item in times]
        slopes = [(y - x) / (b - a) for (a, b), (x, y) in zip(pairwise(sizes), pairwise(logs), strict=True)]
        if max(slopes) - min(slopes) > BEND or max(slopes) < LEAST_POWER:
            return None
        middle, height = sum(sizes) / len(sizes), sum(logs) / len(logs)
        return sum((x - middle) * (y - height) for x, y in zip(sizes, logs, strict=True)) / sum(
            (x - middle) ** 2 for x in sizes
        )

    def lines(self) -> Iterator[str]:
        """Yield it in words."""
        for part, once in (("prepare", "once per representation"), ("compare", "once per pair")):
            if part == "prepare" and not self.has_prepare:
                continue
            grows = [
                f"{letter}^{exponent:.1f} up to {letter} = {_largest(times, by)}"
                for letter, by, times in (("N", "samples", self.by_samples), ("D", "features", self.by_features))
                if (exponent := self.exponent(part, by)) is not None
            ]
            largest = max([*self.by_samples, *self.by_features], key=lambda item: item.n_samples * item.n_features)
            took = f"{_brief(getattr(largest, part))} for {largest.n_samples} x {largest.n_features}"
            yield f"{part} ({once}): {took}" + (f"; grows as {', '.join(grows)}" if grows else "")
        yield f"declared per pair: {self.declared or 'nothing'}"


def measured(case: Case) -> Cost | None:
    """Return how long comparisons take for growing numbers of samples, and then of features."""
    try:
        n_samples, n_features = START
        by_samples = list(_growing(case, lambda factor: (n_samples * factor, n_features)))
        by_features = list(_growing(case, lambda factor: (4 * n_samples, n_features * factor)))
    except CallError:  # what has no value is said elsewhere
        return None
    return Cost(by_samples, by_features, case.measure.cost, type(case.measure).prepare is not Measure.prepare)


def _growing(case: Case, size: Callable[[int], tuple[int, int]]) -> Iterator[Times]:
    """Yield the times of sizes that double, until one takes too long."""
    longest = MANY_LONGEST if case.thorough else LONGEST
    factor = 1
    while max(size(factor)) <= LARGEST:
        times = _timed(case, *size(factor))
        yield times
        if times.prepare + times.compare > longest:
            return
        factor *= FACTOR


def _timed(case: Case, n_samples: int, n_features: int) -> Times:
    arrays = [related(case.seed, number, n_features, n_samples) for number in (90, 91)]
    prepare = compare = math.inf
    began = time.perf_counter()
    for number in range(MOST_TIMES):
        if number >= TIMES and time.perf_counter() - began > ENOUGH_SECONDS:
            break
        features = [case.features(array, place) for place, array in enumerate(arrays)]
        with case.calling():
            start = time.perf_counter()
            states = [case.measure.prepare(x) for x in features]
            middle = time.perf_counter()
            case.measure.compare(*states)
            end = time.perf_counter()
        prepare, compare = min(prepare, (middle - start) / 2), min(compare, end - middle)
    return Times(n_samples, n_features, prepare, compare)


def _largest(times: list[Times], by: str) -> int:
    return times[-1].n_samples if by == "samples" else times[-1].n_features


def _brief(seconds: float) -> str:
    for limit, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= limit:
            return f"{seconds / limit:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
