"""A look before a sweep starts: missing data, models, packages and space are reported once, before a job needs them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resi.console import PATIENCE_SECONDS, progress, say
from resi.domains.given import GivenDomain
from resi.errors import DatasetError, ResiError
from resi.estimates.counting import models_of
from resi.estimates.disk import disk_of
from resi.machine.memory import format_bytes
from resi.pipeline.planner import Planner
from resi.results.summary import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from resi.config.schema import RunConfig
    from resi.pipeline.plan import Plan
    from resi.sweeps.suites import JobWords

SHOWN = 5
SOURCE = "models.source=published"
"""What every error about the file of a published model names."""


@dataclass
class Preflight:
    """What was found.

    Attributes
    ----------
    plans : list of Plan
        Of the jobs that can run, as far as they were looked at.
    blocked : dict from words to ResiError
        The jobs that cannot, and why.
    elsewhere : dict from words to ResiError
        Jobs whose packages are missing here and may be there where they run.
    """

    plans: list[Plan] = field(default_factory=list)
    blocked: dict[JobWords, ResiError] = field(default_factory=dict)
    elsewhere: dict[JobWords, ResiError] = field(default_factory=dict)


def check_jobs(jobs: Sequence[JobWords], configs: Sequence[RunConfig], runs_here: bool) -> dict[JobWords, ResiError]:
    """Return the jobs that cannot run, and tell each cause once.

    Datasets that can be downloaded are downloaded here, before many jobs ask for them at a time. No weights are read.

    Parameters
    ----------
    runs_here : bool
        Whether jobs find the packages that are installed here.

    Raises
    ------
    ResiError
        If none of the jobs can run.
    """
    found = Preflight()
    planner = Planner(reads_weights=False)
    with progress("looking at jobs", len(jobs), after=PATIENCE_SECONDS) as advance:
        for job, config in zip(jobs, configs, strict=True):
            _check_job(job, config, planner, found, runs_here)
            advance()
    causes = _by_cause(found.blocked, configs, jobs)
    if found.blocked and len(found.blocked) == len(jobs):
        kind = max((type(error) for error in found.blocked.values()), key=lambda kind: kind.exit_code)
        if len(causes) == 1:
            raise kind(f"none of the {len(jobs)} jobs can run: {next(iter(causes))}")
        _tell(causes, len(jobs), "cannot run")
        raise kind(f"none of the {len(jobs)} jobs can run, for the reasons above")
    _tell(causes, len(jobs), "cannot run")
    _tell(_by_cause(found.elsewhere, configs, jobs), len(jobs), "may not run where they are started")
    _tell_notices(found.plans)
    _tell_space(found.plans)
    return found.blocked


def _check_job(job: JobWords, config: RunConfig, planner: Planner, found: Preflight, runs_here: bool) -> None:
    try:
        config.domain.check_installed()
    except ResiError as error:
        (found.blocked if runs_here else found.elsewhere)[job] = error
        return
    try:
        if isinstance(config.domain, GivenDomain):  # whose files were looked at when the job was composed
            planner.dataset(config)
        else:
            found.plans.append(planner.plan(config))
    except ResiError as error:
        found.blocked[job] = error


def _by_cause(
    errors: Mapping[JobWords, ResiError], configs: Sequence[RunConfig], jobs: Sequence[JobWords]
) -> dict[str, list[JobWords]]:
    """Return jobs by the reason why they cannot run; missing published models of one dataset are one reason."""
    of_job = dict(zip(jobs, configs, strict=True))
    causes: defaultdict[object, list[JobWords]] = defaultdict(list)
    for job, error in errors.items():
        config = of_job[job]
        is_of_models = isinstance(error, DatasetError) and SOURCE in str(error)
        causes[(config.domain.name, config.dataset) if is_of_models else str(error)].append(job)
    return {_in_words(found, errors, of_job): found for found in causes.values()}


def _in_words(
    jobs: Sequence[JobWords], errors: Mapping[JobWords, ResiError], configs: Mapping[JobWords, RunConfig]
) -> str:
    texts = list(dict.fromkeys(str(errors[job]) for job in jobs))
    if len(texts) == 1:
        return texts[0]
    names = dict.fromkeys(name for job in jobs for name in configs[job].architectures)
    return f"published models of {', '.join(names)} on {configs[jobs[0]].dataset} are missing; the first: {texts[0]}"


def _tell(causes: Mapping[str, Sequence[JobWords]], jobs: int, what: str) -> None:
    for reason, found in list(causes.items())[:SHOWN]:
        say(f"{len(found)} of {jobs} jobs {what}: {reason}")
    if more := sum(len(found) for found in list(causes.values())[SHOWN:]):
        say(f"{more} more jobs {what}; the report at the end has the reasons")


def _tell_notices(plans: Iterable[Plan]) -> None:
    """Say which published models are left out, each once."""
    left_out = dict.fromkeys(str(error) for plan in plans for error in plan.left_out.values())
    for reason in list(left_out)[:SHOWN]:
        say(f"left out: {reason}")
    if len(left_out) > SHOWN:
        say(f"left out: {len(left_out) - SHOWN} more published models")


def _tell_space(plans: Sequence[Plan]) -> None:
    """Warn if the jobs would write more than fits on the disk; shards, which are small, are not counted."""
    for root in dict.fromkeys(plan.config.root for plan in plans):
        of_root = [plan for plan in plans if plan.config.root == root]
        disk = disk_of(models_of(of_root, Stored()), of_root, is_finished=lambda _: True)
        if disk.needed.known > disk.free:
            parts = ", ".join(f"{name} {format_bytes(part.known)}" for name, part in disk.parts.items())
            say(f"{root} has {format_bytes(disk.free)} free, and the jobs will write about {parts}")
