"""Every measure on the GPU against its value on the CPU."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import torch

import resi
from on_gpu.inputs import cases
from resi.choices import Status
from resi.measures import MEASURES

if TYPE_CHECKING:
    from on_gpu.inputs import Case
    from on_gpu.report import Run

DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
SIX_DIGITS = 2e-6
"""Values of single precision and less are correct to six digits."""
IN_SINGLE = ("procrustes", "normalized_procrustes", "angular_shape", "permutation_procrustes", "cka")
"""Measures that multiply in single precision; all others compute in double precision whatever they are given."""
FEW_DRAWS = {"geometry_score": {"draws": 20}}
SMALLEST_CASE_SECONDS = 3.0


def section(run: Run) -> None:
    """Compare all measures over all cases and precisions, and single pairs with what all pairs give."""
    with run.part("single pairs"):
        compare_single(run)
    worst: dict[str, dict[str, tuple[float, str]]] = {}
    known = cases(run.quick)
    run.say(f"{len(known)} cases: {', '.join(known)}")
    for dtype, (name, case) in itertools.product(DTYPES, known.items()):
        if not run.has(SMALLEST_CASE_SECONDS, f"what follows {name!r} in {dtype}"):
            break
        with run.part(f"{name}, {dtype}"):
            compare_case(run, name, case, dtype, worst)
    header = ("measure", *DTYPES)
    rows = [(measure, *(described(found.get(dtype)) for dtype in DTYPES)) for measure, found in sorted(worst.items())]
    run.table("largest difference from the CPU, as a share of the value, and its case", header, rows)


def compare_case(run: Run, name: str, case: Case, dtype: str, worst: dict[str, dict[str, tuple[float, str]]]) -> None:
    """Compare all pairs of a case by all measures."""
    given = {key: array.to(DTYPES[dtype]) for key, array in case.arrays.items()}
    if not all(bool(array.isfinite().all()) for array in given.values()):
        return  # numbers of half precision end at 65504
    measures = {measure.name: FEW_DRAWS.get(measure.name, {}) for measure in MEASURES}
    expected = outcomes(given, measures, case.shape)
    found = outcomes({key: elsewhere(run, array, case.shape) for key, array in given.items()}, measures, case.shape)
    for key, (value, status, error) in expected.items():
        measure = key[0]
        label = f"{measure} of {key[1]} and {key[2]} ({name}, {dtype})"
        other, other_status, other_error = found[key]
        if not run.check(label, other_status == status, f"{other_status} ({other_error}), CPU: {status} ({error})"):
            continue
        if value is None or other is None:
            continue
        size = max(abs(value), scale(measure, given, key[1:]))
        difference = abs(other - value) / size if size else abs(other - value)
        known = worst.setdefault(measure, {}).get(dtype, (-1.0, ""))
        worst[measure][dtype] = max(known, (difference, name))
        allowed = case.tolerance if dtype == "float64" or measure not in IN_SINGLE else SIX_DIGITS
        run.check(label, difference <= allowed, f"{other!r}, CPU {value!r}: {difference:.1e} apart")


def elsewhere(run: Run, array: torch.Tensor, shape: str) -> torch.Tensor:
    """Return an array on the GPU; in a rehearsal one with its features in another order, whose values round anew."""
    return array.to(run.device) if run.on_gpu else array.flip(2 if shape == "ntd" else 1)


def outcomes(given: dict[str, torch.Tensor], measures: Any, shape: str) -> dict[tuple[str, str, str], Any]:
    """Return value, status and error of every pair by measure, source and target."""
    frame = resi.pairwise(given, measures=measures, shape=shape)
    columns = ("measure", "source", "target", "value", "status", "error")
    return {(row[0], row[1], row[2]): row[3:] for row in frame.select(columns).iter_rows()}


def scale(measure: str, given: dict[str, torch.Tensor], pair: tuple[str, ...]) -> float:
    """Return the size of what a value is a difference of: a distance near zero is known to a share of that."""
    if measure in UNITLESS:
        return 1.0
    if measure == "imd":
        return 1e6 * math.exp(-4)
    factor = 1e-3  # of differences of such numbers, three digits more are known
    return max(float(given[key].double().abs().max()) for key in pair) * factor


UNITLESS = {measure.name for measure in MEASURES} - {
    "imd", "magnitude_difference", "permutation_procrustes", "procrustes", "rsm_norm_difference"
}  # fmt: skip


def described(found: tuple[float, str] | None) -> str:
    """Return a difference and its case as a table shows them."""
    return "" if found is None else f"{found[0]:.0e} {found[1]}" if found[0] else "0"


def compare_single(run: Run) -> None:
    """Compare ``resi.compare`` of tensors of the GPU with all pairs at once, and with a mixture of devices."""
    given = next(iter(cases(run.quick).values())).arrays
    R, S = (array.to(run.device) for array in list(given.values())[:2])
    frame = resi.pairwise({"R": R, "S": S}, measures={m.name: FEW_DRAWS.get(m.name, {}) for m in MEASURES})
    frame = frame.filter((frame["status"] == Status.ok) & (frame["source"] == "R"))
    together = dict(frame.select("measure", "value").iter_rows())
    for measure in MEASURES:
        with run.part(f"resi.compare by {measure.name}"):
            value = resi.compare(R, S, measure.name, **FEW_DRAWS.get(measure.name, {}))
            mixed = resi.compare(R, S.cpu(), measure.name, **FEW_DRAWS.get(measure.name, {}))
            for label, other in (("all pairs at once", together[measure.name]), ("S on the CPU", mixed)):
                near = math.isclose(value, other, rel_tol=1e-9, abs_tol=1e-9)
                run.check(f"resi.compare by {measure.name} and {label}", near, f"{value!r} and {other!r}")
