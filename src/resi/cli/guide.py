"""What a run says beside its results: what it is about to do, and what its user may type next."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from resi.choices import Stage
from resi.console import say, time_taken

if TYPE_CHECKING:
    from pathlib import Path

    from resi.pipeline.plan import Plan
    from resi.pipeline.run import RunResult
    from resi.specs import ModelSpec

TRAINS = (Stage.models, Stage.representations, Stage.all)
SHORT_SECONDS = 10
"""Of less, most is loading libraries, which is not known."""


def say_default() -> None:
    """Say what ``resi`` alone does, which a newcomer may type to see what it is."""
    say("no arguments: this is the default run, domain=graph test=augmentation; resi --help shows what else there is")


def say_work(plan: Plan) -> None:
    """Say how many models a run is going to make and about how long that takes, before libraries are loaded for it.

    Nothing is said of a run whose models are there: it compares at once.
    """
    from resi.errors import count_of
    from resi.machine.devices import resolve_device

    config = plan.config
    missing = plan.missing_models() if config.stage in TRAINS else []
    if not missing or plan.absent is not None:  # the dataset is not there, which ends the run
        return
    if config.device.startswith("cuda"):
        resolve_device(config.device)  # what this machine does not have is said instead
    if config.models.root is None:
        first = f"{count_of(len(missing), 'model')} to train{_about(plan, missing)}"
    else:
        first = f"{count_of(len(missing), 'published model')} to read"
    compares = config.stage is Stage.all
    then = f", then {count_of(len(plan.comparisons), 'comparison')}" if compares else ""
    say(f"{first}{then}; kept in {config.root}. If stopped, the same command continues")


def _about(plan: Plan, missing: list[ModelSpec]) -> str:
    """Return in words how long training takes, by the rates that come with resi, as far as they are known."""
    from resi.estimates.rates import CPU, Rates
    from resi.pipeline.schedule import makespan
    from resi.pipeline.share import may_be_on_gpu, most_workers

    config = plan.config
    if may_be_on_gpu(config.device, os.environ):
        return ""  # rates are those of a CPU
    found = {model: Rates(device=CPU).training(model) for model in missing}
    if None in found.values():
        return ""
    seconds = {model: estimate.seconds for model, estimate in found.items() if estimate is not None}
    shared = [each for model, each in seconds.items() if config.domain.is_small(model)]
    workers = max(1, min(len(shared), most_workers(config, os.environ, on_gpu=False)))
    total = makespan(shared, workers) + sum(seconds.values()) - sum(shared)
    if total < SHORT_SECONDS:
        return ""
    return f" (about {time_taken(total)}{f' on {workers} workers' if workers > 1 else ''})"


def say_next(result: RunResult) -> None:
    """Say which commands show more of a run that has scores."""
    if not result.scores.height:
        return
    root = result.shard.parent.parent
    where = _words_for(root)
    name = [result.shard.name, "--root", *where] if where else [result.shard.name]
    page = " ".join(["resi report", *where])
    say(f"next: {page} makes a page of all runs; resi show {' '.join(name)} has all of this one")


def _words_for(root: Path) -> list[str]:
    """Return what names a data root on a command line: nothing for the usual one."""
    from resi.store.root import default_root

    return [] if root.absolute() == default_root() else [shlex.quote(str(root))]
