"""Intervals of the values of a tile: its pairs are compared in many resampled draws while both sides are prepared.

A measure may give the values of many pairs and draws at once (:meth:`~resi.measures.base.Measure.resampled_values`). Of
any other the rows of a draw are prepared and compared like any, draw by draw, each representation once for all its
pairs.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.choices import OnError
from resi.engine.intervals import FEWEST_SAMPLES, Interval, interval, is_settled, power_of, replicated
from resi.engine.warned import hear
from resi.engine.watch import Activity
from resi.errors import DegenerateInputError, UsageError
from resi.measures.base import Measure
from resi.measures.guard import Guarded, as_failure, features_for, is_built_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch
    from torch import Tensor

    from resi.engine.cache import Prepared
    from resi.engine.intervals import Bootstrap
    from resi.engine.permuting import Pair
    from resi.engine.watch import Watch
    from resi.measures.base import Spread
    from resi.measures.shapes import View
    from resi.representation import Representation

    Key = tuple[str, View]
else:
    from resi.lazy import torch

COUNTS_BYTES = 2**26
"""Bytes of counts that are held at a time."""


class Found(NamedTuple):
    """The interval of a pair, or why there is none."""

    interval: Interval | None
    note: str = ""

    def taking(self, seconds: float) -> Found:
        """Return the same with its time."""
        return self if self.interval is None else self._replace(interval=self.interval._replace(seconds=seconds))


class _Drawn(NamedTuple):
    """State that a measure prepared for a draw of one side, or why there is none."""

    state: Any
    failure: Exception | None = None


@dataclass
class Resampling:
    """Computes the intervals of pairs.

    Parameters
    ----------
    measures : mapping
        By their names in tasks.
    prepared : Prepared
        Holds both sides of every pair.
    spread : callable
        Like ``map``, on all threads.
    """

    bootstrap: Bootstrap
    measures: Mapping[str, Measure]
    prepared: Prepared
    device: torch.device
    watch: Watch
    on_error: OnError
    spread: Spread

    def run(self, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Found]]:
        """Yield the interval of every pair."""
        left: list[Pair] = []
        for pair in pairs:
            try:
                units = self.bootstrap.units(pair.source.size[0])
            except UsageError as error:  # of representations of other samples than the first
                if self.on_error == OnError.raise_:
                    raise
                yield pair, Found(None, f"no interval: {error}")
                continue
            if units < FEWEST_SAMPLES:
                few = f"no interval: {units} samples are too few, at least {FEWEST_SAMPLES} are needed"
                yield pair, Found(None, few)
            else:
                left.append(pair)
        for name in dict.fromkeys(pair.task.measure for pair in left):
            if type(self.measures[name]).resampled_values is not Measure.resampled_values:
                together = self._together(self.measures[name], [pair for pair in left if pair.task.measure == name])
                yield from together
                done = {pair.task for pair, _ in together}
                left = [pair for pair in left if pair.task not in done]
        kinds: defaultdict[tuple[int, bool], list[Pair]] = defaultdict(list)
        for pair in left:
            kinds[pair.source.size[0], self.measures[pair.task.measure].copies].append(pair)
        for (n_samples, copies), group in kinds.items():
            yield from self._draw_by_draw(group, n_samples, copies)

    def _together(self, measure: Measure, pairs: Sequence[Pair]) -> list[tuple[Pair, Found]]:
        """Return the intervals of the pairs that a measure compares in many draws at once."""
        found: list[tuple[Pair, Found]] = []
        kinds: defaultdict[Any, list[Pair]] = defaultdict(list)
        for pair in pairs:
            kinds[pair.source.size[0], _rows_of(pair)].append(pair)
        for group in kinds.values():
            start = time.perf_counter()
            drawn = self._all_draws(measure, group)
            seconds = (time.perf_counter() - start) / len(group)
            for pair, values in zip(group, drawn, strict=True):
                if values is not None:
                    found.append((pair, self._judged(pair, values).taking(seconds)))
        return found

    def _all_draws(self, measure: Measure, pairs: Sequence[Pair]) -> Sequence[Tensor | Exception | None]:
        """Return the values of all draws for pairs whose rows belong to the same samples."""
        first = pairs[0]
        n_samples = first.source.size[0]
        sides = {key: self.prepared.side(item, key[1], measure) for pair in pairs for item, key in _sides(pair)}
        position = {key: index for index, key in enumerate(sides)}
        indices = [(position[_sides(pair)[0][1]], position[_sides(pair)[1][1]]) for pair in pairs]
        rows = first.views[0].samples(first.source.size)
        parts: list[Sequence[Tensor | None]] = []
        try:
            for numbers in _chunks(self.bootstrap.draws, max(1, COUNTS_BYTES // (8 * len(rows)))):
                counts = self.bootstrap.counts(n_samples, numbers, measure.copies)[:, rows].double().to(self.device)
                work = Activity(measure.name, pairs=tuple(pair.task[:2] for pair in pairs), times=len(numbers))
                with self.watch(work), hear():
                    states = [side.state for side in sides.values()]
                    parts.append(measure.resampled_values(states, indices, counts, self.spread))
        except BaseException as error:
            failure = self._failure(measure, error)
            # Drawing each pair alone shows which one it is about.
            return [failure] if len(pairs) == 1 else [self._all_draws(measure, [pair])[0] for pair in pairs]
        return [_joined(of_pair) for of_pair in zip(*parts, strict=True)]

    def _draw_by_draw(self, pairs: Sequence[Pair], n_samples: int, copies: bool) -> Iterator[tuple[Pair, Found]]:
        """Yield the intervals of pairs that are compared one by one in every draw."""
        start = time.perf_counter()
        values = torch.full((self.bootstrap.draws, len(pairs)), torch.nan, dtype=torch.float64)
        failed: dict[int, Exception] = {}
        for number in range(self.bootstrap.draws):
            counts = self.bootstrap.counts(n_samples, range(number, number + 1), copies)[0]
            for index, value in self._one_draw(pairs, counts, set(failed)):
                if isinstance(value, Exception):
                    failed[index] = value
                else:
                    values[number, index] = value
        seconds = (time.perf_counter() - start) / len(pairs)
        for index, pair in enumerate(pairs):
            yield pair, self._judged(pair, failed.get(index, values[:, index])).taking(seconds)

    def _one_draw(
        self, pairs: Sequence[Pair], counts: Tensor, failed: set[int]
    ) -> Iterator[tuple[int, float | Exception]]:
        """Yield the values of pairs in one draw by their place, or the error of those that failed."""
        wanted = [index for index in range(len(pairs)) if index not in failed]
        needed: dict[Key, tuple[Representation, dict[str, Measure]]] = {}
        for index in wanted:
            measure = self.measures[pairs[index].task.measure]
            for item, key in _sides(pairs[index]):
                needed.setdefault(key, (item, {}))[1][measure.name] = measure

        def prepare(key: Key) -> dict[str, _Drawn]:
            item, measures = needed[key]
            return self._drawn(item, key[1], list(measures.values()), counts)

        states = dict(zip(needed, self.spread(prepare, needed), strict=True))

        def compare(group: list[int]) -> list[tuple[int, float | Exception]]:
            return [(index, self._compared(pairs[index], states)) for index in group]

        # Pairs with one first representation are compared by one worker, as they may keep what belongs to a pair there.
        positions = self.prepared.positions

        def first(index: int) -> int:
            return min(positions[item.key] for item, _ in _sides(pairs[index]))

        groups = [list(group) for _, group in itertools.groupby(sorted(wanted, key=first), first)]
        for found in self.spread(compare, groups):
            yield from found

    def _drawn(
        self, item: Representation, view: View, measures: Sequence[Measure], counts: Tensor
    ) -> dict[str, _Drawn]:
        """Return the states that measures prepare for a draw of one side."""
        features = self.prepared.features(item, view)
        of_rows = counts[view.samples(item.size)]
        given = features.given[torch.arange(len(of_rows)).repeat_interleave(of_rows).to(self.device)]
        shared = None
        found = {}
        for measure in measures:
            own = shared if is_built_in(measure) else None
            try:
                with self.watch(Activity(measure.name, representation=item.key)), hear():
                    own = own or features_for(measure, given, features.dtype, features.position)
                    found[measure.name] = _Drawn(measure.prepare(own))
                    if isinstance(own, Guarded):
                        own.check(measure)
                    else:
                        shared = own
            except BaseException as error:
                found[measure.name] = _Drawn(None, as_failure(measure, error).with_traceback(None))
        return found

    def _compared(self, pair: Pair, states: Mapping[Key, Mapping[str, _Drawn]]) -> float | Exception:
        """Return the value of a pair in one draw, NaN where there is none, or the error that it failed with."""
        measure = self.measures[pair.task.measure]
        a, b = (states[key][measure.name] for _, key in _sides(pair))
        try:
            for side in (a, b):
                if side.failure is not None:
                    raise side.failure
            with self.watch(Activity(measure.name, pairs=(pair.task[:2],))), hear():
                return float(measure.compare(a.state, b.state))
        except DegenerateInputError:
            return float("nan")
        except BaseException as error:
            return self._failure(measure, error)

    def _judged(self, pair: Pair, drawn: Tensor | Exception) -> Found:
        if isinstance(drawn, Exception):
            text = " ".join(f"{type(drawn).__name__}: {drawn}".split())
            return Found(None, f"no interval, as there is no value of the samples drawn: {text}")
        measure = self.measures[pair.task.measure]
        units = self.bootstrap.units(pair.source.size[0])
        values = drawn.cpu().numpy()
        if not measure.copies and is_settled(pair.value, values, measure.self_value):
            return Found(None, f"no interval: values of half the {units} samples say little; more samples are needed")
        scatter = replicated(pair.value, values, units, copies=measure.copies, power=power_of(measure))
        found = interval(pair.value, scatter, units, measure.self_value, measure.larger_is_more_similar)
        if found is None:
            missing = int((~drawn.isfinite()).sum())
            return Found(None, f"no interval: {missing} of {len(scatter)} draws of samples have no value")
        return Found(found._replace(replicates=tuple(scatter.tolist())) if self.bootstrap.keep else found)

    def _failure(self, measure: Measure, error: BaseException) -> Exception:
        failure = as_failure(measure, error)
        if self.on_error == OnError.raise_ and not isinstance(failure, DegenerateInputError):
            raise failure
        return failure.with_traceback(None)


def _sides(pair: Pair) -> tuple[tuple[Representation, Key], tuple[Representation, Key]]:
    return (pair.source, (pair.source.key, pair.views[0])), (pair.target, (pair.target.key, pair.views[1]))


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    known = [part for part in parts if part is not None]
    return torch.cat(known) if len(known) == len(parts) else None


def _rows_of(pair: Pair) -> tuple[int, int, int | None, int]:
    """Return what determines the samples that the rows of a pair belong to."""
    view = pair.views[0]
    rows = view.size(pair.source.size)[0]
    return pair.source.size[0], rows, view.rows, view.step


def _chunks(total: int, step: int) -> Iterator[range]:
    return (range(start, min(start + step, total)) for start in range(0, total, step))
