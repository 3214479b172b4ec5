"""Every comparison of a plan: found in the store or computed, one row each."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

from resi import __version__
from resi.choices import Stage, Status
from resi.console import progress, say
from resi.engine.execution import Engine, Outcome
from resi.engine.isolation import IsolatedEngine
from resi.engine.tiles import Task
from resi.errors import UsageError
from resi.machine.devices import plain_arithmetic, resolve_device
from resi.pipeline.keys import measure_code, parameters
from resi.pipeline.outputs import compare_outputs
from resi.pipeline.own_measures import provider_of
from resi.representation import subsample
from resi.results.schema import COMPARISON_ORDER, COMPARISONS
from resi.results.stored import Scope, find_comparisons
from resi.results.tables import TableBuilder
from resi.store.known_files import KnownFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl
    import torch

    from resi.errors import ResiError
    from resi.groundings.base import Experiment
    from resi.measures.base import Measure
    from resi.measures.shapes import Sampling
    from resi.pipeline.plan import Comparison, Plan
    from resi.representation import Representation

    Row = dict[str, Any]


def compare_representations(plan: Plan) -> pl.DataFrame:
    """Return the table of all comparisons of a plan; stored ones are not computed again.

    Whatever ends the run, comparisons made so far are kept in its shard.
    """
    stored = stored_comparisons(plan, lambda error: say(f"left out: {error}"))
    # What an earlier version has stored may lack columns that the plan knows.
    known = [plan.scope(experiment) for experiment in plan.experiments]
    rows, missing = TableBuilder(COMPARISONS), []
    for comparison in plan.comparisons:
        row = stored.get(comparison.key)
        if row is None:
            missing.append(comparison)
        else:
            named = {"measure": comparison.measure, "pair": plan.pair(comparison)}
            rows.add({**row, **known[comparison.experiment], **named})
    del stored
    if missing:
        _check_ready(plan, len(missing))
        _tell_of_changed_code(plan, missing)
        with contextlib.ExitStack() as stack:
            stack.callback(plan.shard.flush)
            stack.enter_context(plain_arithmetic())
            advance = stack.enter_context(progress("comparing", len(missing)))
            for row in _compare(plan, missing):
                rows.add(row)
                plan.shard.add(row)
                advance()
    return rows.table(COMPARISON_ORDER)


def stored_comparisons(plan: Plan, on_damage: Callable[[ResiError], None]) -> dict[str, Row]:
    """Return the stored rows of a plan's comparisons by key, but for those that the run makes again."""
    remade = plan.config.remade
    if remade.others:
        return {}
    keys = {comparison.key for comparison in plan.comparisons}
    scope = Scope(plan.config.domain.name, plan.config.dataset)
    found = find_comparisons(plan.config.root, keys, on_damage, plan.shard, scope)
    if remade.failed:
        found = {key: row for key, row in found.items() if row["status"] != Status.failed}
    return found


def _tell_of_changed_code(plan: Plan, missing: Sequence[Comparison]) -> None:
    known_files = KnownFiles(plan.config.root)
    for name in dict.fromkeys(comparison.measure for comparison in missing if not comparison.is_of_outputs):
        code = measure_code(plan.config.measures[name])
        if code and known_files.remember_measure(name, code):
            provider = provider_of(type(plan.config.measures[name]))
            say(f"{name}: its code ({provider}) has changed, so its earlier comparisons are computed again")


def _check_ready(plan: Plan, comparisons: int) -> None:
    """Raise ``UsageError`` if an earlier stage has to run first."""
    stage = plan.config.stage.value
    if plan.config.stage is Stage.score:
        raise UsageError(f"stage={stage}: {comparisons} comparisons are missing; run stage=compare first")
    missing = plan.missing_representations()
    if missing:
        raise UsageError(
            f"stage={stage}: the representations of {len(missing)} models are missing, the first of "
            f"{missing[0][0].label}; run stage=representations first"
        )


def _compare(plan: Plan, comparisons: Sequence[Comparison]) -> Iterator[Row]:
    config = plan.config
    yield from compare_outputs(plan, [comparison for comparison in comparisons if comparison.is_of_outputs])
    comparisons = [comparison for comparison in comparisons if not comparison.is_of_outputs]
    device, sampled = resolve_device(config.device), config.compare.subsample
    about = {name: _about(measure, sampled, plan.sampling) for name, measure in config.measures.items()}
    with _engine(plan, device) as engine:
        for number, experiment in enumerate(plan.experiments):
            items = [_open(plan, experiment, index) for index in range(len(experiment.items))]
            tasks = {
                Task(items[c.source].key, items[c.target].key, c.measure): c
                for c in comparisons
                if c.experiment == number
            }
            for outcome in engine.run(list(tasks), {item.key: item for item in items}):
                comparison = tasks[outcome.task]
                yield {
                    **plan.compared(comparison),
                    **about[comparison.measure],
                    **_result(outcome, items[comparison.source], items[comparison.target]),
                    "device": str(device),
                    "key": comparison.key,
                    "pair": plan.pair(comparison),
                }


@contextlib.contextmanager
def _engine(plan: Plan, device: torch.device) -> Iterator[Engine | IsolatedEngine]:
    config, how = plan.config, plan.config.compare
    given = (config.measures, how.budget(device), device, how.threads, config.on_error, plan.sampling)
    if not how.isolate:
        yield Engine(*given)
        return
    engine = IsolatedEngine(*given, how.time_limit)
    try:
        yield engine
    finally:
        engine.close()


def _open(plan: Plan, experiment: Experiment, index: int) -> Representation:
    item = experiment.items[index]
    found = plan.representations.open(item.model, experiment.probe, item.layer)
    labelled = dataclasses.replace(found, label=f"{item.model.label}, layer {item.layer}")
    return subsample(labelled, plan.config.compare.subsample)


def _about(measure: Measure, sampled: int | None, sampling: Sampling) -> Row:
    return {
        "measure": measure.name,
        "measure_version": measure.version,
        "parameters": parameters(measure, sampled, sampling),
        "resi_version": __version__,
    }


def _result(outcome: Outcome, source: Representation, target: Representation) -> Row:
    return {
        "value": outcome.value,
        "status": outcome.status,
        "error": outcome.error,
        "note": outcome.note,
        "seconds": outcome.seconds,
        "prepare_seconds": outcome.prepare_seconds,
        "shape_a": "x".join(map(str, source.size)),
        "shape_b": "x".join(map(str, target.size)),
    }
