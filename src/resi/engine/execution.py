"""The all-pairs engine: runs every comparison, prepares each representation once, and keeps to a memory budget."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter
from dataclasses import dataclass, replace
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from resi.choices import OnError, Status
from resi.engine.budget import CONFIG_KEYS, Room, block_size, group_measures
from resi.engine.cache import Prepared
from resi.engine.outcomes import Outcome, Result, failed, judged, noted, outcome_of
from resi.engine.permuting import Pair, Permuting
from resi.engine.resampling import Resampling
from resi.engine.tiles import Task, in_tiles
from resi.engine.views import Views
from resi.engine.warned import hear, listening
from resi.engine.watch import Activity, unwatched
from resi.engine.workers import beside, place, stream, workers, workers_beside
from resi.errors import ArtifactError, BudgetError, DegenerateInputError, ShapeError
from resi.measures.base import Measure
from resi.measures.guard import as_failure, as_number
from resi.measures.needs import working

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    import torch
    from torch import device

    from resi.engine.budget import Limits
    from resi.engine.cache import Side
    from resi.engine.chance import Null
    from resi.engine.intervals import Bootstrap
    from resi.engine.watch import Watch
    from resi.engine.workers import Workers
    from resi.measures.base import Spread
    from resi.measures.needs import Needs
    from resi.measures.shapes import Sampling, View
    from resi.representation import Representation

    Pool = Workers | None
else:
    from resi.lazy import torch


@dataclass
class Engine:
    """Compares representations.

    It uses the arithmetic settings of the thread that iterates over :meth:`run`: enter
    :func:`~resi.machine.devices.plain_arithmetic` there. On a GPU, measures that compute on the CPU
    (:attr:`~resi.measures.base.Measure.on_cpu`) run at the same time as the others.

    Parameters
    ----------
    measures
        The measures by name.
    memory : int
        Budget for prepared representations, in bytes.
    device
        Where to compute.
    threads : int or None
        Threads of torch; None keeps torch's own number.
    on_error : OnError
        ``record`` turns an error into a failed outcome and continues; ``raise`` raises it.
    sampling : {"spread", "strided"}
        Which of many rows of maps are compared, see :func:`~resi.measures.shapes.pair_views`.
    watch : callable
        Called with every unit of work of a measure.
    one_by_one : bool
        Make the comparisons in the order given, one at a time.
    limits : Limits
        Names of the limits on memory and samples in messages.
    null : Null or None
        How to permute samples for p-values and calibrated values; None: no permutations.
    bootstrap : Bootstrap or None
        How to resample, for intervals of the values; None: no intervals.
    main_memory : int or None
        On a GPU, the budget for representations prepared in main memory; None: the same as on the device.
    """

    measures: Mapping[str, Measure]
    memory: int
    device: device
    threads: int | None = None
    on_error: OnError = OnError.record
    sampling: Sampling = "spread"
    watch: Watch = unwatched
    one_by_one: bool = False
    limits: Limits = CONFIG_KEYS
    null: Null | None = None
    bootstrap: Bootstrap | None = None
    main_memory: int | None = None

    def __post_init__(self) -> None:
        self.prepared = Prepared(self.memory, self.device, self.watch)
        self._uses: Counter[tuple[str, str]] = Counter()
        self._turns: AbstractContextManager[Any] = contextlib.nullcontext()
        """Context for work that needs temporary memory: no more threads enter it at a time than memory allows."""
        self._views = Views(self.memory, self.sampling, self.limits, is_doubled=self.bootstrap is not None)

    def run(self, tasks: Sequence[Task], representations: Mapping[str, Representation]) -> Iterator[Outcome]:
        """Yield the outcome of every task, in an order that needs few representations at a time.

        Representations are prepared, and then pairs compared, by as many workers as there are threads.
        """
        if not tasks:
            return
        other = self._on_cpu()
        self._uses = other._uses = Counter((key, task.measure) for task in tasks for key in (task.source, task.target))
        chosen = {task.measure for task in tasks}
        if self.device.type == "cuda" and chosen & other.measures.keys():
            # Other threads read the arrays and do not wait for pending work on the caller's stream.
            torch.cuda.synchronize(self.device)
        with listening():
            if chosen & other.measures.keys() and chosen - other.measures.keys():
                with workers_beside(self.threads, len(representations)) as pool:
                    yield from filter(None, self._run_beside(other, tasks, representations, pool))
                return
            engine = other if chosen & other.measures.keys() else self
            with workers(engine.device, self.threads, len(representations), self.one_by_one) as own_pool:
                yield from filter(None, engine._run(tasks, representations, own_pool))

    def _on_cpu(self) -> Engine:
        """Return an engine for those measures that compute on the CPU although this one does not; it may have none."""
        there = {name: one for name, one in self.measures.items() if place(one, self.device).type != self.device.type}
        memory = self.memory if self.main_memory is None else self.main_memory
        return replace(self, measures=there, device=torch.device("cpu"), memory=memory)

    def _run_beside(
        self, other: Engine, tasks: Sequence[Task], items: Mapping[str, Representation], pool: Workers
    ) -> Iterator[Outcome | None]:
        """Yield the outcomes of this engine and of one for the CPU, run at the same time unless one by one."""
        if self.one_by_one:
            for is_theirs, part in itertools.groupby(tasks, lambda task: task.measure in other.measures):
                yield from (other if is_theirs else self)._run(list(part), items, None)
            return
        ours = [task for task in tasks if task.measure not in other.measures]
        theirs = [task for task in tasks if task.measure in other.measures]
        yield from beside(self._run(ours, items, None), other._run(theirs, items, pool), pool)

    def _run(
        self, tasks: Sequence[Task], representations: Mapping[str, Representation], pool: Pool
    ) -> Iterator[Outcome | None]:
        """Yield the outcome of every task on this engine's device, and None after work that has no outcome."""
        self.prepared.positions = {item.key: position for position, item in enumerate(representations.values())}
        needs: dict[str, Needs] = {}
        for name in dict.fromkeys(task.measure for task in tasks):
            try:
                needs[name] = self._views.largest_need(self.measures[name], representations.values())
            except BaseException as error:  # such as of a plugin that cannot compute how much memory it needs
                failure = as_failure(self.measures[name], error)
                if self.on_error == OnError.raise_:
                    raise failure from error
                result = failed(failure)
                yield from (outcome_of(task, result, 0.0, 0.0) for task in tasks if task.measure == name)
        if self.one_by_one:
            for task in tasks:
                if task.measure in needs:
                    yield from self._run_tile([task], representations, pool)
            return
        families = {name: self.measures[name].family for name in needs}
        room = Room(len(representations), self.memory, pool.count if pool else 1)
        for group in group_measures(needs, families, room):
            of_group = [needs[name] for name in group]
            block = block_size(of_group, room)
            at_a_time = min(2 * block, len(representations))
            threads = room.threads_for(of_group, at_a_time)
            self._turns = BoundedSemaphore(threads)
            spare = working(of_group, at_a_time, threads)
            chosen = [task for task in tasks if task.measure in group]
            for tile in in_tiles(chosen, list(representations), block):
                yield from self._run_tile(tile, representations, pool, spare)
            self.prepared.clear()

    def _run_tile(
        self, tile: list[Task], items: Mapping[str, Representation], pool: Pool, spare: int = 0
    ) -> Iterator[Outcome | None]:
        """Yield the outcome of every task of a tile, with the given bytes reserved for temporary memory."""
        views: dict[Task, tuple[View, View] | Exception] = {}
        needed: dict[tuple[str, View], list[Measure]] = {}
        for task in tile:
            measure = self.measures[task.measure]
            try:
                pair = views[task] = self._views.of(measure, items[task.source], items[task.target])
            except (ShapeError, BudgetError) as error:
                views[task] = error
            else:
                for key, view in zip((task.source, task.target), pair, strict=True):
                    measures = needed.setdefault((key, view), [])
                    if measure not in measures:
                        measures.append(measure)
        self.prepared.make_room(set(needed), spare)

        def prepare(side: tuple[tuple[str, View], list[Measure]]) -> Iterator[None]:
            (key, view), measures = side
            # The measure that holds most comes first: all distances also serve measures that need only the nearest.
            rows, columns = view.size(items[key].size)
            by_size = sorted(measures, key=lambda measure: measure.prepared_bytes(rows, columns), reverse=True)
            with self._turns:
                self.prepared.prepare(items[key], view, by_size)
            yield

        yield from stream(prepare, needed.items(), pool)
        outcomes = self._compare_tile(tile, items, views, pool)
        for asked, add in ((self.null, self._with_chance), (self.bootstrap, self._with_intervals)):
            if asked is not None:
                made = list(outcomes)
                outcomes = add(made, _pairs(made, items, views), pool)
        yield from outcomes

    def _compare_tile(
        self,
        tile: list[Task],
        items: Mapping[str, Representation],
        views: Mapping[Task, tuple[View, View] | Exception],
        pool: Pool,
    ) -> Iterator[Outcome]:
        def compare(group: list[Task]) -> Iterator[Outcome]:
            for task in group:
                with self._turns:
                    outcome = self._compare(task, items, views[task])
                yield outcome
            first = min(group[0].source, group[0].target, key=positions.__getitem__)
            self.prepared.drop_pairs(items[first].key)

        done = set()
        for outcome in self._compare_together(tile, items, views, pool):
            done.add(outcome.task)
            yield outcome
        tile = [task for task in tile if task not in done]
        # Pairs with one first representation are compared by one worker, which may keep products of a pair there.
        positions = {key: self.prepared.positions[item.key] for key, item in items.items()}
        groups = [
            list(group)
            for _, group in itertools.groupby(tile, lambda task: min(positions[task.source], positions[task.target]))
        ]
        yield from stream(compare, groups, pool)

    def _with_chance(self, outcomes: Sequence[Outcome], pairs: dict[Task, Pair], pool: Pool) -> Iterator[Outcome]:
        """Yield outcomes with the permutation results of their pairs."""
        assert self.null is not None  # noqa: S101 - it is asked for only then
        permuting = Permuting(self.null, self.prepared, self.device, self.watch, self.on_error)
        known = {outcome.task: outcome._replace(value_note=outcome.note) for outcome in outcomes}
        yield from (outcome for task, outcome in known.items() if task not in pairs)
        for pair, found in permuting.all_of(self.measures, list(pairs.values()), pool):
            yield known[pair.task].noting(found.note)._replace(chance=found.chance)

    def _with_intervals(self, outcomes: Sequence[Outcome], pairs: dict[Task, Pair], pool: Pool) -> Iterator[Outcome]:
        """Yield outcomes with the intervals of their values over samples."""
        assert self.bootstrap is not None  # noqa: S101 - it is asked for only then
        spread = pool.map if pool else map
        how = (self.bootstrap, self.measures, self.prepared, self.device, self.watch, self.on_error, spread)
        known = {outcome.task: outcome for outcome in outcomes}
        yield from (outcome for task, outcome in known.items() if task not in pairs)
        for pair, found in Resampling(*how).run(list(pairs.values())):
            yield known[pair.task].noting(found.note)._replace(interval=found.interval)

    def _compare_together(
        self,
        tile: list[Task],
        items: Mapping[str, Representation],
        views: Mapping[Task, tuple[View, View] | Exception],
        pool: Pool,
    ) -> Iterator[Outcome]:
        """Yield the outcomes of pairs that their measure compares in one call; the rest are compared one by one."""
        for name in dict.fromkeys(task.measure for task in tile):
            measure = self.measures[name]
            if type(measure).compare_many is Measure.compare_many:
                continue
            sides: dict[tuple[str, View], Side] = {}
            chosen: dict[Task, tuple[tuple[str, View], tuple[str, View]]] = {}
            for task in tile:
                pair = views[task]
                if task.measure != name or isinstance(pair, Exception):
                    continue
                both = (task.source, pair[0]), (task.target, pair[1])
                # What could not be prepared is reported where pairs are compared one by one.
                with contextlib.suppress(Exception):
                    sides.update({side: self.prepared.side(items[side[0]], side[1], measure) for side in both})
                    chosen[task] = both
            start = time.perf_counter()
            results = self._results_together(measure, sides, chosen, pool)
            made = [(task, result) for task, result in zip(chosen, results, strict=True) if result is not None]
            seconds = (time.perf_counter() - start) / max(len(made), 1)
            yield from (outcome_of(task, result, seconds, self._share(task)) for task, result in made)

    def _results_together(
        self,
        measure: Measure,
        sides: Mapping[tuple[str, View], Side],
        chosen: Mapping[Task, tuple[tuple[str, View], tuple[str, View]]],
        pool: Pool,
    ) -> list[Result | None]:
        """Return the results of pairs compared in one call; None for those that must be compared one by one."""
        position = {side: index for index, side in enumerate(sides)}
        pairs = [(position[one], position[other]) for one, other in chosen.values()]
        work = Activity(measure.name, pairs=tuple((task.source, task.target) for task in chosen))
        warned: list[str] = []
        try:
            with self.watch(work), hear() as here:
                spread = _heard_spread(pool.map if pool else map, warned, self._turns)
                values = measure.compare_many([side.state for side in sides.values()], pairs, spread)
                results = [
                    None if value is None else noted(judged(value), measure, sides[both[0]], sides[both[1]])
                    for value, both in zip(values, chosen.values(), strict=True)
                ]
                for side in sides.values():
                    if side.guard is not None:
                        side.guard.check(measure)
            # Comparing them one by one shows which pair a warning is about.
            return [None] * len(pairs) if warned or here else results
        except BaseException as error:
            failure = as_failure(measure, error)
            if self.on_error == OnError.raise_:
                raise failure from error
            return [failed(failure)] * len(pairs)

    def _compare(
        self, task: Task, items: Mapping[str, Representation], views: tuple[View, View] | Exception
    ) -> Outcome:
        measure = self.measures[task.measure]
        seconds = 0.0
        try:
            if isinstance(views, Exception):
                raise views
            a, b = (
                self._side(side, items[key], view, measure)
                for side, key, view in zip("RS", (task.source, task.target), views, strict=True)
            )
            start = time.perf_counter()
            with self.watch(Activity(task.measure, pairs=((task.source, task.target),))), hear() as warned:
                value = as_number(measure.name, measure.compare(a.state, b.state))
                result = noted(judged(value), measure, a, b, warned)
                for side in (a, b):
                    if side.guard is not None:
                        side.guard.check(measure)
            seconds = time.perf_counter() - start
        except DegenerateInputError as reason:
            result = Result(None, Status.undefined, str(reason))
        except BaseException as error:
            failure = as_failure(measure, error)
            # A damaged file is not a failure of the measure: it has to be recomputed, not recorded.
            if self.on_error == OnError.raise_ or isinstance(failure, ArtifactError):
                raise failure  # noqa: B904 - mostly the same
            result = failed(failure)
        return outcome_of(task, result, seconds, self._share(task))

    def _side(self, side: str, item: Representation, view: View, measure: Measure) -> Side:
        try:
            return self.prepared.side(item, view, measure)
        except DegenerateInputError as reason:
            raise DegenerateInputError(f"{side}: {reason}") from None

    def _share(self, task: Task) -> float:
        spent = self.prepared.seconds
        sides = [(key, task.measure) for key in (task.source, task.target)]
        return sum(spent[side] / self._uses[side] for side in sides if side in spent)


def _pairs(
    outcomes: Iterable[Outcome],
    items: Mapping[str, Representation],
    views: Mapping[Task, tuple[View, View] | Exception],
) -> dict[Task, Pair]:
    """Return the comparisons that have a value."""
    return {
        task: Pair(task, outcome.value, items[task.source], items[task.target], both)
        for outcome in outcomes
        for task, both in [(outcome.task, views[outcome.task])]
        if outcome.value is not None and not isinstance(both, Exception)
    }


def _heard_spread(spread: Spread, warned: list[str], turns: AbstractContextManager[Any]) -> Spread:
    """Return ``spread`` such that warnings of every piece of work, done in turn, are added to a list."""

    def heard(function: Callable[[Any], Any], items: Iterable[Any], /) -> Iterator[Any]:
        def call(item: Any) -> Any:
            with turns, hear() as texts:
                result = function(item)
            warned.extend(texts)
            return result

        return spread(call, items)

    return heard
