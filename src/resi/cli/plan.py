"""``resi plan ...``: what a run, a sweep or a suite would do, with the same arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.cli.arguments import CommandParser
from resi.cli.plan_tables import print_details, print_places, print_steps
from resi.config.words import check_once, label, suite_of
from resi.console import PATIENCE_SECONDS, progress, say, show, shown, write
from resi.console.tables import paragraph
from resi.errors import ArtifactError, ResiError, UsageError, count_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from resi.estimates.summary import Summary
    from resi.pipeline.plan import Plan
    from resi.pipeline.planner import Planner
    from resi.results.shards import Shard
    from resi.sweeps.suites import JobWords

SHOWN_JOBS = 5


def main(words: list[str]) -> int:
    """Print the plan of a run, or of all runs of a sweep."""
    arguments = make_parser().parse_intermixed_args(words)
    if arguments.multirun or suite_of(arguments.words):
        return print_sweep(arguments.words, arguments.config_dir, arguments.json)
    print_plan_of(arguments.words, arguments.config_dir, arguments.json)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = CommandParser(
        prog="resi plan",
        description="Print what a run, a sweep or a suite would train, extract and compare, what is done already, what "
        "has to be fetched, and an estimate of time, memory and disk. Starts nothing, and reads no weights.",
        epilog="examples: resi plan test=augmentation; resi plan -m measure=cka,rsa; resi plan suite=smoke",
    )
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="the arguments of the run")
    parser.add_argument("-m", "--multirun", action="store_true", help="the arguments are those of a sweep")
    parser.add_argument("--config-dir", type=Path, help="folder with your own configs")
    parser.add_argument("--json", action="store_true", help="print JSON, with the time and memory of every job")
    return parser


def print_plan_of(words: list[str], config_dir: Path | None = None, as_json: bool = False) -> None:
    """Compose, plan and print a run; of one whose data are missing, say what is not there."""
    from resi.config.compose import compose

    plan = _planner().plan(compose(words, config_dir))
    # What a shard is called depends on what the data and the models are.
    is_known = plan.dataset.content and plan.absent_models is None and not plan.unread
    shard = plan.shard if is_known else None
    state = _state(plan, shard) if shard else ""
    summary = _summary([plan], [state == "finished"])
    title = f"{plan.config.test.name} on {plan.config.dataset}"
    if as_json:
        name = label(tuple(words)) or "resi"
        _write_json(title, summary, [name], {"shard": str(shard.folder), "state": state} if shard else {})
        return
    print_steps(title, summary)
    for line in _about(plan):
        for part in paragraph(shown(line), "  "):
            show(part)
    print_details(summary, [])
    if shard:
        show(f"shard ({state}): {shard.folder}")


def _about(plan: Plan) -> list[str]:
    """Return lines that say what a run compares."""
    config = plan.config
    seeds = ", ".join(str(seed) for seed in config.seeds)
    lines = [
        f"{experiment.architecture}: {', '.join(experiment.groups)}; seeds {seeds}; "
        f"layer {', '.join(dict.fromkeys(item.layer for item in experiment.items))}"
        for experiment in plan.experiments
    ]
    return list(dict.fromkeys([*lines, f"measures: {', '.join(config.measures)}"]))


def _summary(plans: Sequence[Plan], finished: Sequence[bool]) -> Summary:
    """Sum up plans, and say what is not there and what is left out."""
    from resi.estimates.summary import summarize

    for line in dict.fromkeys(str(error) for plan in plans for error in plan.absent_datasets.values()):
        say(f"not there yet: {line}")
    for name, error in _absent_models(plans).items():
        say(f"not there yet: published models on {name}; the first: {error}")
    for notice in dict.fromkeys(line for plan in plans for line in plan.notices()):
        say(notice)
    return summarize(plans, finished, lambda error: say(f"left out: {error}"))


def _absent_models(plans: Sequence[Plan]) -> dict[str, str]:
    """Return the first published model that is missing, by dataset, where all of an architecture are."""
    found: dict[str, str] = {}
    for plan in plans:
        if plan.absent_models is not None:
            found.setdefault(plan.config.dataset, str(plan.absent_models))
    return found


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
    title, jobs, plans, problems = plan_sweep(words, config_dir)
    for job, error in list(problems.items())[:SHOWN_JOBS]:
        say(f"will fail: {label(job)}: {error}")
    if len(problems) > SHOWN_JOBS:
        say(f"and {count_of(len(problems) - SHOWN_JOBS, 'more job')} will fail")
    labels = [label(job) for job in jobs if job not in problems]
    finished = _find_finished(plans)
    if as_json:
        failing = {" ".join(job): str(error) for job, error in problems.items()}
        counts = {"jobs": len(jobs), "finished": sum(finished), "will fail": failing}
        _write_json(title, _summary(plans, finished) if plans else None, labels, counts)
    elif plans:
        summary = _summary(plans, finished)
        print_steps(f"{title}: {count_of(len(jobs), 'job')}, {sum(finished)} finished", summary)
        if len(summary.total.works) > 1:
            print_places(summary)
        print_details(summary, labels)
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
    from resi.sweeps.suite_files import load_suite
    from resi.sweeps.suites import expand, left_alone

    name = suite_of(words)
    check_once(words)
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
    planner = _planner()
    plans: list[Plan] = []
    problems: dict[JobWords, ResiError] = {}
    with progress("planning jobs", len(jobs), after=PATIENCE_SECONDS) as advance:
        for job, config in zip(jobs, configs, strict=True):
            if isinstance(config, ResiError):
                raise UsageError(f"{label(job)}: {config}")
            try:
                plans.append(planner.plan(config))
            except ResiError as error:
                problems[job] = error
            advance()
    return f"suite={suite.name}" if suite else "sweep", jobs, plans, problems


def _planner() -> Planner:
    """Return what plans runs without fetching, writing, or reading weights."""
    from resi.pipeline.planner import Planner

    return Planner(may_download=False, needs_datasets=False, needs_models=False, reads_weights=False)


def _find_finished(plans: Sequence[Plan]) -> list[bool]:
    """Return which plans have a finished shard."""
    from resi.pipeline.begun import BegunShards

    begun = {store: BegunShards(store) for store in {plan.store for plan in plans}}
    found = ((plan, begun[plan.store].find(plan)) for plan in plans)
    return [shard is not None and _state(plan, shard) == "finished" for plan, shard in found]


def _write_json(title: str, summary: Summary | None, labels: Sequence[str], further: dict[str, Any]) -> None:
    """Write how much work plans are; of a sweep of which no job can run, just that."""
    from resi.estimates.document import document

    found = {"title": title, **(document(summary, labels) if summary else {"steps": []}), **further}
    jobs = found.pop("by job", [])
    text = json.dumps(found, indent=2)
    if jobs:  # a line for each: there may be thousands
        lines = ",\n".join(f"    {json.dumps(job)}" for job in jobs)
        text = f'{text.removesuffix("}").rstrip()},\n  "by job": [\n{lines}\n  ]\n}}'
    write(text + "\n")
