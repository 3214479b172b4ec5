"""Checks that a measure keeps its contract and its declared facts; all violations are reported at once.

Examples
--------
>>> from resi.measures.kernel import CKA
>>> check_measure(CKA)
>>> measure_report(CKA, cost=False).failed
()
"""

from __future__ import annotations

import dataclasses
import time
import warnings
from typing import TYPE_CHECKING, Any

from resi.console import PATIENCE_SECONDS, progress
from resi.engine.warned import listening
from resi.measures.base import Measure, fact_problems
from resi.registry import configured
from resi.testing.measures import axioms, contract, direction, inputs, invariances, resampling, surroundings, values
from resi.testing.measures import cost as costs
from resi.testing.measures.case import Case
from resi.testing.measures.report import MeasureCheckError, MeasureReport, Remark, Violation
from resi.testing.measures.samples import N_SAMPLES, WIDTH
from resi.testing.process import generators_put_back

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "MeasureCheckError",
    "MeasureReport",
    "Remark",
    "SlowMeasureWarning",
    "Violation",
    "check_measure",
    "measure_report",
]

SLOW_SECONDS = 0.5
CHECKS: tuple[Callable[[Case], None], ...] = (
    surroundings.check_process,
    values.check_again,
    values.check_order,
    values.check_symmetry,
    values.check_self_value,
    direction.check_direction,
    axioms.check_metric,
    invariances.check_invariances,
    inputs.check_types,
    inputs.check_memory,
    inputs.check_shapes,
    inputs.check_degenerate,
    inputs.check_scale,
    values.check_layouts,
    values.check_note,
    contract.check_contract,
    contract.check_engine,
    contract.check_prepared_bytes,
    contract.check_pickle,
    resampling.check_permuted,
    resampling.check_drawn,
    surroundings.check_threads,
    surroundings.check_gpu,
)


class SlowMeasureWarning(UserWarning):
    """A measure that is slow on very small representations; a run may make thousands of comparisons."""


def check_measure(
    measure: type[Measure] | Measure,
    relative: float = 1e-6,
    absolute: float = 1e-6,
    seed: int = 0,
    *,
    settings: Sequence[Mapping[str, Any]] | None = None,
    thorough: bool = False,
) -> None:
    """Check a measure against its contract and its declared facts; docs/checking.md lists the checks.

    Parameters
    ----------
    measure : type or Measure
        The class, with defaults for all its parameters, or an instance.
    relative, absolute : float
        How much two values that should be equal may differ: relative to them, and to the size of ordinary values.
    seed : int
        Key of the representations.
    settings : sequence of mappings, optional
        Parameters with which a class is checked, one mapping per check, such as ``[{"k": 5}, {"k": 20}]``.
    thorough : bool
        Whether to draw more samples, which takes several times as long.

    Raises
    ------
    MeasureCheckError
        With a line for every violation.
    UsageError
        If a parameter does not exist.

    Warns
    -----
    SlowMeasureWarning
        With the seconds of the fastest call.
    """
    made: list[type[Measure] | Measure] = [measure]
    if settings is not None and isinstance(measure, type) and not list(fact_problems(measure)):
        made = [configured(measure, parameters) for parameters in settings]
    reports = [measure_report(one, relative, absolute, seed, thorough=thorough, cost=False) for one in made]
    for report in reports:
        if report.fastest is not None and report.fastest >= SLOW_SECONDS:
            warnings.warn(
                f"{report.measure}: its fastest call takes {report.fastest:.2g} s for {N_SAMPLES} samples of {WIDTH} "
                "features; a run may make thousands of comparisons",
                SlowMeasureWarning,
                stacklevel=2,
            )
    if failed := [report.error for report in reports if report.failed]:
        raise MeasureCheckError("\n".join(failed))


def measure_report(
    measure: type[Measure] | Measure,
    relative: float = 1e-6,
    absolute: float = 1e-6,
    seed: int = 0,
    *,
    thorough: bool = False,
    cost: bool = True,
) -> MeasureReport:
    """Check a measure and return a report, which prints as a page of 80 columns.

    Parameters
    ----------
    measure, relative, absolute, seed, thorough
        As for :func:`check_measure`.
    cost : bool
        Whether to measure how long comparisons take.
    """
    start = time.perf_counter()
    kind = measure if isinstance(measure, type) else type(measure)
    label = str(getattr(kind, "name", kind.__qualname__))
    if problems := list(fact_problems(kind)):
        return MeasureReport(label, tuple(Violation("facts", "facts that exist and fit", text) for text in problems))
    try:
        made = measure() if isinstance(measure, type) else measure
        label = _label(made)
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
        return MeasureReport(label, (Violation("parameters", "an instance with defaults for all", found),))
    case = Case(made, label, relative, absolute, seed, thorough)
    measured = None
    with listening(), generators_put_back(), progress(f"checking {label}", len(CHECKS), PATIENCE_SECONDS) as advance:
        if values.begin(case):
            for check in CHECKS:
                check(case)
                advance()
            measured = costs.measured(case) if cost else None
    return case.report(measured, time.perf_counter() - start)


def _label(measure: Measure) -> str:
    """Return a measure's name, with those parameters that are not the defaults."""
    parameters = measure.parameters()
    defaults = {field.name: field.default for field in dataclasses.fields(measure)}  # type: ignore[arg-type]
    changed = [f"{name}={value!r}" for name, value in parameters.items() if value != defaults.get(name)]
    return f"{measure.name}({', '.join(changed)})" if changed else measure.name
