"""A plan in numbers: steps with their times, the cost of each run, disk, memory, and downloads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.estimates.counting import total_work
from resi.estimates.disk import Disk, disk_of
from resi.estimates.fetching import Needed, needed
from resi.estimates.rates import CPU, DEVICES, GPU
from resi.estimates.times import JobEstimate, JobTimes, Seconds, Times, times_by_device
from resi.pipeline.share import may_be_on_gpu, most_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from resi.errors import ResiError
    from resi.estimates.work import Amount, Total
    from resi.pipeline.plan import Plan

TRAIN, READ, EXTRACT, COMPARE = "train models", "read published models", "extract representations", "compare"


class Step(NamedTuple):
    """A step of a plan: how much there is, how much is left, and the estimated seconds of that.

    Attributes
    ----------
    workers : int
        Processes that share it, and ``on_workers`` the seconds that it takes then.
    """

    name: str
    number: int
    left: int
    seconds: Amount
    workers: int = 1
    on_workers: float = 0.0


@dataclass(frozen=True)
class Summary:
    """Total work of several runs in one data root, and the work of each.

    Attributes
    ----------
    finished : list of bool
        For each run, whether its shard is there and whole.
    times : dict from device to Times
    seconds : dict from device to Seconds
        Of all work that is left.
    jobs : list of JobEstimate
        For each run.
    memory : int
        Bytes that the most demanding comparison takes.
    """

    plans: Sequence[Plan]
    finished: Sequence[bool]
    total: Total
    times: dict[str, Times]
    seconds: dict[str, Seconds]
    jobs: list[JobEstimate]
    memory: int
    disk: Disk
    needed: list[Needed]

    @property
    def device(self) -> str:
        """The device whose times are shown: a GPU's where a run may use one and its rates are known."""
        is_on_gpu = any(job.device == GPU for job in self.jobs)
        return GPU if is_on_gpu and self.times[GPU].rates.is_known else CPU

    @property
    def unread(self) -> frozenset[Path]:
        """Files of published models or given representations that no run in this data root has read."""
        return frozenset().union(*(plan.unread for plan in self.plans))

    def steps(self) -> list[Step]:
        """Return the steps with their times on :attr:`device`."""
        works, seconds = self.total.works, self.seconds[self.device]
        compared = sum(work.comparisons.total() for work in works), sum(work.left.total() for work in works)
        compare = Step(COMPARE, *compared, seconds.compare)
        if all(plan.given is not None for plan in self.plans):
            return [compare]  # nothing is trained or run
        published = all(plan.config.models.root is not None for plan in self.plans)
        trained = sum(len(work.models) for work in works), sum(len(work.models_left) for work in works)
        extracted = sum(len(work.extractions) for work in works), sum(work.extractions_left for work in works)
        workers = self._workers()
        sharing = workers, self.times[self.device].training_on(workers)
        return [
            Step(READ if published else TRAIN, *trained, seconds.train, *sharing),
            Step(EXTRACT, *extracted, seconds.extract),
            compare,
        ]

    def _workers(self) -> int:
        """Return on how many workers the small models that are left are trained."""
        left = sum(model in work.small for work in self.total.works for model in work.models_left)
        config = self.plans[0].config
        most = most_workers(config, os.environ, may_be_on_gpu(config.device, os.environ))
        return max(1, min(left, most))


def summarize(plans: Sequence[Plan], finished: Sequence[bool], on_damage: Callable[[ResiError], None]) -> Summary:
    """Sum up plans.

    Parameters
    ----------
    finished : sequence of bool
        For each plan, whether its shard is there and whole.
    on_damage : callable
        Called with the error for each table that cannot be read; it is left out.
    """
    done = {id(plan) for plan, is_done in zip(plans, finished, strict=True) if is_done}

    def is_finished(plan: Plan) -> bool:
        return id(plan) in done

    total = total_work(plans, on_damage)
    times = times_by_device(total, plans[0])
    jobs = JobTimes(total, times)
    to_fetch = needed(plans, total.works)
    return Summary(
        plans,
        finished,
        total,
        times,
        {device: times[device].everything() for device in DEVICES},
        jobs.all(plans, is_finished),
        jobs.memory(),
        disk_of(total.works, plans, is_finished, to_fetch),
        to_fetch,
    )


def longest(jobs: Sequence[JobEstimate], labels: Sequence[str]) -> tuple[str, JobEstimate] | None:
    """Return the run that takes longest, as far as that is known; None if none has anything to do."""
    left = [(label, job) for label, job in zip(labels, jobs, strict=True) if any(job.seconds.all)]
    return max(left, key=lambda item: item[1].seconds.all, default=None)
