"""Every comparison of a plan: found in the store or computed, one row each."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

from resi import __version__
from resi.choices import Stage, Status
from resi.console import progress, say
from resi.engine.chance import Null
from resi.engine.execution import Engine
from resi.engine.isolation import IsolatedEngine
from resi.engine.tiles import Task
from resi.engine.workers import place
from resi.errors import UsageError, count_of
from resi.machine.devices import plain_arithmetic, resolve_device
from resi.pipeline.calibrated import calibrated_result
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

    from resi.engine.outcomes import Outcome
    from resi.errors import ResiError
    from resi.groundings.base import Experiment
    from resi.measures.base import Measure
    from resi.measures.shapes import Sampling
    from resi.pipeline.plan import Comparison, Plan
    from resi.representation import Representation

    Row = dict[str, Any]
else:
    from resi.lazy import torch


def compare_representations(plan: Plan) -> pl.DataFrame:
    """Return the table of all comparisons of a plan; stored ones are not computed again.

    Whatever ends the run, comparisons made so far are kept in its shard.
    """
    stored = stored_comparisons(plan, lambda error: say(f"left out: {error}"))
    rows, missing = TableBuilder(COMPARISONS), []
    for comparison in plan.comparisons:
        row = stored.get(comparison.key)
        if row is None:
            missing.append(comparison)
        else:
            # What an earlier version has stored may lack columns that the plan knows.
            named = {"measure": comparison.measure, "pair": plan.pair(comparison)}
            rows.add({**row, **plan.scope(comparison), **named})
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
    scope = Scope(*plan.places)
    found = find_comparisons(plan.config.root, keys, on_damage, plan.shard, scope)
    if remade.failed:
        found = {key: row for key, row in found.items() if row["status"] != Status.failed}
    return found


def _tell_of_changed_code(plan: Plan, missing: Sequence[Comparison]) -> None:
    known_files = KnownFiles(plan.config.root)
    for name in dict.fromkeys(comparison.measure for comparison in missing if not comparison.is_of_outputs):
        code = measure_code(plan.config.measures[name])
        if not code:
            continue
        provider = provider_of(type(plan.config.measures[name]))
        if earlier := known_files.remember_measure(name, code, provider):
            if earlier & {provider, ""}:
                say(f"{name}: its code ({provider}) has changed, so its earlier comparisons are computed again")
            else:
                before = " and ".join(sorted(earlier))
                say(
                    f"{name} is now another measure of this name, from {provider}: comparisons by that from {before} "
                    "are not used for it"
                )


def _check_ready(plan: Plan, comparisons: int) -> None:
    """Raise ``UsageError`` if an earlier stage has to run first."""
    stage = plan.config.stage.value
    if plan.config.stage is Stage.score:
        which = count_of(comparisons, "comparison is", "comparisons are")
        raise UsageError(f"stage={stage}: {which} missing; run stage=compare first")
    missing = plan.missing_representations()
    if missing:
        raise UsageError(
            f"stage={stage}: the representations of {count_of(len(missing), 'model')} are missing, the first of "
            f"{missing[0][0].label}; run stage=representations first"
        )


def _compare(plan: Plan, comparisons: Sequence[Comparison]) -> Iterator[Row]:
    config = plan.config
    yield from compare_outputs(plan, [comparison for comparison in comparisons if comparison.is_of_outputs])
    comparisons = [comparison for comparison in comparisons if not comparison.is_of_outputs]
    # What is calibrated gives the measure's own value on the way, so only other pairs are compared without.
    calibrated = {_compared(comparison) for comparison in comparisons if comparison.null is not None}
    plain = [comparison for comparison in comparisons if _compared(comparison) not in calibrated]
    yield from _run_engine(plan, plain, None)
    yield from _run_engine(plan, [c for c in comparisons if _compared(c) in calibrated], config.null)


def _compared(comparison: Comparison) -> tuple[int, int, int, str]:
    """Return the part that the variants of a comparison share."""
    return comparison.experiment, comparison.source, comparison.target, comparison.measure


def _run_engine(plan: Plan, comparisons: Sequence[Comparison], null: int | None) -> Iterator[Row]:
    """Yield the rows of comparisons of representations, which the engine makes with permutations or without."""
    if not comparisons:
        return
    config = plan.config
    device, sampled = resolve_device(config.device), config.compare.subsample
    about = {
        (name, variant): _about(measure, sampled, plan.sampling, variant)
        for name, measure in config.measures.items()
        for variant in config.nulls
    }
    with _engine(plan, device, null) as engine:
        for number, experiment in enumerate(plan.experiments):
            items = [_open(plan, experiment, index) for index in range(len(experiment.items))]
            tasks: dict[Task, dict[int | None, Comparison]] = {}
            for one in comparisons:
                if one.experiment == number:
                    ends = (items[one.source].key, items[one.target].key)
                    if null is not None and config.measures[one.measure].symmetric:
                        ends = (min(ends), max(ends))  # the second is permuted: the same one in whichever run
                    tasks.setdefault(Task(*ends, one.measure), {})[one.null] = one
            for outcome in engine.run(list(tasks), {item.key: item for item in items}):
                for variant, comparison in tasks[outcome.task].items():
                    yield {
                        **plan.compared(comparison),
                        **about[comparison.measure, variant],
                        **(_result(outcome, null) if variant is None else calibrated_result(outcome)),
                        "shape_a": "x".join(map(str, items[comparison.source].size)),
                        "shape_b": "x".join(map(str, items[comparison.target].size)),
                        "device": str(place(config.measures[comparison.measure], device)),
                        "key": comparison.key,
                        "pair": plan.pair(comparison),
                    }


@contextlib.contextmanager
def _engine(plan: Plan, device: torch.device, null: int | None) -> Iterator[Engine | IsolatedEngine]:
    config, how = plan.config, plan.config.compare
    given = (config.measures, how.budget(device), device, how.threads, config.on_error, plan.sampling)
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what training keeps there is for comparing, be it in another process, and other jobs
    more: Any = {"null": None if null is None else Null(null), "main_memory": how.budget(torch.device("cpu"))}
    if not how.isolate:
        yield Engine(*given, **more)
        return
    engine = IsolatedEngine(*given, how.time_limit, **more)
    try:
        yield engine
    finally:
        engine.close()


def _open(plan: Plan, experiment: Experiment, index: int) -> Representation:
    item = experiment.items[index]
    found = plan.representations.open(item.model, experiment.probe_of(item), item.layer)
    labelled = dataclasses.replace(found, label=f"{item.model.label}, layer {item.layer}")
    return subsample(labelled, plan.config.compare.subsample)


def _about(measure: Measure, sampled: int | None, sampling: Sampling, null: int | None) -> Row:
    return {
        "measure": measure.name,
        "measure_version": measure.version,
        "parameters": parameters(measure, sampled, sampling, null),
        "resi_version": __version__,
    }


def _result(outcome: Outcome, null: int | None) -> Row:
    return {
        "value": outcome.value,
        "status": outcome.status,
        "error": outcome.error,
        "note": outcome.note if null is None else outcome.value_note,
        "seconds": outcome.seconds,
        "prepare_seconds": outcome.prepare_seconds,
    }
