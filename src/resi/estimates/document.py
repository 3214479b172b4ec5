"""A plan as JSON, see ``docs/plan.schema.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.estimates.rates import shipped_machine
from resi.estimates.summary import longest
from resi.machine.memory import memory_budget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.estimates.summary import Step, Summary
    from resi.estimates.times import JobEstimate, Seconds
    from resi.estimates.work import Amount


def document(summary: Summary, labels: Sequence[str]) -> dict[str, Any]:
    """Return the totals of a plan; times are estimates in seconds, sizes in bytes.

    Parameters
    ----------
    labels : sequence of str
        The words of each run.
    """
    plans = summary.plans
    by_measure = summary.times[summary.device].by_measure()
    return {
        "steps": [_step(step) for step in summary.steps()],
        "time": {device: _seconds(seconds) for device, seconds in summary.seconds.items()},
        "rates": {device: shipped_machine(device) or None for device in summary.seconds},
        "measures": {
            name: {"seconds": seconds, "measured here": is_here} for name, (seconds, is_here) in by_measure.items()
        },
        "memory": {
            "least": summary.memory,
            "most": max(memory_budget(size) for size in {plan.config.compare.memory_bytes for plan in plans}),
        },
        "disk": {
            "root": str(summary.disk.root),
            "free": summary.disk.free,
            "needed": _bytes(summary.disk.needed),
            **{name: _bytes(part) for name, part in summary.disk.parts.items()},
        },
        "download": [
            {"what": item.what, "by": item.by, "bytes": item.size, "how": item.how} for item in summary.needed
        ],
        "not read yet": len(summary.unread),
        "longest job": _job(*found) if (found := longest(summary.jobs, labels)) else None,
        "by job": [_job(label, job) for label, job in zip(labels, summary.jobs, strict=True)],
    }


def _step(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {"step": step.name, "all": step.number, "to do": step.left, **_known(step.seconds)}
    if step.workers > 1:
        found |= {"workers": step.workers, "seconds on workers": step.on_workers}
    return found


def _job(label: str, job: JobEstimate) -> dict[str, Any]:
    return {"job": label, "device": job.device, "memory": job.memory, **_seconds(job.seconds)}


def _seconds(seconds: Seconds) -> dict[str, Any]:
    steps = {name: _known(getattr(seconds, name)) for name in seconds._fields}
    return {**_known(seconds.all), **steps}


def _known(amount: Amount) -> dict[str, Any]:
    return {"seconds": round(amount.known, 6), "unknown": amount.unknown}


def _bytes(amount: Amount) -> dict[str, Any]:
    return {"bytes": int(amount.known), "unknown": amount.unknown}
