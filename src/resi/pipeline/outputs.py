"""Comparisons of models' predictions: separate rows of the table, so that it can be scored by itself."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from resi import __version__
from resi.choices import OnError, Status
from resi.errors import ArtifactError
from resi.measures.functional import FUNCTIONAL, FUNCTIONAL_VERSION
from resi.pipeline.keys import NO_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from resi.groundings.base import Experiment
    from resi.pipeline.plan import Comparison, Plan

    Row = dict[str, Any]
    Outputs = tuple[Tensor | None, float | None]


def compare_outputs(plan: Plan, comparisons: Sequence[Comparison]) -> Iterator[Row]:
    """Yield one row for each comparison of outputs: over the whole probe set, ignoring ``compare.subsample``."""
    for number, experiment in enumerate(plan.experiments):

        @functools.cache
        def outputs(item: int, experiment: Experiment = experiment) -> Outputs:
            logits, about = plan.representations.outputs(experiment.items[item].model, experiment.probe)
            return logits, about.get("accuracy")

        for comparison in comparisons:
            if comparison.experiment == number:
                source, target = outputs(comparison.source), outputs(comparison.target)
                yield {
                    **plan.compared(comparison),
                    **_result(comparison.measure, source, target, plan.config.on_error),
                    "measure": comparison.measure,
                    "measure_version": FUNCTIONAL_VERSION,
                    "parameters": NO_PARAMETERS,
                    "device": "cpu",
                    "key": comparison.key,
                    "pair": plan.pair(comparison),
                    "resi_version": __version__,
                }


def _result(name: str, source: Outputs, target: Outputs, on_error: OnError) -> Row:
    start = time.perf_counter()
    # Logits and accuracy, of which a function takes one.
    which = 1 if name == "accuracy_difference" else 0
    try:
        value: float | None = FUNCTIONAL[name](source[which], target[which])
        status, error = Status.ok, ""
    except Exception as failure:
        if on_error is OnError.raise_ or isinstance(failure, ArtifactError):
            raise
        value, status, error = None, Status.failed, f"{type(failure).__name__}: {failure}"
    return {
        "value": value,
        "status": status,
        "error": error,
        "note": "",
        "seconds": time.perf_counter() - start,
        "prepare_seconds": 0.0,
        "shape_a": _shape(source),
        "shape_b": _shape(target),
    }


def _shape(outputs: Outputs) -> str:
    """Return the shape of the logits; empty where the accuracy alone is known."""
    return "" if outputs[0] is None else "x".join(map(str, outputs[0].shape))
