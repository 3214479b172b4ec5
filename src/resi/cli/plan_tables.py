"""Tables and lines of ``resi plan``."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from resi.console import format_seconds, show, shown, write
from resi.console.columns import Column
from resi.console.tables import Section, paragraph, print_table
from resi.errors import count_of
from resi.estimates.fetching import BY_HAND
from resi.estimates.rates import CPU, GPU, shipped_machine
from resi.estimates.summary import longest
from resi.estimates.work import Amount
from resi.machine.memory import format_bytes, memory_budget
from resi.pipeline.decoded import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resi.estimates.summary import Summary
    from resi.estimates.times import JobEstimate

SHOWN_MEASURES = 5
SHOWN_NEEDED = 10
"""Of one kind."""
MORE = "a wider terminal shows them"


def print_steps(title: str, summary: Summary) -> None:
    """Print one row per step: how much there is, how much is done, and how long the rest takes as far as is known."""
    columns = [
        Column("step", rank=0),
        *(Column(name, is_number=True) for name in ("all", "done", "to do", "time, about")),
    ]
    steps = summary.steps()
    rows = [
        [step.name, str(step.number), str(step.number - step.left), str(step.left), _time(step.left, step.seconds)]
        for step in steps
    ]
    print_table(columns, [Section(rows)], title=title, more=MORE)
    for step in steps:
        if step.workers > 1 and step.on_workers:
            _show(f"{step.name}: about {format_seconds(step.on_workers)} on {step.workers} workers, which share them")


def print_places(summary: Summary) -> None:
    """Print what is left by architecture."""
    columns = [Column(name, rank=rank) for name, rank in (("domain", 2), ("dataset", 1), ("architecture", 0))]
    columns += [Column("models", is_number=True), Column("time, about", is_number=True, name="time of models")]
    columns += [
        Column("comparisons", is_number=True),
        Column("time, about", is_number=True, name="time of comparisons"),
    ]
    times = summary.times[summary.device]
    rows = []
    for work in sorted(summary.total.works, key=lambda work: work.place):
        models, comparisons = len(work.models_left), work.left.total()
        trained = _time(models, times.training(work.models_left))
        rows.append([*work.place, str(models), trained, str(comparisons), _time(comparisons, times.comparing(work))])
    write("\n")
    print_table(columns, [Section(rows)], title="work left, by architecture", more=MORE)


def print_details(summary: Summary, labels: Sequence[str]) -> None:
    """Print what the estimates rest on, the longest jobs, disk, memory, and what has to be fetched.

    Parameters
    ----------
    labels : sequence of str
        The words of each job of a sweep; none of a run.
    """
    for line in (*_rates(summary), *_longest(summary, labels), *_memory(summary), *_disk(summary), *_needed(summary)):
        _show(line)


def _time(left: int, seconds: Amount) -> str:
    """Return an estimate, and how many parts of it are unknown."""
    if left == 0:
        return "-"
    if not seconds.known and seconds.unknown:
        return "unknown"
    known = format_seconds(seconds.known)
    return f"{known} and {seconds.unknown} unknown" if seconds.unknown else known


def _rates(summary: Summary) -> Iterator[str]:
    """Yield which measures take longest, and what the estimates rest on."""
    device = summary.device
    by_measure = summary.times[device].by_measure()
    slowest = sorted(by_measure, key=lambda name: -by_measure[name][0])[:SHOWN_MEASURES]
    if len(by_measure) > 1:
        yield "slowest measures: " + ", ".join(f"{name} {format_seconds(by_measure[name][0])}" for name in slowest)
    if by_measure:
        here = [name for name in sorted(by_measure) if by_measure[name][1]]
        yield f"rates measured with this data root: {', '.join(here) or 'none'}"
        if others := [name for name in sorted(by_measure) if not by_measure[name][1]]:
            names = ", ".join(others) if here else "all"
            yield f"rates shipped with resi ({shipped_machine(device)}), scaled by declared cost: {names}"
        where = "a GPU" if device == GPU else "one process with one thread"
        yield f"times are estimates for {where}, of the layers that are compared; N processes share them"
    if device == CPU and any(job.device == GPU for job in summary.jobs):
        yield "these runs may use a GPU: times on it are unknown, as no rates of GPUs have been measured"
    is_trained = any(plan.given is None and plan.config.models.root is None for plan in summary.plans)
    if is_trained and summary.seconds[device].train.unknown:
        yield "unknown training times: they are known once a model of that dataset and architecture is trained"


def _longest(summary: Summary, labels: Sequence[str]) -> Iterator[str]:
    """Yield the job that takes longest, of each domain where there are several."""
    by_domain: dict[str, list[tuple[str, JobEstimate]]] = {}
    for plan, name, job in zip(summary.plans, labels, summary.jobs, strict=bool(labels)):
        by_domain.setdefault(plan.config.domain.name, []).append((name, job))
    for domain, jobs in by_domain.items():
        found = longest([job for _, job in jobs], [name for name, _ in jobs])
        if found is None:
            continue
        seconds = found[1].seconds
        steps = ((step, getattr(seconds, step)) for step in seconds._fields)
        parts = ", ".join(f"{step} {_time(1, amount)}" for step, amount in steps if any(amount))
        of_domain = f" of {domain}" if len(by_domain) > 1 else ""
        device = "" if found[1].device == CPU else " on a GPU"
        yield f"longest job{of_domain}: {_time(1, seconds.all)}{device} ({parts}): {found[0]}"


def _memory(summary: Summary) -> Iterator[str]:
    budget = max(memory_budget(size) for size in {plan.config.compare.memory_bytes for plan in summary.plans})
    least = f"at least {format_bytes(summary.memory)}, " if summary.memory else ""
    yield f"memory for comparing: {least}at most {format_bytes(budget)} per process (compare.memory)"
    if summary.memory > budget:
        yield "memory for comparing: some comparisons need more than that, and fail: give compare.memory=SIZE"


def _disk(summary: Summary) -> Iterator[str]:
    disk = summary.disk
    parts = ", ".join(f"{name} {_size(part)}" for name, part in disk.parts.items())
    if disk.parts:
        yield f"disk: about {_size(disk.needed)} ({parts}); {format_bytes(disk.free)} free in {disk.root}"
    if disk.needed.known > disk.free:
        yield f"disk: {format_bytes(disk.needed.known - disk.free)} too little is free"
    yield from dict.fromkeys(filter(None, map(decoded, summary.plans)))


def _size(amount: Amount) -> str:
    if not amount.known and amount.unknown:
        return "unknown"
    return format_bytes(amount.known) + (f" and {count_of(amount.unknown, 'file')} unknown" if amount.unknown else "")


def _needed(summary: Summary) -> Iterator[str]:
    """Yield what has to be fetched, and what was not looked at."""
    known = sum(item.size or 0 for item in summary.needed)
    if len(summary.needed) > 1 and known:
        unknown = sum(item.size is None for item in summary.needed)
        others = f", and {count_of(unknown, 'item')} of unknown size" if unknown else ""
        yield f"to be fetched: {_size(Amount(known))}{others}"
    alike: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for item in summary.needed:
        kind, _, name = item.what.rpartition(" ")
        size = "" if item.size is None else f" ({format_bytes(item.size)})"
        alike[item.by, item.how, kind].append(name + size)
    for (by, how, kind), names in alike.items():
        more = [f"{len(names) - SHOWN_NEEDED} more, see --json"] if len(names) > SHOWN_NEEDED else []
        what = f"{kind} {', '.join([*names[:SHOWN_NEEDED], *more])}"
        yield f"to download yourself: {what}: {how}" if by == BY_HAND else f"to be fetched by {how}: {what}"
    if summary.unread:
        yield (
            f"{count_of(len(summary.unread), 'file')} not yet read by a run in this data root: what there may be of "
            "the content counts as to do"
        )


def _show(text: str) -> None:
    for line in paragraph(shown(text), "  "):
        show(line)
