"""The six steps of a run: compose, plan, models, representations, compare, score.

Each step is a function that can be called alone from Python.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from resi.choices import Overwrite, Stage, Status
from resi.console import say
from resi.errors import ArtifactError, StoreError
from resi.pipeline.begun import note_shard
from resi.pipeline.compare import compare_representations
from resi.pipeline.decoded import decoded
from resi.pipeline.finished import OtherRunError, check_shard, is_scored_by_an_earlier_version, with_new_scores
from resi.pipeline.manifest import describe_run
from resi.pipeline.planner import make_plan
from resi.pipeline.prepare import Preparation
from resi.pipeline.score import score_measures
from resi.results.remote import RemoteFolder
from resi.results.schema import COMPARISONS, SCORES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from resi.config.schema import RunConfig
    from resi.pipeline.plan import Plan
    from resi.specs import ModelSpec


@dataclass(frozen=True)
class RunResult:
    """The results of a run.

    Attributes
    ----------
    scores, comparisons : polars.DataFrame
        The tables, empty where ``stage`` ended before them.
    shard : Path
        The folder they were written to.
    reused : bool
        Whether the run was already finished, so that its stored tables were read.
    missing : tuple of str
        Published models that were left out because their files are not there.
    plan : Plan or None
        What the run was, with its models and where they lie.
    """

    scores: pl.DataFrame
    comparisons: pl.DataFrame
    shard: Path
    reused: bool
    missing: tuple[str, ...] = ()
    plan: Plan | None = field(default=None, repr=False, compare=False)

    def count(self, status: str) -> int:
        """Return the number of comparisons with a status."""
        return self.comparisons.filter(pl.col("status") == status).height

    @property
    def noted(self) -> int:
        """The number of comparisons with a note: their values are barely informative."""
        return self.comparisons.filter(pl.col("note") != "").height


def run_config(config: RunConfig, announce: Callable[[Plan], None] | None = None) -> RunResult:
    """Run a validated config up to its stage; stored work is reused.

    A finished run is read from its shard, without loading a model or torch. Published models that turn out to be of no
    use when they are read are left out, and the run is planned again without them.

    Parameters
    ----------
    announce : callable, optional
        Called with the plan before its work begins; not of a finished run.
    """
    said: set[str] = set()
    unread: set[str] = set()
    while True:
        plan = make_plan(config)
        for notice in plan.notices():
            if notice not in said:
                say(notice)
            said.add(notice)
        try:
            return _run_plan(plan, announce)
        except UnreadError as error:
            if unread.issuperset(error.models):
                raise
            unread |= error.models
            announce = None


def _run_plan(plan: Plan, announce: Callable[[Plan], None] | None) -> RunResult:
    config = plan.config
    elsewhere = RemoteFolder(config.shards) if config.shards else None
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(plan.store.lock(plan.shard.folder.name, "is doing the same run"))
        except StoreError:
            if result := _finished(plan, may_write=False):  # in a data root that can only be read
                return result
            raise
        note_shard(plan)
        if elsewhere and not plan.shard.is_complete:
            elsewhere.fetch(plan.shard.folder)
        result = _finished(plan, may_write=True)
        if result is None:
            if announce is not None:
                announce(plan)
            result = _run_mending(plan)
        if elsewhere and plan.shard.is_complete:
            elsewhere.store(plan.shard.folder)
        return result


def _run_mending(plan: Plan) -> RunResult:
    """Run the stages; a damaged artifact that comes up is set aside once, and the stages recompute it."""
    replaced: set[Path] = set()
    while True:
        try:
            return _run_stages(plan)
        except ArtifactError as error:
            path = error.path
            if path is None or path in replaced or not plan.store.makes(path):
                raise
            replaced.add(path)
            plan.store.set_aside(path, error.state)
            say(f"{error.message} It is set aside and recomputed.")


def _run_stages(plan: Plan) -> RunResult:
    stage, clock = plan.config.stage, Clock()
    scores, comparisons = pl.DataFrame(schema=SCORES), pl.DataFrame(schema=COMPARISONS)
    if stage in (Stage.models, Stage.representations, Stage.all):
        _prepare(plan, clock)
    if stage in (Stage.compare, Stage.score, Stage.all):
        with clock("compare"):
            comparisons = compare_representations(plan)
    if stage.finishes:
        with clock("score"):
            scores = score_measures(plan, comparisons)
        plan.shard.finish(comparisons, scores, describe_run(plan, comparisons, clock.seconds))
    return RunResult(scores, comparisons, plan.shard.folder, reused=False, missing=_missing(plan), plan=plan)


def _prepare(plan: Plan, clock: Clock) -> None:
    if line := decoded(plan):
        say(line)
    extracts = plan.config.stage is not Stage.models
    with Preparation(plan, extracts).running() as preparation:
        with clock("models"):
            preparation.train_models()
        _check_read(plan)
        if extracts:
            with clock("representations"):
                preparation.extract_representations()


class UnreadError(ArtifactError):
    """Published models that could not be read, each of which has been noted.

    Attributes
    ----------
    models : frozenset of str
        Their fingerprints.
    """

    def __init__(self, models: Sequence[ModelSpec]) -> None:
        super().__init__(f"{models[0].label} cannot be read, nor can {len(models) - 1} further published models")
        self.models = frozenset(model.fingerprint for model in models)


def _check_read(plan: Plan) -> None:
    if unread := [model for model, _ in plan.models if model.checkpoint and not plan.has_model(model)]:
        raise UnreadError(unread)


def _missing(plan: Plan) -> tuple[str, ...]:
    return tuple(model.label for model in plan.left_out)


def _finished(plan: Plan, may_write: bool) -> RunResult | None:
    """Return the stored result of an earlier run, if the config asks for nothing else.

    Scores of an earlier version are computed again from the stored comparisons. A damaged shard is as good as none; the
    step that reads stored comparisons says so.
    """
    if not plan.shard.is_complete or not plan.config.stage.finishes:
        return None
    if plan.config.compare.overwrite is Overwrite.always:
        return None
    try:
        manifest = check_shard(plan)
        if plan.config.remade.failed and manifest.get("counts", {}).get(Status.failed) != 0:
            return None
        scores, comparisons = plan.shard.scores(), plan.shard.comparisons()
        if set(comparisons["key"]) != {comparison.key for comparison in plan.comparisons}:
            raise OtherRunError(f"{plan.shard.folder} holds the results of another run.")
    except OtherRunError as error:
        say(f"computed again: {error.message}")
        return None
    except ArtifactError:
        return None
    if is_scored_by_an_earlier_version(manifest):
        scores = score_measures(plan, comparisons)
        say("scores of an earlier version are computed again from the stored comparisons")
        if may_write:
            plan.shard.finish(comparisons, scores, with_new_scores(manifest))
    return RunResult(scores, comparisons, plan.shard.folder, reused=True, missing=_missing(plan), plan=plan)


class Clock:
    """Wall times of the steps of a run, by name, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        """Time one step."""
        start = time.perf_counter()
        yield
        self.seconds[step] = time.perf_counter() - start
