"""``resi plan ...``: what a run would do, with the same words as the run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from resi.console import output, say

if TYPE_CHECKING:
    from rich.table import Table

    from resi.domains.base import ModelSpec
    from resi.steps.plan import Plan


def main(words: list[str]) -> int:
    """Print the plan of a run."""
    parser = argparse.ArgumentParser(
        prog="resi plan",
        description="Print what a run would train, extract and compare, and what is done already. Starts nothing.",
        epilog="example: resi plan domain=graph test=augmentation measure=benchmark",
    )
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="the words of the run")
    print_plan_of(parser.parse_args(words).words)
    return 0


def print_plan_of(words: list[str]) -> None:
    """Compose, plan and print."""
    from resi.config import compose
    from resi.steps.plan import make_plan

    print_plan(make_plan(compose(words), may_download=False))


def print_plan(plan: Plan) -> None:
    """Print one line per step: how much there is, how much is done, and how long the rest takes as far as is known."""
    from rich.table import Table

    from resi.engine.budget import format_bytes, parse_memory
    from resi.steps.compare import stored_comparisons

    config = plan.config
    stored = stored_comparisons(plan, lambda error: say(f"left out: {error}"))
    models_left, representations_left = plan.missing_models(), plan.missing_representations()
    table = Table(title=f"{config.test.name} on {config.dataset}", title_justify="left")
    table.add_column("step")
    for column in ("all", "done", "to do", "time"):
        table.add_column(column, justify="right")
    models = "train models" if config.models_root is None else "read published models"
    _add(table, models, len(plan.models), len(models_left), _training_seconds(plan, models_left))
    _add(table, "extract representations", len(plan.models), len(representations_left), None)
    rates = {row["measure"]: row["seconds"] + row["prepare_seconds"] for row in stored.values()}
    left = [comparison for comparison in plan.comparisons if comparison.key not in stored]
    times = [rates.get(comparison.measure) for comparison in left]
    known = None if None in times else sum(time for time in times if time is not None)
    _add(table, "compare", len(plan.comparisons), len(left), known)
    console = output()
    console.print(table)
    seeds = ", ".join(str(seed) for seed in config.seeds)
    lines = [
        f"{experiment.architecture}: {', '.join(experiment.groups)}; seeds {seeds}; "
        f"layer {', '.join(dict.fromkeys(item.layer for item in experiment.items))}"
        for experiment in plan.experiments
    ]
    for line in dict.fromkeys(lines):
        console.print(line)
    console.print(f"measures: {', '.join(config.measures)}")
    console.print(f"memory for comparing: at most {format_bytes(parse_memory(config.memory))} (compare.memory)")
    state = "finished" if plan.shard.is_complete else "not finished"
    console.print(f"shard ({state}): {plan.shard.folder}", soft_wrap=True)


def _add(table: Table, step: str, total: int, left: int, seconds: float | None) -> None:
    time = "-" if left == 0 else ("unknown" if seconds is None else f"{seconds:.1f} s")
    table.add_row(step, str(total), str(total - left), str(left), time)


def _training_seconds(plan: Plan, left: list[ModelSpec]) -> float | None:
    """Return the time to train the rest, from models of the same architecture trained here before."""
    total = 0.0
    for spec in left:
        trained = [model for model, _ in plan.models if model.architecture == spec.architecture and model not in left]
        if not trained:
            return None
        total += float(plan.model_store.about(trained[0])["seconds"])
    return total
