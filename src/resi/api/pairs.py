"""The pairs of a call, and their outcomes."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.api.aligning import aligned
from resi.api.draws import interval_columns
from resi.api.entries import Entry, Shapes, entries, single
from resi.api.entries import entry as entry_of
from resi.api.permutations import chance_columns
from resi.choices import OnError, Status
from resi.engine.budget import ARGUMENTS
from resi.engine.execution import Engine
from resi.engine.tiles import Task
from resi.engine.watch import unwatched
from resi.errors import ShapeError
from resi.representation import subsample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import torch

    from resi.api.aligning import Align
    from resi.api.measuring import Chosen
    from resi.engine.chance import Null
    from resi.engine.intervals import Bootstrap
    from resi.engine.outcomes import Outcome
    from resi.engine.watch import Activity, Watch
    from resi.measures.base import Measure
    from resi.representation import Representation

OTHER_DATA = "R and S were computed from different data, and have no sample ids other than row numbers"


class How(NamedTuple):
    """How pairs are compared: the options of :func:`resi.pairwise`."""

    memory: str | int
    threads: int | None
    samples: int | None
    diagonal: bool
    null: Null | None = None
    bootstrap: Bootstrap | None = None


def read_sets(
    given: Sequence[Any], shape: str | Mapping[str, str] | None, align: Align, function: str = "pairwise"
) -> list[list[Entry]]:
    """Return the representations of one or two sets, of the same samples row by row."""
    shapes = Shapes(shape)
    sets = [
        [dataclasses.replace(entry, of_second=number > 0) for entry in entries(function, one, shapes)]
        for number, one in enumerate(given)
    ]
    every = [entry for entry_set in sets for entry in entry_set]
    shapes.check_names([entry.name for entry in every])
    if every and all(entry.item is None for entry in every):
        raise ShapeError(every[-1].refused.removeprefix("ShapeError: "))
    ready = iter(aligned(function, every, align))
    return [[next(ready) for _ in entry_set] for entry_set in sets]


def read_sides(measure: str, sides: Sequence[Any], shapes: Sequence[str | None], align: Align) -> list[Entry]:
    """Return both sides of a comparison, with their rows in the same order.

    Raises
    ------
    ShapeError
        If one of them cannot be compared.
    """
    read = [
        entry_of(measure, name, single(name, side), Shapes(shape))
        for name, side, shape in zip("RS", sides, shapes, strict=True)
    ]
    for found in read:
        if found.item is None:
            raise ShapeError(found.refused.removeprefix("ShapeError: "))
    return aligned(measure, read, align)


class Outcomes(NamedTuple):
    """A pair and its outcome; None if one side could not be compared at all."""

    task: Task
    source: Entry
    target: Entry
    outcome: Outcome | None

    @property
    def refused(self) -> str:
        """Why a side could not be compared."""
        return self.source.refused or self.target.refused


def outcomes_by_pair(sets: Sequence[Sequence[Entry]], chosen: Chosen, how: How) -> list[Outcomes]:
    """Return all pairs with their outcomes: by measure, then by source, then by target."""
    keys = _keys(sets)
    items = _items(sets, keys, how.samples)
    pairs = [
        (Task(source_key, target_key, name), source, target)
        for name, measure in chosen.measures.items()
        for (source, source_key), (target, target_key) in _pairs(
            [list(zip(*both, strict=True)) for both in zip(sets, keys, strict=True)], measure.symmetric, how.diagonal
        )
    ]
    tasks = dict.fromkeys(task for task, _, _ in pairs if task.source in items and task.target in items)
    outcomes = outcomes_of(list(tasks), items, chosen.measures, how)
    return [Outcomes(task, source, target, outcomes.get(task)) for task, source, target in pairs]


def compared(sets: Sequence[Sequence[Entry]], chosen: Chosen, how: How) -> list[tuple[Any, ...]]:
    """Return the rows of the table."""
    if not all(sets):
        return []
    return [
        (
            *(one.source.name, one.target.name, one.task.measure),
            *(_found(one.outcome, one.source, one.target) if one.outcome else _refused(one)),
            chosen.larger_is_more_similar[one.task.measure],
            *(chance_columns(one.outcome and one.outcome.chance) if how.null else ()),
            *(interval_columns(one.outcome and one.outcome.interval, how.bootstrap.keep) if how.bootstrap else ()),
        )
        for one in outcomes_by_pair(sets, chosen, how)
    ]


def _keys(sets: Sequence[Sequence[Entry]]) -> list[list[str]]:
    """Return the engine's key for each representation: the same one for an object in both sets."""
    known: dict[Any, str] = {}
    keys = []
    for number, entry_set in enumerate(sets):
        found: list[str] = []
        for entry in entry_set:
            what = (id(entry.given), None if entry.item is None else entry.item.layout)
            key = f"{number}/{len(found)}"
            known_key = known.setdefault(what, key)
            found.append(known_key if number else key)
        keys.append(found)
    return keys


def _items(
    sets: Sequence[Sequence[Entry]], keys: Sequence[Sequence[str]], samples: int | None
) -> dict[str, Representation]:
    """Return the representations that can be compared, by key."""
    items: dict[str, Representation] = {}
    for entry_set, set_keys in zip(sets, keys, strict=True):
        for entry, key in zip(entry_set, set_keys, strict=True):
            if entry.item is not None and key not in items:
                items[key] = subsample(dataclasses.replace(entry.item, key=key), samples)
    return items


def _pairs(sides: Sequence[Sequence[Any]], symmetric: bool, diagonal: bool) -> Iterable[tuple[Any, Any]]:
    """Return all pairs of two sets; within one set, unordered pairs for a symmetric measure, otherwise ordered ones."""
    if len(sides) == 2:
        return itertools.product(*sides)
    if symmetric:
        return (itertools.combinations_with_replacement if diagonal else itertools.combinations)(sides[0], 2)
    return itertools.product(sides[0], repeat=2) if diagonal else itertools.permutations(sides[0], 2)


def outcomes_of(
    tasks: Sequence[Task],
    items: Mapping[str, Representation],
    measures: Mapping[str, Measure],
    how: How,
    raises: bool = False,
) -> dict[Task, Outcome]:
    """Return the outcomes of tasks; with ``raises``, an error is raised instead of recorded."""
    from resi.console import PATIENCE_SECONDS, progress
    from resi.machine.memory import parse_memory

    device = _device(next(iter(items.values())))
    budget = parse_memory(how.memory, device, ARGUMENTS.memory)
    on_error = OnError.raise_ if raises else OnError.record
    times = 1 + (how.null.permutations if how.null else 0) + (how.bootstrap.draws if how.bootstrap else 0)
    outcomes = {}
    with progress("pairwise", len(tasks) * times, after=PATIENCE_SECONDS) as advance:
        watch = unwatched if times == 1 else _counting(advance, len(tasks) * times)
        more: Any = {"watch": watch, "limits": ARGUMENTS, "null": how.null, "bootstrap": how.bootstrap}
        more["main_memory"] = parse_memory(how.memory, name=ARGUMENTS.memory)
        for outcome in Engine(measures, budget, device, how.threads, on_error, **more).run(tasks, items):
            outcomes[outcome.task] = outcome
            if times == 1:
                advance()
    return outcomes


def _counting(advance: Callable[[], None], total: int) -> Watch:
    """Return a watcher that advances with every comparison, permutations and draws included."""
    left = itertools.repeat(None, total)

    @contextlib.contextmanager
    def watch(work: Activity) -> Iterator[None]:
        yield
        for _ in itertools.islice(left, len(work.pairs) * work.times):
            advance()

    return watch


def _device(item: Representation) -> torch.device:
    """Return the device of a representation; that of a file is known once it is read."""
    import torch

    array = item.load()
    return array.device if isinstance(array, torch.Tensor) else torch.device("cpu")


def _found(outcome: Outcome, source: Entry, target: Entry) -> tuple[Any, ...]:
    seconds = outcome.seconds + outcome.prepare_seconds
    seconds += outcome.chance.seconds if outcome.chance else 0.0
    seconds += outcome.interval.seconds if outcome.interval else 0.0
    is_of_other_data = source.numbered and target.numbered and source.numbered != target.numbered
    missing = outcome.chance.missing if outcome.chance else ""
    notes = [outcome.note, missing, OTHER_DATA if is_of_other_data else ""]
    return outcome.value, seconds, outcome.status, outcome.error, "; ".join(filter(None, notes))


def _refused(pair: Outcomes) -> tuple[Any, ...]:
    return None, 0.0, Status.failed, pair.refused, ""
