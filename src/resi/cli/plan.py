"""``resi plan ...``: what a run, a sweep or a suite would do, with the same arguments."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.config.words import label, suite_of
from resi.console import format_seconds, say, show, shown, write
from resi.console.columns import Column
from resi.console.tables import Section, paragraph, print_table
from resi.errors import ArtifactError, ResiError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from resi.estimates.work import Total
    from resi.pipeline.plan import Plan
    from resi.results.shards import Shard
    from resi.sweeps.suites import JobWords

SHOWN_JOBS = 5
SHOWN_MEASURES = 5
MORE = "a wider terminal shows them"


def main(words: list[str]) -> int:
    """Print the plan of a run, or of all runs of a sweep."""
    parser = argparse.ArgumentParser(
        prog="resi plan",
        description="Print what a run, a sweep or a suite would train, extract and compare, what is done already, and "
        "an estimate of time and memory. Starts nothing.",
        epilog="examples: resi plan test=augmentation; resi plan -m measure=cka,rsa; resi plan suite=smoke",
    )
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="the arguments of the run")
    parser.add_argument("-m", "--multirun", action="store_true", help="the arguments are those of a sweep")
    parser.add_argument("--config-dir", type=Path, help="folder with your own configs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_intermixed_args(words)
    if arguments.multirun or suite_of(arguments.words):
        return print_sweep(arguments.words, arguments.config_dir, arguments.json)
    print_plan_of(arguments.words, arguments.config_dir, arguments.json)
    return 0


def print_plan_of(words: list[str], config_dir: Path | None = None, as_json: bool = False) -> None:
    """Compose, plan and print a run; of one whose data are missing, say what is not there."""
    from resi.config.compose import compose
    from resi.pipeline.plan import Planner

    plan = Planner(may_download=False, needs_datasets=False).plan(compose(words, config_dir))
    if plan.absent is not None:
        say(f"not there yet: {plan.absent}")
    if as_json:
        title = f"{plan.config.test.name} on {plan.config.dataset}"
        _write_json(
            title,
            [plan],
            {"shard": str(plan.shard.folder), "state": _state(plan, plan.shard)} if plan.dataset.content else {},
        )
    else:
        print_plan(plan)


def print_plan(plan: Plan) -> None:
    """Print one line per step: how much there is, how much is done, and how long the rest takes as far as is known."""
    from resi.estimates.work import total_work

    config = plan.config
    for notice in plan.notices():
        say(notice)
    total = total_work([plan], lambda error: say(f"left out: {error}"))
    _print_steps(f"{config.test.name} on {config.dataset}", total, [plan])
    seeds = ", ".join(str(seed) for seed in config.seeds)
    lines = [
        f"{experiment.architecture}: {', '.join(experiment.groups)}; seeds {seeds}; "
        f"layer {', '.join(dict.fromkeys(item.layer for item in experiment.items))}"
        for experiment in plan.experiments
    ]
    for line in dict.fromkeys([*lines, f"measures: {', '.join(config.measures)}"]):
        _show(line)
    _print_estimates(total, [plan])
    if not plan.dataset.content:
        return  # what a shard is called depends on what the data are
    show(f"shard ({_state(plan, plan.shard)}): {plan.shard.folder}")


def _state(plan: Plan, shard: Shard) -> str:
    """Return whether the shard of a plan is finished, in the words that are printed."""
    from resi.pipeline.finished import OtherRunError, check_shard

    if not shard.is_complete:
        return "not finished"
    try:
        check_shard(plan, shard)
    except OtherRunError:
        return "of another run"
    except ArtifactError:
        return "damaged"
    return "finished"


def print_sweep(words: Sequence[str], config_dir: Path | None = None, as_json: bool = False) -> int:
    """Print what all jobs of a sweep or a suite need together; return 1 if some of them cannot run."""
    from resi.estimates.work import total_work

    title, jobs, plans, problems = plan_sweep(words, config_dir)
    for job, error in list(problems.items())[:SHOWN_JOBS]:
        say(f"will fail: {label(job)}: {error}")
    if len(problems) > SHOWN_JOBS:
        say(f"and {len(problems) - SHOWN_JOBS} more jobs will fail")
    for absent in dict.fromkeys(str(plan.absent) for plan in plans if plan.absent is not None):
        say(f"not there yet: {absent}")
    for notice in dict.fromkeys(line for plan in plans for line in plan.notices()):
        say(notice)
    if as_json:
        finished = _count_finished(plans)
        failing = {" ".join(job): str(error) for job, error in problems.items()}
        _write_json(title, plans, {"jobs": len(jobs), "finished": finished, "will fail": failing})
    elif plans:
        total = total_work(plans, lambda error: say(f"left out: {error}"))
        finished = _count_finished(plans)
        _print_steps(f"{title}: {len(jobs)} jobs, {finished} finished", total, plans)
        if len(total.works) > 1:
            _print_places(total)
        _print_estimates(total, plans)
    return 1 if problems else 0


def plan_sweep(
    words: Sequence[str], config_dir: Path | None = None
) -> tuple[str, list[JobWords], list[Plan], dict[JobWords, ResiError]]:
    """Return the title, the jobs, their plans, and the errors of those that cannot be planned.

    Raises
    ------
    UsageError
        Of the first job that cannot be composed; the sweep would not start.
    """
    from resi.config.loading import store_of
    from resi.config.many import compose_all, open_configs
    from resi.config.own_measures import with_files
    from resi.config.words import quoted
    from resi.pipeline.plan import Planner
    from resi.sweeps.suite_files import load_suite
    from resi.sweeps.suites import expand, left_alone

    name = suite_of(words)
    common = [word for word in words if word.startswith("hydra.searchpath=")]
    further = [word for word in words if not word.lstrip("+~").startswith(("suite=", "suite@", "hydra"))]
    loader = open_configs(config_dir)
    suite = load_suite(name, loader, common) if name else None
    if suite and (notice := left_alone(further, suite)):
        say(notice)
    store = store_of(loader)
    jobs = [
        tuple(with_files(job, store, are_all=False))
        for job in expand(with_files(quoted(further), store), suite, loader)
    ]
    configs = compose_all(jobs, loader, common)
    planner = Planner(may_download=False, needs_datasets=False)
    plans: list[Plan] = []
    problems: dict[JobWords, ResiError] = {}
    for job, config in zip(jobs, configs, strict=True):
        if isinstance(config, ResiError):
            raise UsageError(f"{label(job)}: {config}")
        try:
            plans.append(planner.plan(config))
        except ResiError as error:
            problems[job] = error
    return f"suite={suite.name}" if suite else "sweep", jobs, plans, problems


def _count_finished(plans: Sequence[Plan]) -> int:
    """Return how many plans have a finished shard."""
    from resi.pipeline.begun import BegunShards

    begun = {store: BegunShards(store) for store in {plan.store for plan in plans}}
    found = ((plan, begun[plan.store].find(plan)) for plan in plans)
    return sum(shard is not None and _state(plan, shard) == "finished" for plan, shard in found)


def _write_json(title: str, plans: Sequence[Plan], further: dict[str, Any]) -> None:
    """Write how much work plans are; times are estimates in seconds, of what can be estimated."""
    from resi.estimates.work import total_work

    steps = _steps(total_work(plans, lambda error: say(f"left out: {error}")), plans) if plans else []
    rows = []
    for step in steps:
        estimates = {
            "seconds": sum(part for part, _ in step.seconds),
            "unknown": sum(count for _, count in step.seconds),
        }
        if step.workers > 1:
            estimates |= {"workers": step.workers, "seconds on workers": step.on_workers}
        rows.append({"step": step.name, "all": step.number, "to do": step.left, **(estimates if step.seconds else {})})
    write(json.dumps({"title": title, "steps": rows, **further}, indent=2) + "\n")


class _Step(NamedTuple):
    """A step of a plan: how much there is, how much is left, and the estimated seconds and unknown parts of it.

    Attributes
    ----------
    workers : int
        Processes that share it, and ``on_workers`` the seconds that it takes then.
    """

    name: str
    number: int
    left: int
    seconds: list[tuple[float, int]]
    workers: int = 1
    on_workers: float = 0.0


def _steps(total: Total, plans: Sequence[Plan]) -> list[_Step]:
    works = total.works
    published = all(plan.config.models.root is not None for plan in plans)
    trained = sum(len(work.models) for work in works), sum(len(work.models_left) for work in works)
    extracted = sum(len(work.extractions) for work in works), sum(work.extractions_left for work in works)
    compared = sum(work.comparisons.total() for work in works), sum(work.left.total() for work in works)
    workers = _workers(total, plans)
    making = "read published models" if published else "train models"
    steps = [
        _Step(making, *trained, [*map(total.training_seconds, works)], workers, total.training_on(workers)),
        _Step("extract representations", *extracted, []),
        _Step("compare", *compared, [*map(total.comparing_seconds, works)]),
    ]
    if all(plan.given is not None for plan in plans):
        return steps[-1:]  # nothing is trained or run
    return steps


def _workers(total: Total, plans: Sequence[Plan]) -> int:
    """Return on how many workers the small models that are left are trained."""
    from resi.pipeline.share import may_be_on_gpu, most_workers

    left = sum(model in work.small for work in total.works for model in work.models_left)
    config = plans[0].config
    most = most_workers(config, os.environ, may_be_on_gpu(config.device, os.environ))
    return max(1, min(left, most))


def _print_steps(title: str, total: Total, plans: Sequence[Plan]) -> None:
    columns = [
        Column("step", rank=0),
        *(Column(name, is_number=True) for name in ("all", "done", "to do", "time, about")),
    ]
    steps = _steps(total, plans)
    rows = [
        [step.name, str(step.number), str(step.number - step.left), str(step.left), _time(step.left, step.seconds)]
        for step in steps
    ]
    print_table(columns, [Section(rows)], title=title, more=MORE)
    for step in steps:
        if step.workers > 1 and step.on_workers:
            _show(f"{step.name}: about {format_seconds(step.on_workers)} on {step.workers} workers, which share them")


def _time(left: int, parts: Iterable[tuple[float, int]]) -> str:
    """Return the sum of estimates, and how many are unknown."""
    found = list(parts)
    if left == 0:
        return "-"
    unknown = sum(count for _, count in found)
    if not any(seconds for seconds, _ in found):
        return "unknown"
    known = format_seconds(sum(seconds for seconds, _ in found))
    return f"{known} and {unknown} unknown" if unknown else known


def _print_places(total: Total) -> None:
    columns = [Column(name, rank=rank) for name, rank in (("domain", 2), ("dataset", 1), ("architecture", 0))]
    columns += [Column("models", is_number=True), Column("time, about", is_number=True, name="time of models")]
    columns += [
        Column("comparisons", is_number=True),
        Column("time, about", is_number=True, name="time of comparisons"),
    ]
    rows = []
    for work in sorted(total.works, key=lambda work: work.place):
        models, comparisons = len(work.models_left), work.left.total()
        times = _time(models, [total.training_seconds(work)]), _time(comparisons, [total.comparing_seconds(work)])
        rows.append([*work.place, str(models), times[0], str(comparisons), times[1]])
    write("\n")
    print_table(columns, [Section(rows)], title="work left, by architecture", more=MORE)


def _print_estimates(total: Total, plans: Sequence[Plan]) -> None:
    """Print which measures take longest, what the estimates rest on, and how much memory comparing takes."""
    from resi.estimates.rates import shipped_machine
    from resi.machine.memory import format_bytes, memory_budget
    from resi.pipeline.decoded import decoded

    by_measure: dict[str, float] = {}
    here: set[str] = set()
    shipped: set[str] = set()
    for work in total.works:
        for kind, count in work.left.items():
            if estimate := total.estimate(work, kind):
                by_measure[kind.name] = by_measure.get(kind.name, 0) + count * estimate.seconds
                (here if estimate.is_measured_here else shipped).add(kind.name)
    slowest = sorted(by_measure, key=lambda name: -by_measure[name])[:SHOWN_MEASURES]
    if len(by_measure) > 1:
        times = ", ".join(f"{name} {format_seconds(by_measure[name])}" for name in slowest)
        _show(f"slowest measures: {times}")
    if by_measure:
        _show(f"rates measured with this data root: {', '.join(sorted(here)) or 'none'}")
        if others := ", ".join(sorted(shipped - here)):
            _show(f"rates shipped with resi ({shipped_machine()}), scaled by declared cost: {others}")
        _show("times are estimates for one process with one thread, of the last layer; N processes share them")
    if any(total.training_seconds(work)[1] for work in total.works):
        _show("unknown training times: they are known once a model of that dataset and architecture is trained")
    budget = max(memory_budget(size) for size in {plan.config.compare.memory_bytes for plan in plans})
    least = total.least_memory()
    needed = f"at least {format_bytes(least)}, " if least else ""
    _show(f"memory for comparing: {needed}at most {format_bytes(budget)} per process (compare.memory)")
    for line in dict.fromkeys(filter(None, map(decoded, plans))):
        _show(line)


def _show(text: str) -> None:
    for line in paragraph(shown(text), "  "):
        show(line)
