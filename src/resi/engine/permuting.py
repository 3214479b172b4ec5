"""Permuted values for the pairs of a tile: the second side of each is permuted while both sides are prepared.

A measure may give the values of many pairs and orders at once (:meth:`~resi.measures.base.Measure.permuted_values`), or
give its state for permuted rows (:meth:`~resi.measures.base.Measure.permuted`). For any other measure the permuted
rows are prepared again, and then compared like any.
"""

from __future__ import annotations

import functools
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.choices import OnError
from resi.engine.chance import TIE, TIE_SINGLE, Chance, direction, stands_out
from resi.engine.warned import hear
from resi.engine.watch import Activity
from resi.engine.workers import stream
from resi.errors import DegenerateInputError, UsageError
from resi.measures.base import Measure
from resi.measures.guard import Guarded, as_failure, features_for
from resi.measures.shapes import as_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor

    import torch
    from torch import Tensor

    from resi.engine.cache import Prepared, Side
    from resi.engine.chance import Null
    from resi.engine.tiles import Task
    from resi.engine.watch import Watch
    from resi.measures.base import Spread
    from resi.measures.features import Features
    from resi.measures.shapes import View
    from resi.representation import Representation
else:
    from resi.lazy import torch

TOGETHER = 2048
"""Number of pairs that are permuted at a time, before their outcomes are yielded."""
ORDER_BYTES = 2**26
"""Bytes of orders that are held at a time."""
PRIVATE = -1
"""The place of what is permuted among representations: first, so that it keeps what belongs to a pair, and no other
thread sees that."""


class Found(NamedTuple):
    """Permutation result of a pair, or why there is none."""

    chance: Chance | None
    note: str = ""

    def taking(self, seconds: float) -> Found:
        """Return the same with its time."""
        return self if self.chance is None else self._replace(chance=self.chance._replace(seconds=seconds))


class Pair(NamedTuple):
    """A comparison with its value and both sides."""

    task: Task
    value: float
    source: Representation
    target: Representation
    views: tuple[View, View]


@dataclass
class Permuting:
    """Computes the permutation results of pairs.

    Parameters
    ----------
    prepared : Prepared
        Holds both sides of every pair.
    """

    null: Null
    prepared: Prepared
    device: torch.device
    watch: Watch
    on_error: OnError
    _best: dict[tuple[str, str, View], float] = field(default_factory=dict)
    _orders: dict[int, Tensor] = field(default_factory=dict)

    def all_of(
        self, measures: Mapping[str, Measure], pairs: Sequence[Pair], pool: ThreadPoolExecutor | None
    ) -> Iterator[tuple[Pair, Found]]:
        """Yield the permutation results of pairs, measure by measure."""
        for name in dict.fromkeys(pair.task.measure for pair in pairs):
            measure = measures[name]
            of_measure = [pair for pair in pairs if pair.task.measure == name]
            for start in range(0, len(of_measure), TOGETHER):
                part = of_measure[start : start + TOGETHER]
                found = list(zip(part, self.together(measure, part, pool.map if pool else map), strict=True))
                yield from ((pair, one) for pair, one in found if one is not None)
                rest = by_target([pair for pair, one in found if one is None])
                yield from stream(functools.partial(self.one_by_one, measure), rest, pool)

    def together(self, measure: Measure, pairs: Sequence[Pair], spread: Spread) -> list[Found | None]:
        """Return the results of many pairs from one call; None for those that must be compared one by one."""
        found: list[Found | None] = [None] * len(pairs)
        if type(measure).permuted_values is Measure.permuted_values:
            return found
        # Orders of rows differ with the number of rows.
        for size in dict.fromkeys(_sizes(pair) for pair in pairs):
            chosen = [number for number, pair in enumerate(pairs) if _sizes(pair) == size]
            start = time.perf_counter()
            of_size = self._of_size(measure, [pairs[number] for number in chosen], spread)
            seconds = (time.perf_counter() - start) / len(chosen)
            for number, one in zip(chosen, of_size, strict=True):
                found[number] = one and one.taking(seconds)
        return found

    def _of_size(self, measure: Measure, pairs: Sequence[Pair], spread: Spread) -> list[Found | None]:
        sides: dict[tuple[str, View], Side] = {}
        for pair in pairs:
            for item, view in zip((pair.source, pair.target), pair.views, strict=True):
                sides[item.key, view] = self.prepared.side(item, view, measure)
        position = {side: index for index, side in enumerate(sides)}
        indices = [(position[p.source.key, p.views[0]], position[p.target.key, p.views[1]]) for p in pairs]
        states = [side.state for side in sides.values()]
        first = pairs[0]
        parts: list[Sequence[Tensor | None]] = []
        try:
            for numbers in self._chunks(first.target.size[0]):
                orders = self.null.orders(first.target.size[0], numbers).to(self.device)
                rows = first.views[1].reordered(first.target.size, orders)
                if rows is None:
                    return [None] * len(pairs)
                work = Activity(measure.name, pairs=tuple(p.task[:2] for p in pairs), times=len(numbers))
                with self.watch(work), hear():
                    parts.append(measure.permuted_values(states, indices, rows, spread))
        except BaseException as error:
            failure = self._failed(measure, error)
            # Permuting each pair alone shows which one it is about.
            return [failure] if len(pairs) == 1 else [self._of_size(measure, [pair], spread)[0] for pair in pairs]
        return [
            None if any(part is None for part in of_pair) else self._judged(measure, pair, torch.cat(of_pair))
            for pair, of_pair in zip(pairs, zip(*parts, strict=True), strict=True)
        ]

    def _order(self, n_samples: int, number: int) -> Tensor:
        """Return one order; all orders are kept if they are few."""
        if 8 * n_samples * self.null.permutations > ORDER_BYTES:
            return torch.from_numpy(self.null.order(n_samples, number)).to(self.device)
        if n_samples not in self._orders:
            self._orders[n_samples] = self.null.orders(n_samples, range(self.null.permutations)).to(self.device)
        return self._orders[n_samples][number]

    def _chunks(self, n_samples: int) -> Iterator[range]:
        step = max(1, ORDER_BYTES // (8 * n_samples))
        count = self.null.permutations
        return (range(start, min(start + step, count)) for start in range(0, count, step))

    def one_by_one(self, measure: Measure, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Found]]:
        """Yield the permutation results of pairs with the same second side, which is permuted once for all of them."""
        start = time.perf_counter()
        found = self._of_target(measure, pairs)
        seconds = (time.perf_counter() - start) / len(pairs)
        return ((pair, one.taking(seconds)) for pair, one in zip(pairs, found, strict=True))

    def _of_target(self, measure: Measure, pairs: Sequence[Pair]) -> list[Found]:
        target, view = pairs[0].target, pairs[0].views[1]
        values = torch.empty((len(pairs), self.null.permutations), dtype=torch.float64)
        failed: dict[int, Found] = {}
        work = Activity(measure.name, pairs=tuple(pair.task[:2] for pair in pairs))
        try:
            others = [self.prepared.side(pair.source, pair.views[0], measure) for pair in pairs]
            for number in range(self.null.permutations):
                order = self._order(target.size[0], number)
                with self.watch(work), hear():
                    side = self._permuted(measure, target, view, order)
                    for index, other in enumerate(others):
                        if index in failed:
                            continue
                        try:
                            values[index, number] = float(measure.compare(other.state, side))
                        except Exception as error:
                            failed[index] = self._failed(measure, error)
            for other in others:
                if other.guard is not None:
                    other.guard.check(measure)
        except BaseException as error:
            return [self._failed(measure, error)] * len(pairs)
        return [failed.get(index) or self._judged(measure, pair, values[index]) for index, pair in enumerate(pairs)]

    def _permuted(self, measure: Measure, item: Representation, view: View, order: Tensor) -> Any:
        """Return the state of a side with its samples in another order."""
        rows = view.reordered(item.size, order)
        known = self.prepared.side(item, view, measure)
        if rows is not None:
            state = measure.permuted(known.state, rows)
            if state is not None:
                return state
        features = self.prepared.features(item, view)
        if rows is not None:
            matrix = features.given[rows]
        else:
            array = as_tensor(measure.name, item.name, item.load(), item.layout)
            matrix = view.matrix(array[order.to(array.device)].to(self.device))
        return _prepared(measure, features_for(measure, matrix, features.dtype, PRIVATE))

    def _judged(self, measure: Measure, pair: Pair, values: Tensor) -> Found:
        drawn = values.double().cpu().numpy()
        if not bool(torch.isfinite(values).all()):
            return Found(
                None, "no value of chance: the measure returned no finite value for some orders of the samples"
            )
        try:
            with hear():
                best = self._best_value(measure, pair)
        except Exception:  # a measure that is undefined for a representation with itself has no best value
            best = None
        single = any(
            self.prepared.features(item, view).single
            for item, view in zip((pair.source, pair.target), pair.views, strict=True)
        )
        tie = max(TIE_SINGLE if single else TIE, measure.resolution)
        chance = stands_out(pair.value, drawn, larger_is_more_similar=direction(measure), best=best, tie=tie)
        chance = chance._replace(**self._exact(measure, pair))
        if self.null.keep:
            chance = chance._replace(values=tuple(drawn.tolist()))
        is_constant = drawn.max() - drawn.min() <= tie * abs(drawn).max()
        return Found(chance, self._note(pair, chance, is_constant))

    def _exact(self, measure: Measure, pair: Pair) -> dict[str, Any]:
        """Return the exact moments over all orders of the samples, where they are known and every order is possible."""
        if self.null.blocks is not None or any(
            view.size(item.size)[0] != item.size[0]
            for item, view in zip((pair.source, pair.target), pair.views, strict=True)
        ):
            return {}
        sides = (
            self.prepared.side(pair.source, pair.views[0], measure),
            self.prepared.side(pair.target, pair.views[1], measure),
        )
        found = measure.chance_moments(*(side.state for side in sides))
        if found is None:
            return {}
        of = "square" if found.of_square else "value"
        return {"exact_mean": found.mean, "exact_variance": found.variance, "exact_of": of}

    def _best_value(self, measure: Measure, pair: Pair) -> float | None:
        """Return the best possible value, if the measure states it."""
        if measure.self_value is not None or not measure.knows_direction:
            return measure.self_value
        found = []
        for item, view in zip((pair.source, pair.target), pair.views, strict=True):
            key = (measure.name, item.key, view)
            if key not in self._best:
                same = torch.arange(item.size[0], device=self.device)
                other = self._permuted(measure, item, view, same)
                self._best[key] = float(measure.compare(self.prepared.side(item, view, measure).state, other))
            found.append(self._best[key])
        return max(found) if measure.larger_is_more_similar else min(found)

    def _note(self, pair: Pair, chance: Chance, is_constant: bool) -> str:
        if is_constant:
            return (
                "every order of the samples gives the same value: it does not depend on which samples belong together"
            )
        if chance.p_value is None:
            return "no p-value: the function does not say whether larger values are more similar"
        possible = self.null.possible(pair.target.size[0])
        if possible <= self.null.permutations:
            return f"only {possible:.0f} orders of the samples are possible: p-values below 1/{possible:.0f} are not"
        return ""

    def _failed(self, measure: Measure, error: BaseException) -> Found:
        failure = as_failure(measure, error)
        if self.on_error == OnError.raise_ and not isinstance(failure, DegenerateInputError):
            raise failure from error
        if isinstance(failure, UsageError):  # about how to permute
            return Found(None, f"no value of chance: {failure}")
        text = " ".join(f"{type(failure).__name__}: {failure}".split())
        return Found(None, f"no value of chance, as there is none for permuted samples: {text}")


def by_target(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Return pairs in groups of one second side."""

    def side(pair: Pair) -> tuple[str, str, str]:
        return pair.task.measure, pair.task.target, repr(pair.views[1])

    return [list(group) for _, group in itertools.groupby(sorted(pairs, key=side), side)]


def _sizes(pair: Pair) -> tuple[View, tuple[int, ...]]:
    """Return what an order of the rows of the second side depends on."""
    return pair.views[1], pair.target.size[:1] if len(pair.target.size) == 2 else pair.target.size


def _prepared(measure: Measure, features: Features) -> Any:
    state = measure.prepare(features)
    if isinstance(features, Guarded):
        features.check(measure)
    return state
