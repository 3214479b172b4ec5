"""Whether similar representations have the values that ``larger_is_more_similar`` says."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from resi.randomness import generator
from resi.testing.measures.case import shown
from resi.testing.measures.report import Remark
from resi.testing.measures.samples import CHANGES, WIDTH, Pair, related, unrelated

if TYPE_CHECKING:
    from resi.testing.measures.case import Case
    from resi.testing.measures.samples import Matrix

DRAWS, MANY_DRAWS = 8, 40
NOISE = 0.05
MOST = 0.75
"""The share of draws that may contradict the direction: of a measure that sees little in so few samples."""
ALLOWED = ("affine", "invertible_linear", "orthogonal", "permutation", "isotropic_scaling", "translation")
"""From the strongest change to the weakest."""


def check_direction(case: Case) -> None:
    """Check that copies are nearer than independent noise: a noisy copy, and one changed as the measure allows.

    A single draw says little of a measure that compares summaries, such as the length of the mean row: the direction is
    wrong where most draws say so.
    """
    if not case.measure.knows_direction:
        case.skipped.append(Remark("direction", "the function does not say whether larger values are more similar"))
        _check_varies(case)
        return
    _check_itself(case)
    _check_copies(case, "direction: noisy copy", ())
    stated = [name for name in ALLOWED if name in case.measure.invariances]
    if stated:
        chosen = stated[:1] + [name for name in ("isotropic_scaling", "translation") if name in stated[1:]]
        _check_copies(case, f"direction: copy after {' and '.join(chosen)}", tuple(chosen))


def _check_itself(case: Case) -> None:
    """Check that a representation is not less similar to itself than to all others."""
    check = "direction: itself"
    R = case.pairs[0].R
    others = [pair.S for pair in case.pairs if pair.R.shape == R.shape]
    others += [related(case.seed, number, WIDTH) for number in (1, 2)]
    with case.expecting(check, "values of a representation with itself and with others"):
        itself = case.value(R, R.copy())
        pairs = [(R, other) for other in others]
        if not case.measure.symmetric:
            pairs += [(other, R) for other in others]
        values = [case.value(*pair) for pair in pairs]
        farthest = (min if case.measure.larger_is_more_similar else max)(values)
        holds = not _is_nearer(case, farthest, itself) or case.close(farthest, itself)
        listing = ", ".join(map(shown, values))
        found = f"{shown(itself)} with itself, and {listing} with others"
        case.expect(holds, check, f"{_side(case)} values for more similar representations", found)


def _check_copies(case: Case, check: str, changes: tuple[str, ...]) -> None:
    """Check that copies, changed and with a little noise, are nearer than independent noise in most draws."""
    draws = MANY_DRAWS if case.thorough else DRAWS
    farther = equal = 0
    example = ""
    with case.expecting(check, "values for a noisy copy and for noise"):
        for number in range(draws):
            pair = _copy(case.seed, number, changes)
            near, far = case.value(pair.R, pair.S), case.value(pair.R, unrelated(case.seed, number, WIDTH))
            farther += _is_nearer(case, far, near)
            equal += near == far
            example = example or f"for example {shown(near)} and {shown(far)}"
        if equal == draws:
            _judge_blind(case, check, draws)
            return
        expected = f"{_side(case)} values for a copy than for independent noise"
        found = f"the other direction in {farther} of {draws} draws, {example}"
        case.expect(farther <= MOST * draws, check, expected, found)


def _judge_blind(case: Case, check: str, draws: int) -> None:
    """Tell a measure with one value for all pairs from one that sees too little in so few samples."""
    values = {case.of(pair) for pair in case.pairs} | {case.value(*pair) for pair in _unlike(case.seed)}
    if len(values) == 1:
        case.violate(check, "a copy and independent noise distinguished", f"one value for all, {shown(values.pop())}")
    else:
        case.skipped.append(Remark(check, f"copies and noise have one value in {draws} draws of so few samples"))


def _check_varies(case: Case) -> None:
    """Check that not all pairs have one value, which needs no direction."""
    check, expected = "different values", "a copy and independent noise distinguished"
    with case.expecting(check, expected):
        first = case.of(case.pairs[0])
        copies = [_copy(case.seed, number, ()) for number in range(DRAWS)]
        inputs = itertools.chain(((pair.R, pair.S) for pair in (*case.pairs, *copies)), _unlike(case.seed))
        holds = any(case.value(R, S) != first for R, S in inputs)
        case.expect(holds, check, expected, f"one value for all, {shown(first)}")


def _unlike(seed: int) -> list[tuple[Matrix, Matrix]]:
    return [(related(seed, number, WIDTH), unrelated(seed, number, WIDTH)) for number in range(MANY_DRAWS)]


def _copy(seed: int, number: int, changes: tuple[str, ...]) -> Pair:
    rng = generator(seed, "check_measure copy", number, *changes)
    R = related(seed, 100 + number, WIDTH)
    copy: Matrix = R + NOISE * R.std() * rng.normal(size=R.shape)
    for name in changes:
        copy = CHANGES[name](copy, rng)
    return Pair("a noisy copy", R, copy)


def _is_nearer(case: Case, one: float, other: float) -> bool:
    return one > other if case.measure.larger_is_more_similar else one < other


def _side(case: Case) -> str:
    return "larger" if case.measure.larger_is_more_similar else "smaller"
