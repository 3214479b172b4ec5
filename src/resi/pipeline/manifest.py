"""What a run records about itself: config, versions, machine, times and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.pipeline.own_measures import describe_own
from resi.pipeline.provenance import describe_environment
from resi.results.manifests import OWN_MEASURES, RUN
from resi.results.outdated import VERSIONS, current_versions
from resi.results.shards import count_statuses

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from resi.pipeline.plan import Plan


def describe_run(plan: Plan, comparisons: pl.DataFrame, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return the manifest of a run, without the hashes of its files."""
    return {
        "kind": RUN,
        "shard": plan.shard.folder.name,
        "test": plan.config.test.name,
        "domain": plan.config.domain.name,
        "dataset": plan.config.dataset,
        "architectures": list(plan.config.architectures),
        "missing_models": sorted(model.label for model in plan.left_out),
        "left_out": {model.label: str(error) for model, error in plan.left_out.items()},
        "measures": list(plan.config.measures),
        **({OWN_MEASURES: own} if (own := describe_own(plan.config.measures)) else {}),
        "protocol": plan.config.protocol.value,
        "config": plan.config.composed,
        "counts": count_statuses(comparisons),
        VERSIONS: current_versions(plan.models[0][0].training_version),
        "devices": sorted(comparisons["device"].drop_nulls().unique()),
        "seconds": {step: round(value, 3) for step, value in seconds.items()},
        **describe_environment(),
    }
