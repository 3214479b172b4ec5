"""The axioms of a metric: those of a measure that claims to be one, and whether another one could."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.testing.measures.case import CallError, shown
from resi.testing.measures.report import Remark
from resi.testing.measures.samples import N_SAMPLES, WIDTH, Pair, narrow_triples, unrelated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.testing.measures.case import Case
    from resi.testing.measures.samples import Matrix

ROUNDS, MANY_ROUNDS = 2, 12


def check_metric(case: Case) -> None:
    """Check ``metric``, or find out that it never seems violated."""
    measure = case.measure
    if measure.larger_is_more_similar or not measure.symmetric:
        return
    if measure.metric:
        _check_distances(case)
        for sides in _triples(case):
            with case.expecting("metric: triangle", "three distances", sides.label):
                direct, one, two = sides.distances(case)
                holds = _is_within(case, direct, one, two)
                found = f"{shown(direct)} > {shown(one)} + {shown(two)}"
                case.expect(holds, "metric: triangle", "d(R, T) at most d(R, S) + d(S, T)", found, sides.label)
        return
    if count := _unbroken(case):
        text = f"distances are 0 or more, 0 of one with itself, and no detour was shorter in {count} triples"
        case.undeclared.append(Remark("metric", text, "metric = True"))


class _Triple:
    """Three representations, with S on the way from R to T."""

    def __init__(self, label: str, R: Matrix, S: Matrix, T: Matrix) -> None:
        self.label = f"{label} ({N_SAMPLES} x {R.shape[1]})"
        self.sides = R, S, T

    def distances(self, case: Case) -> tuple[float, float, float]:
        """Return d(R, T), d(R, S), d(S, T)."""
        R, S, T = self.sides
        return case.value(R, T), case.value(R, S), case.value(S, T)


def _triples(case: Case) -> Iterator[_Triple]:
    is_one_width = case.is_one_width
    for label, *sides in narrow_triples(case.seed, MANY_ROUNDS if case.thorough else ROUNDS):
        if not (is_one_width and label == "of several widths"):
            yield _Triple(label, *sides)


def _check_distances(case: Case) -> None:
    """Check that distances are not negative, that of one with itself is 0, and that of noise is not."""
    for pair in case.pairs:
        value = case.of(pair)
        case.expect(value >= -case.absolute * case.scale, "metric: not negative", "0 or more", shown(value), pair)
        with case.expecting("metric: identity", "0 for a representation with itself", pair):
            itself = case.value(pair.R, pair.R.copy())
            what = "0 for a representation with itself"
            case.expect(case.close(itself, 0.0), "metric: identity", what, shown(itself), pair)
    pair = Pair("noise", *(unrelated(case.seed, number, WIDTH) for number in range(2)))
    with case.expecting("metric: identity", "a distance of unrelated ones", pair):
        value = case.value(pair.R, pair.S)
        holds = value > case.absolute * case.scale
        case.expect(holds, "metric: identity", "more than 0 for what is unrelated", shown(value), pair)


def _unbroken(case: Case) -> int:
    """Return in how many triples no axiom was violated; 0 if one was.

    Where a measure compares one number of each representation, all triples lie on a line, and nothing is learnt.
    """
    count, is_line = 0, True
    try:
        for pair in case.pairs:
            if case.of(pair) < -case.absolute * case.scale or not case.close(case.value(pair.R, pair.R.copy()), 0.0):
                return 0
        for triple in _triples(case):
            direct, one, two = triple.distances(case)
            if not _is_within(case, direct, one, two) or min(direct, one, two) < -case.absolute * case.scale:
                return 0
            longest = max(direct, one, two)
            is_line = is_line and case.close(2 * longest, direct + one + two)
            count += 1
    except CallError:
        return 0
    return 0 if is_line else count


def _is_within(case: Case, direct: float, one: float, two: float) -> bool:
    return direct <= (one + two) * (1 + case.relative) + case.absolute * case.scale
