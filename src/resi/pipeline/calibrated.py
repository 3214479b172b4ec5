"""The rows of calibrated values: how far above chance a comparison of a run is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.choices import Status

if TYPE_CHECKING:
    from resi.engine.outcomes import Outcome


def calibrated_result(outcome: Outcome) -> dict[str, Any]:
    """Return the cells of a row whose ``value`` is the calibrated one.

    It is undefined where the measure's own value is, and where chance alone reaches the best value or none is known.
    """
    chance = outcome.chance
    cells = {
        "value": None if chance is None else chance.calibrated,
        "status": outcome.status,
        "error": outcome.error,
        "note": outcome.note,
        "seconds": outcome.seconds + (0.0 if chance is None else chance.seconds),
        "prepare_seconds": outcome.prepare_seconds,
        "raw": outcome.value,
    }
    if outcome.status != Status.ok:
        return cells
    if chance is None:
        return cells | {"status": Status.failed, "error": outcome.note, "note": ""}
    if chance.calibrated is None:
        cells |= {"status": Status.undefined, "error": chance.missing or outcome.note}
    return cells | {"null_mean": chance.mean, "null_95": chance.quantile, "p_value": chance.p_value}
