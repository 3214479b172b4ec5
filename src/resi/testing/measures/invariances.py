"""Changes of the features that do not change the value: those that are stated, and those that are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.measures.facts import INVARIANCES
from resi.randomness import generator
from resi.testing.measures.case import CallFailed
from resi.testing.measures.report import Remark
from resi.testing.measures.samples import CHANGES, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.testing.measures.case import Case


def check_invariances(case: Case) -> None:
    """Check every invariance: one that is stated has to hold on either side; of others, whether they do."""
    for name in INVARIANCES:
        if name in case.measure.invariances:
            _check_stated(case, name)
        elif _seems_to_hold(case, name):
            text = f"{INVARIANCES[name]} changes nothing, on either side"
            case.undeclared.append(Remark(f"invariances: {name}", text))


def _check_stated(case: Case, name: str) -> None:
    check, what = f"invariant to {name}", INVARIANCES[name]
    for original, changed in _changed(case, name):
        with case.expecting(check, f"a value after {what}", changed):
            value = case.value(changed.R, changed.S)
            case.expect_same(check, case.of(original), value, f"the value before {what}", changed)


def _seems_to_hold(case: Case, name: str) -> bool:
    try:
        return all(
            case.close(case.of(original), case.value(changed.R, changed.S)) for original, changed in _changed(case, name)
        )
    except CallFailed:
        return False


def _changed(case: Case, name: str) -> Iterator[tuple[Pair, Pair]]:
    """Yield ordinary pairs, each with one of its sides changed."""
    change = CHANGES[name]
    for number in range(3 if case.thorough else 1):
        for pair in case.pairs:
            rng = generator(case.seed, "check_measure", name, pair.kind, number)
            yield pair, Pair(f"{pair.kind}, R changed", change(pair.R, rng), pair.S)
            yield pair, Pair(f"{pair.kind}, S changed", pair.R, change(pair.S, rng))
