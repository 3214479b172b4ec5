"""The decoded images that ``dataset.cache=true`` keeps: the message of a plan, and of a run before it reads images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.machine.memory import format_bytes

if TYPE_CHECKING:
    from resi.pipeline.plan import Plan


def decoded(plan: Plan) -> str:
    """Return the message about decoded images; empty without ``dataset.cache=true``, or with nothing left to read."""
    if plan.dataset.cache is None or plan.absent is not None:
        return ""
    trained = [model for model in plan.missing_models() if model.dataset == plan.dataset.name]
    run = plan.missing_representations()
    if not (trained or run):
        return ""
    found = plan.config.domain.cache_bytes(plan.dataset, trained, run)
    if found is None:
        return f"dataset.cache=true keeps nothing: dataset={plan.dataset.name} has no image files to decode"
    total, there = map(format_bytes, found)
    return f"decoded images (dataset.cache): about {total} in {plan.dataset.cache}, {there} of it made"
