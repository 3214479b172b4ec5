"""Values of ordinary pairs: the same again, for any order of samples and of sides, and of one with itself."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from resi.randomness import generator
from resi.testing.measures.case import CallError, shown, writes_to_input
from resi.testing.measures.report import Remark
from resi.testing.measures.samples import N_SAMPLES, WIDTH, Pair, degenerate_pairs, ordinary_pairs, related, unrelated

if TYPE_CHECKING:
    from resi.testing.measures.case import Case

SELF_KINDS = ("one constant feature", "one direction", "repeated samples", "whole numbers")
ROUNDED = 1e-10
"""Values of a deterministic measure are this near to each other when nothing but the order of sums differs."""


def begin(case: Case) -> bool:
    """Find pairs that the measure has values for; return whether there are any."""
    case.pairs = ordinary_pairs(case.seed, is_same_width=False)
    try:
        value = _first(case)
    except CallError as failure:
        if not failure.is_refused:
            case.violate("a finite number", "one for two representations", str(failure), case.pairs[0])
            return False
        refused = str(failure)
        case.pairs = ordinary_pairs(case.seed, is_same_width=True)
        try:
            value = _first(case)
        except CallError as again:
            case.violate("a finite number", "one for two representations", str(again), case.pairs[0])
            return False
        case.limits.append(Remark("different widths", f"refused: {refused}"))
    case.scale = abs(value)
    for pair in case.pairs[1:]:
        with case.expecting("a finite number", "one for two representations", pair):
            case.scale = max(case.scale, abs(case.of(pair)))
            case.passed.setdefault("a finite number")
    case.pairs = [pair for pair in case.pairs if case.has_value(pair)]
    case.scale = case.scale or 1.0
    return True


def _first(case: Case) -> float:
    """Return the first value; a measure that writes to its input is called on copies from then on."""
    try:
        return case.of(case.pairs[0])
    except CallError as failure:
        if not writes_to_input(failure):
            raise
        what = "no change of the arrays that prepare and compare are given"
        case.violate("input left as it is", what, "that they have been written to", case.pairs[0])
        case.is_guarded = False
        return case.of(case.pairs[0])


def check_again(case: Case) -> None:
    """Check that a value is the same again after others, and that a seed is what draws depend on."""
    check, what = "the same value again", "the value of the first time"
    for pair in case.pairs:
        with case.expecting(check, what, pair):
            value = case.value(pair.R, pair.S)
            case.expect(
                case.close(case.of(pair), value, ROUNDED), check, f"{what}, {case.of(pair)!r}", repr(value), pair
            )
    measure = case.measure
    fields = {field.name: field for field in dataclasses.fields(measure)}  # type: ignore[arg-type]
    if not measure.deterministic or "seed" not in fields or not isinstance(measure.seed, int):  # type: ignore[attr-defined]
        return
    pair = case.pairs[0]
    with case.expecting("deterministic", "a value for another seed", pair):
        other = dataclasses.replace(measure, seed=measure.seed + 1)  # type: ignore[type-var, attr-defined]
        value = dataclasses.replace(case, measure=other).value(pair.R, pair.S)
        holds = case.close(case.of(pair), value, ROUNDED)
        case.expect(
            holds, "deterministic", "the same value for another seed", f"{value!r}, not {case.of(pair)!r}", pair
        )


def check_order(case: Case) -> None:
    """Check that the order of samples is of no influence, and how near rounding comes to ``resolution``."""
    measure = case.measure
    if not measure.deterministic:
        case.skipped.append(Remark("order of samples", "deterministic=False: draws may depend on it"))
        return
    largest = 0.0
    for pair in case.pairs:
        order = generator(case.seed, "check_measure order", pair.kind).permutation(len(pair.R))
        with case.expecting("order of samples", "no influence", pair):
            value = case.value(pair.R[order], pair.S[order])
            case.expect_same("order of samples", case.of(pair), value, "the value before reordering both sides", pair)
            largest = max(largest, abs(value - case.of(pair)) / (abs(case.of(pair)) or case.scale))
    _judge_resolution(case, largest)
    _note_unpaired(case)


def _judge_resolution(case: Case, largest: float) -> None:
    """Compare what reordering samples does to values with the share that the measure states."""
    stated = case.measure.resolution
    is_own = any("resolution" in vars(kind) for kind in type(case.measure).__mro__ if kind.__name__ != "Measure")
    if largest > max(10 * case.relative, 10 * stated):  # not rounding: that order matters is said already
        return
    if largest <= stated or is_own:
        what = f"reordering samples to change values by a share of {stated:.1g} at most"
        case.expect(largest <= stated, "resolution", what, f"{largest:.1e}")
    else:
        text = f"reordering samples changes values by a share of {largest:.0e}, more than the default of {stated:.0e}"
        case.undeclared.append(Remark("resolution", text, f"resolution = {10.0 ** math.ceil(math.log10(largest))!r}"))


def _note_unpaired(case: Case) -> None:
    """Say so if it does not matter which sample of one side belongs to which of the other."""
    for pair in case.pairs:
        order = generator(case.seed, "check_measure pairing", pair.kind).permutation(len(pair.R))
        try:
            if not case.close(case.of(pair), case.value(pair.R[order], pair.S)):
                return
        except CallError:
            return
    text = "reordering the samples of one side changes nothing: it compares summaries, and not sample by sample"
    case.limits.append(Remark("samples", text))


def check_symmetry(case: Case) -> None:
    """Check ``symmetric``: whether both orders of a pair have one value."""
    holds = []
    for pair in case.pairs:
        with case.expecting("symmetric", "a value in the other order", pair.swapped):
            value = case.value(pair.S, pair.R)
            holds.append(case.close(case.of(pair), value))
            if case.measure.symmetric:
                case.expect_same("symmetric", case.of(pair), value, "the value of the other order", pair)
    if holds and all(holds) and not case.measure.symmetric:
        text = f"both orders have one value in {len(holds)} of {len(holds)} pairs"
        case.undeclared.append(Remark("symmetric", text, "symmetric = True"))


def check_self_value(case: Case) -> None:
    """Check ``self_value``: what a representation has with itself, of several kinds."""
    stated = case.measure.self_value
    kinds = {pair.kind: pair.R for pair in degenerate_pairs(case.seed) if pair.kind in SELF_KINDS}
    of_degenerate = set(kinds)
    kinds |= {pair.kind: pair.R for pair in case.pairs}
    kinds["unrelated"] = unrelated(case.seed, 0, WIDTH)
    values = {}
    for kind, R in kinds.items():
        pair = Pair(f"{kind}, with itself", R, R.copy())
        try:
            values[kind] = case.value(pair.R, pair.S)
        except CallError as failure:
            if not (kind in of_degenerate and failure.is_undefined):
                case.violate("value with itself", "a finite number", str(failure), pair)
            continue
        if stated is not None:
            case.expect_same("self_value", stated, values[kind], "self_value as stated", pair)
    if stated is None and values:
        first, *others = values.values()
        if others and all(case.close(first, value) for value in others):
            text = f"{shown(first)} for each of {len(values)} representations with itself"
            case.undeclared.append(Remark("self_value", text, f"self_value = {float(shown(first))!r}"))


def check_note(case: Case) -> None:
    """Check that ``note`` returns a text of one line."""
    pair = case.pairs[0]
    with case.expecting("note", "a text of one line, or an empty one", pair):
        states = case.prepared(pair.R, pair.S)
        with case.calling():
            note = case.measure.note(*states)
        holds = isinstance(note, str) and "\n" not in note
        case.expect(holds, "note", "a text of one line, or an empty one", repr(note), pair)


def check_layouts(case: Case) -> None:
    """Check that tokens and maps have a value, too."""
    check = "tokens and maps"
    samples = [related(case.seed, number, 4 * WIDTH) for number in range(2)]
    with case.expecting(check, "a finite number for tokens, shape='ntd'"):
        R, S = (X.reshape(N_SAMPLES, 2, 2 * WIDTH) for X in samples)
        case.value(R, S, "ntd")
        case.passed.setdefault(check)
    with case.expecting(check, "a finite number for maps, shape='nchw'"):
        a, b = (X.reshape(N_SAMPLES, WIDTH, 2, 2) for X in samples)
        case.value(a, b, "nchw")
