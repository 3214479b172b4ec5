"""Arrays of other precision, layout in memory, shape and scale, and those that leave nothing to compare."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from resi.testing.expectations import unmet
from resi.testing.measures.case import CallError, shown
from resi.testing.measures.report import Remark
from resi.testing.measures.samples import Pair, degenerate_pairs, shaped_pairs

if TYPE_CHECKING:
    import torch

    from resi.testing.measures.case import Case
    from resi.testing.measures.samples import Matrix
else:
    from resi.lazy import torch

SCALES = (1e-6, 1e6)
EXTREMES = (1e-12, 1e12, 1e-50, 1e50, 1e-150, 1e150)
OFFSET, FAR = 1e3, 1e-5
DIGITS = 15.9
"""Of a number in double precision."""
UNDEFINED = "resi.errors.DegenerateInputError"
"""What a measure raises where it has no value, as it can be imported."""
ENOUGH_SAMPLES = 12
"""Of fewer, a measure may say that they do not suffice."""


def check_types(case: Case) -> None:
    """Check every type of floating point numbers, and say how many digits of values each costs."""
    pair = case.pairs[0]
    digits = []
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        name = str(dtype).removeprefix("torch.")
        check = f"type {name}"
        R, S = (torch.tensor(X).to(dtype) for X in (pair.R, pair.S))
        with case.expecting(check, "the value of the same numbers in float64", pair):
            value = case.value(R, S)
            same_numbers = case.value(R.double(), S.double())
            # Half of the digits that the type has: some products are computed in it.
            tolerance = math.sqrt(torch.finfo(dtype).eps)
            what = f"the value of the same numbers in float64, {shown(same_numbers)}"
            case.expect(case.close(same_numbers, value, tolerance), check, what, shown(value), pair)
            digits.append(f"{name} {_digits(case.of(pair), value, case.scale)}")
    if digits:
        case.limits.append(Remark("digits of a value kept", ", ".join(digits)))


def check_memory(case: Case) -> None:
    """Check arrays that are laid out in memory in other ways, and that whole numbers are refused or counted right."""
    pair = case.pairs[0]
    for kind, other in _laid_out(pair.R).items():
        with case.expecting("layout in memory", "the value of a contiguous array", f"R {kind}"):
            value = case.value(other, pair.S)
            what = "the value of a contiguous array"
            case.expect_same("layout in memory", case.of(pair), value, what, f"R {kind}")
    whole = np.round(4 * pair.R).astype(np.int64)
    try:
        value = case.value(whole, pair.S) if case.is_guarded else math.nan
    except CallError as failure:
        case.expect(failure.is_refused, "integers", "a value, or ShapeError", str(failure), "R of type int64")
    else:
        with case.expecting("integers", "the value of the same numbers in float64", "R of type int64"):
            if case.is_guarded:
                expected = case.value(whole.astype(float), pair.S)
                case.expect_same("integers", expected, value, "the value of the same numbers in float64")


def check_shapes(case: Case) -> None:
    """Check unusual numbers of samples and features: a value, or an error that says what is missing."""
    check = "shapes"
    for pair in shaped_pairs(case.seed):
        if case.is_one_width and pair.R.shape != pair.S.shape:
            continue
        few = len(pair.R) <= ENOUGH_SAMPLES
        try:
            case.value(pair.R, pair.S)
        except CallError as failure:
            if failure.is_undefined or (failure.is_refused and few):
                case.limits.append(Remark(pair.kind, _reason(failure)))
                continue
            what = f"a value, or {UNDEFINED}" + (", or ShapeError for so few samples" if few else "")
            case.violate(check, what, str(failure), pair)
        else:
            case.passed.setdefault(check)


def check_degenerate(case: Case) -> None:
    """Check input that leaves little to compare: a finite value, or ``DegenerateInputError``, and never NaN."""
    check = "degenerate input"
    undefined: dict[str, str] = {}
    for pair in degenerate_pairs(case.seed):
        if case.is_one_width and pair.R.shape != pair.S.shape:
            continue
        try:
            case.value(pair.R, pair.S)
        except CallError as failure:
            if failure.is_undefined:
                undefined.setdefault(pair.kind, _reason(failure))
                continue
            case.violate(check, f"a finite number, or {UNDEFINED}", str(failure), pair)
        else:
            case.passed.setdefault(check)
    if undefined:
        case.limits.append(Remark("undefined", ", ".join(undefined)))


def check_scale(case: Case) -> None:
    """Check large and small numbers and a large mean; far beyond what networks compute, say how far a measure goes."""
    pair = case.pairs[0]
    for factor in SCALES:
        if wrong := _wrong_at(case, factor):
            case.violate("scale", wrong.expected, wrong.found, f"both sides times {factor:g}")
        else:
            case.passed.setdefault("scale")
    wrongs = {factor: wrong for factor in EXTREMES if (wrong := _wrong_at(case, factor))}
    for factors in ([factor for factor in wrongs if factor < 1], [factor for factor in wrongs if factor > 1]):
        if factors:  # from the least extreme
            wrong = wrongs[factors[0]]
            text = f"both sides times {factors[0]:g}: {unmet(wrong.expected, wrong.found)}"
            case.limits.append(Remark("scale", text))
    far = Pair(f"{pair.kind}, R with a mean of about {OFFSET:g}", pair.R + OFFSET, pair.S)
    with case.expecting("large mean", "a finite number", far):
        value = case.value(far.R, far.S)
        if case.holds("translation"):
            what = f"the value before, {shown(case.of(pair))}"
            case.expect(case.close(case.of(pair), value, FAR), "large mean", what, shown(value), far)
        case.passed.setdefault("large mean")


class _Wrong(NamedTuple):
    expected: str
    found: str


def _wrong_at(case: Case, factor: float) -> _Wrong | None:
    """Return what is wrong with the value of two sides that are multiplied by a number."""
    pair = case.pairs[0]
    try:
        value = case.value(pair.R * factor, pair.S * factor)
    except CallError as failure:
        is_said = failure.is_undefined or failure.is_refused
        return None if is_said else _Wrong("a finite number", str(failure))
    if not case.holds("isotropic_scaling") or case.close(case.of(pair), value):
        return None
    return _Wrong(f"the value before, {shown(case.of(pair))}", shown(value))


def _digits(expected: float, value: float, scale: float) -> str:
    error = abs(value - expected) / max(abs(expected), scale * 1e-3)
    return "all" if error == 0 else f"{max(0.0, min(DIGITS, -math.log10(error))):.1f}"


def _laid_out(x: Matrix) -> dict[str, Any]:
    """Return the same numbers in other layouts."""
    read_only = x.copy()
    read_only.flags.writeable = False
    return {
        "by columns": np.asfortranarray(x),
        "every second column of another": np.repeat(x, 2, axis=1)[:, ::2],
        "reversed": x[::-1].copy()[::-1],
        "read-only": read_only,
        "a transposed tensor": torch.tensor(x.T.copy()).T,
        "a tensor with history": torch.tensor(x, requires_grad=True),
    }


def _reason(failure: CallError) -> str:
    return str(failure.error)
