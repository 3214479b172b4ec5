"""Changes of the features that do not change the value: those that are stated, and those that are not."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from resi.measures.facts import INVARIANCES
from resi.randomness import generator
from resi.testing.measures.case import CallError
from resi.testing.measures.report import Remark
from resi.testing.measures.samples import CHANGES, Pair, unrelated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.testing.measures.case import Case

LEAST = 2
"""On so many pairs an invariance has to hold to be suggested."""


def check_invariances(case: Case) -> None:
    """Check every invariance: one that is stated has to hold on either side; of others, whether they do."""
    telling = None
    found: list[str] = []
    for name in INVARIANCES:
        if name in case.measure.invariances:
            _check_stated(case, name)
            continue
        telling = list(_telling(case)) if telling is None else telling
        if len(telling) >= LEAST and _seems_to_hold(case, name, telling):
            found.append(name)
    every = ", ".join(f'"{name}"' for name in INVARIANCES if name in found or case.holds(name))
    for name in found:
        text = f"{INVARIANCES[name]} changed nothing, on either side"
        case.undeclared.append(Remark(f"invariances: {name}", text, f"invariances = {{{every}}}"))


def _telling(case: Case) -> Iterator[Pair]:
    """Yield the pairs of which another side does change the value; that others keep it says nothing of a change."""
    for number, pair in enumerate(case.pairs):
        with contextlib.suppress(CallError):
            sides = (
                (pair.R, unrelated(case.seed, number, pair.S.shape[1])),
                (unrelated(case.seed, number, pair.R.shape[1]), pair.S),
            )
            if not any(case.close(case.of(pair), case.value(*side)) for side in sides):
                yield pair


def _check_stated(case: Case, name: str) -> None:
    check, what = f"invariant to {name}", INVARIANCES[name]
    for original, changed in _changed(case, name, case.pairs):
        with case.expecting(check, f"a value after {what}", changed):
            value = case.value(changed.R, changed.S)
            case.expect_same(check, case.of(original), value, f"the value before {what}", changed)


def _seems_to_hold(case: Case, name: str, pairs: list[Pair]) -> bool:
    try:
        return all(
            case.close(case.of(original), case.value(changed.R, changed.S))
            for original, changed in _changed(case, name, pairs)
        )
    except CallError:
        return False


def _changed(case: Case, name: str, pairs: list[Pair]) -> Iterator[tuple[Pair, Pair]]:
    """Yield pairs, each with one of its sides changed."""
    change = CHANGES[name]
    for number in range(3 if case.thorough else 1):
        for pair in pairs:
            rng = generator(case.seed, "check_measure", name, pair.kind, number)
            yield pair, Pair(f"{pair.kind}, R changed", change(pair.R, rng), pair.S)
            yield pair, Pair(f"{pair.kind}, S changed", pair.R, change(pair.S, rng))
