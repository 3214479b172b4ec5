"""One value for two models, such as that of their most similar layers, and its value under chance."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, SupportsFloat

import numpy as np
import polars as pl

from resi.api.measuring import choose
from resi.api.pairs import How, outcomes_by_pair, read_sets
from resi.api.permutations import null_of
from resi.choices import Status
from resi.engine.chance import TIE_SINGLE, stands_out
from resi.errors import UsageError
from resi.machine.devices import plain_arithmetic
from resi.results.schema import AGGREGATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from resi.api.aligning import Align
    from resi.api.measuring import Measures
    from resi.api.pairs import Outcomes
    from resi.api.permutations import Blocks
    from resi.engine.chance import Null

KNOWN = ("max", "mean")


def calibrate(  # noqa: PLR0913 - all but the first two are options
    A: Any,
    B: Any,
    measures: Measures = "cka",
    *,
    aggregate: str | Callable[[Any], float] = "max",
    null: int | Null = 200,
    blocks: Blocks | None = None,
    memory: str | int = "auto",
    threads: int | None = None,
    samples: int | None = None,
    align: Align = False,
) -> pl.DataFrame:
    """Compare each layer of one model with each layer of another, and return one calibrated value for both models.

    The value of the most similar layers grows with the number of layers, for any data. Here the samples of all layers
    of ``B`` are permuted together and the aggregate is computed again for each permutation, so the threshold and the
    p-value are those of the aggregate.

    Parameters
    ----------
    A, B : mapping from layer to array, collection or path
        As for :func:`resi.pairwise`.
    measures
        As for :func:`resi.pairwise`.
    aggregate : {"max", "mean"} or callable
        ``max`` takes the most similar pair of layers (for a distance, the pair with the smallest value); ``mean`` takes
        the mean of all pairs. A function gets an array of shape (layers of A, layers of B) and returns a number with
        the same direction as the measure; its best possible value is what it returns if all pairs have the best value.
    null, blocks, memory, threads, samples, align
        As for :func:`resi.pairwise`.

    Returns
    -------
    polars.DataFrame
        One row per measure, columns ``measure, aggregate, value, source, target, pairs, null_mean, null_95, p_value,
        calibrated, seconds, status, error, note, larger_is_more_similar``; ``source`` and ``target`` are the most
        similar layers, ``pairs`` is the number of pairs. If any pair has no value, the aggregate has none.

    Raises
    ------
    UsageError
        If an argument is unknown or invalid, or ``aggregate`` does not return a finite number.
    ShapeError
        If ids of samples differ.

    References
    ----------
    .. [1] Gröger, Wen and Brbić, ICML 2026.

    Examples
    --------
    >>> import numpy as np
    >>> draws = np.random.default_rng(0).normal(size=(5, 50, 8))
    >>> found = calibrate({"a": draws[0], "b": draws[1]}, {"c": draws[2], "d": draws[1] + draws[3]}, null=99)
    >>> found.select("source", "target", "pairs", "p_value").row(0)
    ('b', 'd', 4, 0.01)
    """
    if not callable(aggregate) and aggregate not in KNOWN:
        raise UsageError(f"calibrate: aggregate={aggregate!r}: expected 'max', 'mean' or a function of an array")
    chosen = choose(measures)
    with plain_arithmetic():
        sets = read_sets([A, B], None, align, function="calibrate")
        if not all(sets):
            raise UsageError("calibrate: both models need at least one layer")
        permutations = null_of("calibrate", null, blocks, [entry for one in sets for entry in one], samples)
        if permutations is None:
            raise UsageError("calibrate: null=None: expected the number of permutations, such as 200")
        how = How(memory, threads, samples, False, dataclasses.replace(permutations, keep=True))
        found = outcomes_by_pair(sets, chosen, how)
        shape = len(sets[0]), len(sets[1])
        rows = [
            _row(name, known, [one for one in found if one.task.measure == name], shape, aggregate)
            for name, known in chosen.larger_is_more_similar.items()
        ]
    return pl.DataFrame(rows, schema=AGGREGATES, orient="row")


def _row(
    measure: str, larger: bool | None, found: list[Outcomes], shape: tuple[int, int], aggregate: Any
) -> dict[str, Any]:
    """Return the row of one measure from the outcomes of all pairs, layer by layer of A."""
    label = aggregate if isinstance(aggregate, str) else str(getattr(aggregate, "__name__", "function"))
    outcomes = [one.outcome for one in found if one.outcome is not None]
    row: dict[str, Any] = dict.fromkeys(AGGREGATES) | {
        "measure": measure,
        "aggregate": label,
        "pairs": len(found),
        "seconds": sum(o.seconds + o.prepare_seconds + (o.chance.seconds if o.chance else 0.0) for o in outcomes),
        "status": str(Status.failed),
        "error": "",
        "note": "",
        "larger_is_more_similar": larger,
    }
    row["error"] = _missing(found, larger, aggregate)
    if row["error"]:
        return row
    chances = [outcome.chance for outcome in outcomes if outcome.chance is not None]
    values = np.array([outcome.value for outcome in outcomes], dtype=np.float64).reshape(shape)
    permuted = np.array([chance.values for chance in chances]).T.reshape(-1, *shape)
    combine = aggregate if callable(aggregate) else _combined(aggregate, larger)
    value = _number(label, combine(values))
    drawn = [_number(label, combine(one)) for one in permuted]
    bests = [chance.best for chance in chances]
    best = None if None in bests else _number(label, combine(np.array(bests, dtype=np.float64).reshape(shape)))
    chance = stands_out(value, drawn, larger_is_more_similar=larger, best=best, tie=TIE_SINGLE)
    if aggregate == "max":
        most = found[int(values.argmax() if larger else values.argmin())]
        row |= {"source": most.source.name, "target": most.target.name}
    return row | {
        "value": value,
        "null_mean": chance.mean,
        "null_95": chance.quantile,
        "p_value": chance.p_value,
        "calibrated": chance.calibrated,
        "status": str(Status.ok),
        "note": "; ".join(filter(None, dict.fromkeys([*(outcome.note for outcome in outcomes), chance.missing]))),
    }


def _number(aggregate: str, found: Any) -> float:
    """Return the result of an aggregate function, checked to be a finite number."""
    if np.ndim(found) == 0 and isinstance(found, SupportsFloat) and math.isfinite(found):
        return float(found)
    what = repr(found) if np.ndim(found) == 0 else f"an array of shape {np.shape(found)}"
    raise UsageError(f"calibrate: aggregate={aggregate} returned {what}; expected a finite number")


def _missing(found: list[Outcomes], larger: bool | None, aggregate: Any) -> str:
    """Return why there is no aggregate; empty if there is one."""
    if aggregate == "max" and larger is None:
        return (
            "the function does not say whether larger values mean more similar, so the most similar pair of layers "
            "is unknown; state it with resi.as_measure"
        )
    without = [one for one in found if one.outcome is None or one.outcome.chance is None]
    if not without:
        return ""
    first = without[0]
    why = first.refused if first.outcome is None else first.outcome.error or first.outcome.note
    example = f"{first.source.name} and {first.target.name}: {why}"
    return f"{len(without)} of {len(found)} pairs of layers have no value or no chance, such as {example}"


def _combined(name: str, larger: bool | None) -> Callable[[Any], float]:
    if name == "mean":
        return np.mean
    return np.max if larger else np.min
