"""Disk space of runs: what they write below the data root, and what is free there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

from resi.choices import Stage
from resi.estimates.work import Amount, Masks, count_pairs
from resi.store.space import existing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from resi.estimates.fetching import Needed
    from resi.estimates.work import Work
    from resi.pipeline.plan import Plan

SHARD_BYTES = 25_000
"""About, of a shard's manifest, its scores, and what its tables say of themselves; see ``benchmarks/plans.py``."""
ROW_BYTES = 45
"""About, of a comparison in a shard, most of it its key, which hardly compresses."""
DOWNLOADED = "downloads"


class Disk(NamedTuple):
    """Bytes that runs write, by what they are, and what is free where they are written.

    Attributes
    ----------
    parts : dict from str to Amount
    free : int
    root : Path
        The data root.
    """

    parts: dict[str, Amount]
    free: int
    root: Path

    @property
    def needed(self) -> Amount:
        """All together."""
        found = Amount()
        for part in self.parts.values():
            found = found.with_all(part)
        return found


def disk_of(
    works: Sequence[Work], plans: Sequence[Plan], is_finished: Callable[[Plan], bool], fetched: Iterable[Needed] = ()
) -> Disk:
    """Return what runs that are not finished write.

    Published models stay in their files, so that only what is kept beside them counts. States of unfinished trainings
    do not count.

    Parameters
    ----------
    fetched : iterable of Needed
        What has to be fetched: what goes to the data root counts, without archives, which are deleted once unpacked.
    """
    stages = {plan.config.stage for plan in plans}
    parts = {"models": Amount(), "representations": Amount(), "shards": Amount(), "decoded images": _decoded(plans)}
    if any(plan.given is None for plan in plans) and not stages <= {Stage.compare, Stage.score}:
        for work in works:
            parts["models"] = parts["models"].with_all(work.weights)
            if not stages <= {Stage.models}:
                for size in work.layers.values():
                    parts["representations"] = parts["representations"].plus(size)
    for plan in plans:
        if plan.config.stage.finishes and not is_finished(plan):
            parts["shards"] = parts["shards"].plus(SHARD_BYTES + ROW_BYTES * count_rows(plan))
    for item in fetched:
        if item.is_below_root:
            parts[DOWNLOADED] = parts.get(DOWNLOADED, Amount()).plus(item.size)
    root = plans[0].config.root
    return Disk({name: part for name, part in parts.items() if any(part)}, free_bytes(root), root)


def count_rows(plan: Plan) -> int:
    """Return how many comparisons a run's shard holds, without making a list of them."""
    measures = plan.config.measures.values()
    symmetric = sum(measure.symmetric for measure in measures)
    # As many bits as there are measures.
    masks = Masks((1 << symmetric) - 1, (1 << (len(measures) - symmetric)) - 1)
    rows = 0
    for experiment in plan.experiments:
        rows += len(plan.config.nulls) * sum(count_pairs(len(experiment.items), masks))
        rows += sum(count_pairs(len(experiment.items), Masks((1 << len(experiment.functional)) - 1, 0)))
    return rows


def free_bytes(folder: Path) -> int:
    """Return what is free in a folder, or where it would be made."""
    return shutil.disk_usage(existing(folder.absolute())).free


def _decoded(plans: Iterable[Plan]) -> Amount:
    """Return what decoded images take that are not kept yet (``dataset.cache=true``)."""
    found = Amount()
    for plan in _one_of_each(plan for plan in plans if plan.dataset.cache is not None and plan.absent is None):
        trained, run = plan.missing_models(), plan.missing_representations()
        sizes = plan.config.domain.cache_bytes(plan.dataset, trained, run) if trained or run else None
        if sizes is not None:
            found = found.plus(sizes[0] - sizes[1])
    return found


def _one_of_each(plans: Iterable[Plan]) -> list[Plan]:
    """Return for each dataset the plan with most models: the sizes of its images are those of other plans, too."""
    chosen: dict[tuple[str, str], Plan] = {}
    for plan in plans:
        key = plan.config.domain.name, plan.dataset.content
        if key not in chosen or len(plan.models) > len(chosen[key].models):
            chosen[key] = plan
    return list(chosen.values())
