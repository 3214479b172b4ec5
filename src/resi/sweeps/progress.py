"""The progress of the suites of a data root, read from its shards, locks and the records of jobs."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from resi.choices import Stage, Status
from resi.config.many import compose_all
from resi.console.redaction import redact_all
from resi.errors import ResiError, count_of
from resi.pipeline.begun import BegunShards
from resi.pipeline.finished import check_shard
from resi.pipeline.planner import Planner
from resi.results.shards import Shard, is_shard
from resi.results.stored import Scope, read_stored
from resi.store.representations import OUTPUTS
from resi.store.root import Store
from resi.store.tensors import read_metadata
from resi.sweeps import records
from resi.sweeps.jobs import SUITE_FILE
from resi.sweeps.suite_files import load_suite, suite_names
from resi.sweeps.suites import JobWords, expand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from hydra.core.config_loader import ConfigLoader

    from resi.config.schema import RunConfig
    from resi.pipeline.plan import Plan
    from resi.results.summary import Stored

DONE, RUNNING, FAILED, STOPPED, MISSING = "done", "running", "failed", "stopped", "missing"
STATES = (DONE, RUNNING, FAILED, STOPPED, MISSING)


@dataclass(frozen=True)
class State:
    """The progress of a job.

    Attributes
    ----------
    name : str
        One of ``STATES``. ``done``: it has ended and its results are whole, even if the same command would compute
        them again (``compare.overwrite=always``). ``failed``: it has ended with an error, or some of its comparisons
        have failed. ``stopped``: it was begun and no process is at it, or what it has made is damaged.
    reason : str
        Why it failed, or what is damaged.
    """

    name: str
    reason: str = ""


@dataclass
class SuiteProgress:
    """A suite, with the further words it was started with, and the state of each of its jobs.

    Of a suite that cannot be used, ``problem`` says why, and no jobs are known.
    """

    name: str
    words: tuple[str, ...]
    states: dict[JobWords, State] = field(default_factory=dict)
    was_started: bool = False
    problem: str = ""

    def jobs(self, state: str) -> list[JobWords]:
        """Return the jobs in a state."""
        return [job for job, found in self.states.items() if found.name == state]

    @property
    def is_begun(self) -> bool:
        """Whether a sweep over it was started, or the data root holds anything of it."""
        return self.was_started or len(self.jobs(MISSING)) < len(self.states)


def read_progress(loader: ConfigLoader, root: Path, wanted: Callable[[str], bool]) -> list[SuiteProgress]:
    """Return the suites whose name is wanted: each as defined, and as started with further arguments.

    A suite that was started is taken to have the jobs it had then.
    """
    suites = {(name, ()): _as_defined(name, loader) for name in suite_names(loader) if wanted(name)}
    for record in _started(root):
        if wanted(record["suite"]):
            name, words = record["suite"], tuple(record["words"])
            suites[name, words] = SuiteProgress(name, words, _states_to_find(map(tuple, record["jobs"])), True)
    states = find_states({job for suite in suites.values() for job in suite.states}, loader, root)
    for suite in suites.values():
        suite.states = {job: states[job] for job in suite.states}
    return [suites[key] for key in sorted(suites)]


def _as_defined(name: str, loader: ConfigLoader) -> SuiteProgress:
    """Return a suite with all its jobs missing; one that is wrong hides no other."""
    try:
        return SuiteProgress(name, (), _states_to_find(expand((), load_suite(name, loader), loader)))
    except ResiError as error:
        return SuiteProgress(name, (), problem=f"cannot be used: {error}")


def find_states(jobs: Iterable[JobWords], loader: ConfigLoader, root: Path) -> dict[JobWords, State]:
    """Return the state of each job."""
    notes = _notes(root)
    planner = Planner(may_download=False, reads_files=False, reads_weights=False)
    stored = _StoredStatuses(root)
    ordered = sorted(jobs)
    return {
        job: _state(config, planner, stored, notes.get(tuple(redact_all(job))))
        for job, config in zip(ordered, compose_all(ordered, loader), strict=True)
    }


@dataclass
class _StoredStatuses:
    """The status of the comparisons of a data root, read by dataset on first use."""

    root: Path
    _known: dict[Scope, Stored] = field(default_factory=dict)

    @cached_property
    def begun(self) -> BegunShards:
        """The shards that are there or locked."""
        return BegunShards(Store(self.root))

    def state(self, plan: Plan) -> State | None:
        """Return the state of a plan's comparisons, None if some are missing."""
        scope = Scope(*plan.places)
        if scope not in self._known:  # damage makes comparisons missing
            self._known[scope] = read_stored(self.root, lambda _error: None, {scope})
        keys = list({comparison.key for comparison in plan.comparisons})
        made = self._known[scope].made.has(keys)
        if not (made | self._known[scope].failed.has(keys)).all():
            return None
        failed = len(keys) - int(made.sum())
        return State(FAILED, f"{count_of(failed, 'comparison')} failed") if failed else State(DONE)


def _state(
    config: RunConfig | ResiError, planner: Planner, stored: _StoredStatuses, note: dict[str, Any] | None
) -> State:
    if isinstance(config, ResiError):
        return State(FAILED, str(config))
    failed = State(FAILED, str(note["detail"])) if note and note["outcome"] == records.FAILED else None
    try:
        plan = planner.plan(dataclasses.replace(config, root=stored.root))
        return _state_of_plan(plan, stored, failed, note)
    except ResiError as error:  # a dataset that is not there, or a damaged shard
        return failed or (State(FAILED, str(error)) if note else State(MISSING, str(error)))


def _state_of_plan(plan: Plan, stored: _StoredStatuses, failed: State | None, note: dict[str, Any] | None) -> State:
    shard = stored.begun.find(plan)
    if shard is not None and plan.store.is_locked(shard.folder.name):
        return State(RUNNING)
    is_of_others = _is_yet_to_overwrite(plan, note)
    if not is_of_others and (found := _state_of_results(plan, shard, stored, failed)):
        return found
    if failed:
        return failed
    if plan.config.stage in (Stage.models, Stage.representations) and _are_whole(plan):
        return State(DONE)
    is_begun = shard is not None and is_shard(shard.folder) and not is_of_others
    return State(STOPPED if note or is_begun else MISSING)


def _state_of_results(plan: Plan, shard: Shard | None, stored: _StoredStatuses, failed: State | None) -> State | None:
    """Return the state that stored results show: the shard, or for stage=compare the comparisons; None without any."""
    if plan.config.stage.finishes and shard is not None and shard.is_complete:
        return _state_of_shard(plan, shard, failed)
    return stored.state(plan) if plan.config.stage is Stage.compare else None


def _is_yet_to_overwrite(plan: Plan, note: dict[str, Any] | None) -> bool:
    """Return whether a job with ``compare.overwrite=always`` is unfinished: its stored results are of earlier runs."""
    if not plan.config.remade.others or plan.config.stage not in (Stage.compare, Stage.all):
        return False
    return note is None or note["outcome"] in (records.STARTED, records.FAILED)


def _are_whole(plan: Plan) -> bool:
    """Return whether all that a run up to models or representations makes is there, and nothing of it is cut off."""
    if plan.config.stage is Stage.models:
        paths = [plan.model_store.path(model) for model, _ in plan.models]
    else:
        layers = [(model, probe, layer) for model, probe in plan.models for layer in (*probe.layers, OUTPUTS)]
        paths = [plan.representation_store.path(*layer) for layer in layers]
    try:
        for path in paths:
            read_metadata(path)
    except ResiError:
        return False
    return True


def _state_of_shard(plan: Plan, shard: Shard, failed: State | None) -> State:
    try:
        count = check_shard(plan, shard).get("counts", {}).get(Status.failed, 0)
    except ResiError as error:  # the same job makes it again
        return failed or State(STOPPED, str(error))
    return State(FAILED, f"{count_of(count, 'comparison')} failed, see {shard.folder}") if count else State(DONE)


def _started(root: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of sweeps over suites, oldest first."""
    for path in sorted(Store(root).sweeps.glob(f"*/{SUITE_FILE}"), key=_written):
        record = _read(path)
        if record and {"suite", "words", "jobs"} <= set(record):
            yield record


def _notes(root: Path) -> dict[JobWords, dict[str, Any]]:
    """Return what the latest run of each job of a sweep has noted, or of one that could not, what its launcher has."""
    found = [path for name in (records.START_FILE, records.JOB_FILE) for path in Store(root).sweeps.glob(f"*/*/{name}")]
    notes, lost = {}, {}
    for path in sorted(found, key=_written):
        record, sweep = _read(path), path.parent.parent
        if record is None or not {"words", "outcome", "detail"} <= set(record):
            continue
        if record["outcome"] == records.STARTED:
            if sweep not in lost:
                lost[sweep] = records.lost_jobs(sweep)
            if reason := lost[sweep].get(record.get("number", -1)):
                record |= {"outcome": records.FAILED, "detail": reason}
        notes[tuple(record["words"])] = record
    return notes


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _read(path: Path) -> dict[str, Any] | None:
    """Return a note, or None for one that is not a JSON object; it only describes a job."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _states_to_find(jobs: Iterable[JobWords]) -> dict[JobWords, State]:
    return dict.fromkeys(jobs, State(MISSING))
