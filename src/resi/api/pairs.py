"""The pairs of a call: which there are, and what the engine finds."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.api.aligning import aligned
from resi.api.entries import Entry, Shapes, entries
from resi.choices import Status
from resi.engine.budget import ARGUMENTS
from resi.engine.execution import Engine
from resi.engine.tiles import Task
from resi.errors import ShapeError
from resi.representation import subsample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import torch

    from resi.api.aligning import Align
    from resi.api.measuring import Chosen
    from resi.engine.execution import Outcome
    from resi.measures.base import Measure
    from resi.representation import Representation

OTHER_DATA = "R and S were computed from different data, and only their rows' numbers say which samples belong together"


class How(NamedTuple):
    """How pairs are compared, as :func:`resi.pairwise` says."""

    memory: str | int
    threads: int | None
    samples: int | None
    diagonal: bool


def read_sets(given: Sequence[Any], shape: str | Mapping[str, str] | None, align: Align) -> list[list[Entry]]:
    """Return the representations of one or two sets, of the same samples row by row."""
    shapes = Shapes(shape)
    sets = [
        [dataclasses.replace(entry, of_second=number > 0) for entry in entries("pairwise", one, shapes)]
        for number, one in enumerate(given)
    ]
    every = [entry for entry_set in sets for entry in entry_set]
    shapes.check_names([entry.name for entry in every])
    if every and all(entry.item is None for entry in every):
        raise ShapeError(every[-1].refused.removeprefix("ShapeError: "))
    ready = iter(aligned("pairwise", every, align))
    return [[next(ready) for _ in entry_set] for entry_set in sets]


def compared(sets: Sequence[Sequence[Entry]], chosen: Chosen, how: How) -> list[tuple[Any, ...]]:
    """Return the rows of the table: measure by measure, then by source, then by target."""
    if not all(sets):
        return []
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
    outcomes = _outcomes(list(tasks), items, chosen.measures, how)
    return [
        (source.name, target.name, task.measure, *found, chosen.larger_is_more_similar[task.measure])
        for task, source, target in pairs
        for found in [_found(outcomes[task], source, target) if task in outcomes else _refused(source, target)]
    ]


def _keys(sets: Sequence[Sequence[Entry]]) -> list[list[str]]:
    """Return what the engine knows each representation by: one key for what is given in both sets."""
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
    """Return what can be compared by its key."""
    items: dict[str, Representation] = {}
    for entry_set, set_keys in zip(sets, keys, strict=True):
        for entry, key in zip(entry_set, set_keys, strict=True):
            if entry.item is not None and key not in items:
                items[key] = subsample(dataclasses.replace(entry.item, key=key), samples)
    return items


def _pairs(sides: Sequence[Sequence[Any]], symmetric: bool, diagonal: bool) -> Iterable[tuple[Any, Any]]:
    """Return each with each of two sets; of one set unordered pairs for a symmetric measure, else ordered ones."""
    if len(sides) == 2:
        return itertools.product(*sides)
    if symmetric:
        return (itertools.combinations_with_replacement if diagonal else itertools.combinations)(sides[0], 2)
    return itertools.product(sides[0], repeat=2) if diagonal else itertools.permutations(sides[0], 2)


def _outcomes(
    tasks: Sequence[Task], items: Mapping[str, Representation], measures: Mapping[str, Measure], how: How
) -> dict[Task, Outcome]:
    from resi.console import PATIENCE_SECONDS, progress
    from resi.machine.memory import parse_memory

    device = _device(next(iter(items.values())))
    budget = parse_memory(how.memory, device, ARGUMENTS.memory)
    engine = Engine(measures, budget, device, how.threads, limits=ARGUMENTS)
    outcomes = {}
    with progress("pairwise", len(tasks), after=PATIENCE_SECONDS) as advance:
        for outcome in engine.run(tasks, items):
            outcomes[outcome.task] = outcome
            advance()
    return outcomes


def _device(item: Representation) -> torch.device:
    """Return the device of a representation, which of a file is known when it is read."""
    import torch

    array = item.load()
    return array.device if isinstance(array, torch.Tensor) else torch.device("cpu")


def _found(outcome: Outcome, source: Entry, target: Entry) -> tuple[Any, ...]:
    seconds = outcome.seconds + outcome.prepare_seconds
    is_of_other_data = source.numbered and target.numbered and source.numbered != target.numbered
    notes = [outcome.note, OTHER_DATA if is_of_other_data else ""]
    return outcome.value, seconds, outcome.status, outcome.error, "; ".join(filter(None, notes))


def _refused(source: Entry, target: Entry) -> tuple[Any, ...]:
    return None, 0.0, Status.failed, source.refused or target.refused, ""
