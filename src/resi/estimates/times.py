"""Time of the remaining work and memory of comparisons, in total and by run."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import TYPE_CHECKING, NamedTuple

from resi.choices import Stage
from resi.estimates.rates import CPU, GPU, Estimate, Rates, measured_rates
from resi.estimates.work import FLOAT_BYTES, Amount, Masks, Part, Side, Work, of_mask, shapes_of
from resi.measures.functional import FUNCTIONAL
from resi.measures.guard import needed_bytes
from resi.measures.shapes import pair_views
from resi.pipeline.schedule import makespan
from resi.pipeline.share import may_be_on_gpu
from resi.specs import layout_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from resi.estimates.work import Kind, Shape, Shapes, Total
    from resi.measures.base import Measure
    from resi.measures.needs import Size
    from resi.measures.shapes import Sampling
    from resi.pipeline.plan import Plan
    from resi.specs import Layout, ModelSpec

TRAINS = (Stage.models, Stage.representations, Stage.all)
RUNS = (Stage.representations, Stage.all)
COMPARES = (Stage.compare, Stage.all)


class Seconds(NamedTuple):
    """Seconds of the steps of some work, as far as they are known."""

    train: Amount = Amount()
    extract: Amount = Amount()
    compare: Amount = Amount()

    @property
    def all(self) -> Amount:
        """Of all steps together."""
        return self.train.with_all(self.extract).with_all(self.compare)


class JobEstimate(NamedTuple):
    """What one run takes, if no other run does any of its work.

    Attributes
    ----------
    device : str
        On which its times are: ``cuda`` where the run may use a GPU.
    memory : int
        Bytes that its most demanding comparison takes.
    """

    device: str
    seconds: Seconds
    memory: int


@dataclass
class Times:
    """Times of some work on one device, by the rates of that device.

    Attributes
    ----------
    kinds_alike : dict
        Estimates that were made: there are few kinds and shapes, and many comparisons.
    """

    total: Total
    rates: Rates
    kinds_alike: dict[tuple[Kind, Shape | None], Estimate | None] = field(default_factory=dict)
    _of_masks: dict[tuple[int, int, Shapes], Amount] = field(default_factory=dict)

    def training(self, models: Iterable[ModelSpec]) -> Amount:
        """Return the seconds of making models."""
        return _sum(map(self.rates.training, models))

    def running(self, work: Work) -> Amount:
        """Return the seconds of running models over their probe sets, where that is left to do."""
        found = Amount()
        for model, times in work.running.items():
            estimate = self.rates.running(model)
            found = found.plus(None if estimate is None else estimate.seconds, times)
        return found

    def comparing(self, work: Work) -> Amount:
        """Return the seconds of the comparisons that are left."""
        found = Amount()
        for (kind, shapes), count in work.left_of.items():
            found = found.with_all(self._of_kind(work, kind, shapes, count))
        return found

    def by_measure(self) -> dict[str, tuple[float, bool]]:
        """Return the seconds of each measure that can be estimated, and whether all is measured with this data root."""
        found: dict[str, tuple[float, bool]] = {}
        for work in self.total.works:
            for (kind, shapes), count in work.left_of.items():
                if estimate := self.estimate(work, kind, shapes):
                    seconds, is_here = found.get(kind.name, (0.0, True))
                    found[kind.name] = seconds + count * estimate.seconds, is_here and estimate.is_measured_here
        return found

    def everything(self) -> Seconds:
        """Return the seconds of all work that is left."""
        found = [
            Seconds(self.training(work.models_left), self.running(work), self.comparing(work))
            for work in self.total.works
        ]
        return Seconds(*(_total(step) for step in zip(*found, strict=True))) if found else Seconds()

    def training_on(self, workers: int) -> float:
        """Return the seconds of all trainings on so many workers, which share small models; others do not gain."""
        shared, alone = [], 0.0
        for work in self.total.works:
            for model in work.models_left:
                estimate = self.rates.training(model)
                if estimate is not None and model in work.small:
                    shared.append(estimate.seconds)
                elif estimate is not None:
                    alone += estimate.seconds
        return alone + makespan(shared, workers)

    def estimate(self, work: Work, kind: Kind, shapes: Shapes = (None, None)) -> Estimate | None:
        """Return the time of one comparison, or None if it is unknown, as for calibrated ones.

        Of two shapes, it is the mean of what two of each take.
        """
        found = [self._of_shape(kind, shape or work.shape) for shape in dict.fromkeys(shapes)]
        known = [estimate for estimate in found if estimate is not None]
        if len(known) < len(found):
            return None
        seconds = sum(estimate.seconds for estimate in known) / len(known)
        return Estimate(seconds, all(estimate.is_measured_here for estimate in known))

    def of_masks(self, work: Work, mask: int, shapes: Shapes) -> Amount:
        """Return the seconds of comparing one pair by the measures of a mask."""
        key = id(work), mask, shapes
        if key not in self._of_masks:
            found = Amount()
            for kind in of_mask(mask, self.total.kinds):
                found = found.with_all(self._of_kind(work, kind, shapes, 1))
            self._of_masks[key] = found
        return self._of_masks[key]

    def _of_kind(self, work: Work, kind: Kind, shapes: Shapes, count: int) -> Amount:
        if kind.name in FUNCTIONAL:  # the time of functions of outputs is negligible
            return Amount()
        estimate = self.estimate(work, kind, shapes)
        return Amount().plus(None if estimate is None else estimate.seconds, count)

    def _of_shape(self, kind: Kind, shape: Shape | None) -> Estimate | None:
        if (kind, shape) not in self.kinds_alike:
            self.kinds_alike[kind, shape] = self._find(kind, shape)
        return self.kinds_alike[kind, shape]

    def _find(self, kind: Kind, shape: Shape | None) -> Estimate | None:
        if kind.null is not None:
            return None
        if shape is None or kind.key not in self.total.measures:
            return self.rates.comparison(kind.name, None)
        first, _ = _matrices(shape, kind, *self.total.measures[kind.key])
        return self.rates.comparison(kind.name, (first.n_samples, first.n_features))


def times_by_device(total: Total, plan: Plan) -> dict[str, Times]:
    """Return the times of some work on every device.

    Parameters
    ----------
    plan : Plan
        One of those that the work is of: all have the same data root.
    """
    rates = measured_rates(total.stored, plan.model_store, total.trained())
    return {device: Times(total, found) for device, found in rates.items()}


def devices_of(plans: Iterable[Plan]) -> list[str]:
    """Return the devices whose rates are those of runs: that of a GPU for those that may have one here."""
    asked = [plan.config.device for plan in plans]
    found = {device: GPU if may_be_on_gpu(device, os.environ) else CPU for device in dict.fromkeys(asked)}
    return [found[device] for device in asked]


class JobTimes:
    """What each of several runs takes by itself; what they have in common is looked up once.

    Parameters
    ----------
    times : mapping from device to Times
    """

    def __init__(self, total: Total, times: Mapping[str, Times]) -> None:
        self._total = total
        self._times = times
        self._made: dict[tuple[int, str], tuple[Amount, Amount]] = {}
        self._compared: dict[tuple[int, Masks, str], Amount] = {}
        self._memory: dict[tuple[int, Masks], int] = {}
        self._bytes: dict[tuple[Kind, Shape], int] = {}

    def all(self, plans: Sequence[Plan], is_finished: Callable[[Plan], bool]) -> list[JobEstimate]:
        """Return the estimates of runs, in the order in which the total work was made of them."""
        return [
            JobEstimate(device, Seconds(), 0) if is_finished(plan) else self._job(plan.config.stage, device, *work)
            for plan, device, work in zip(plans, devices_of(plans), self._total.parts, strict=True)
        ]

    def memory(self) -> int:
        """Return the bytes that the most demanding comparison left to do takes, as its measure says."""
        found = (
            self._bytes_of(kind, shape)
            for work in self._total.works
            for kind in work.left
            for shape in _known_shapes(work.shapes, work)
        )
        return max(found, default=0)

    def _job(self, stage: Stage, device: str, parts: Sequence[Part], masks: Masks) -> JobEstimate:
        trained, run, compared, memory = Amount(), Amount(), Amount(), 0
        for part in parts:
            makes = self._models(part, device)
            trained, run = trained.with_all(makes[0]), run.with_all(makes[1])
            compared = compared.with_all(self._comparisons(part, masks, device))
            memory = max(memory, self._memory_of(part, masks))
        seconds = Seconds(
            trained if stage in TRAINS else Amount(),
            run if stage in RUNS else Amount(),
            compared if stage in COMPARES else Amount(),
        )
        return JobEstimate(device, seconds, memory if stage in COMPARES else 0)

    def _models(self, part: Part, device: str) -> tuple[Amount, Amount]:
        """Return the seconds of making an experiment's models, and of running them."""
        key = id(part), device
        if key not in self._made:
            times = self._times[device]
            left = [model for work, model, _ in part.models if not work.models[model]]
            to_run = [model for work, model, probe in part.models if not work.extractions[model.fingerprint, probe]]
            self._made[key] = times.training(left), _sum(map(times.rates.running, to_run))
        return self._made[key]

    def _comparisons(self, part: Part, masks: Masks, device: str) -> Amount:
        key = id(part), masks, device
        if key not in self._compared:
            found = Amount()
            for side in part.sides:
                found = found.with_all(self._of_side(part.work, side, side.masks or masks, self._times[device]))
            self._compared[key] = found
        return self._compared[key]

    def _of_side(self, work: Work, side: Side, masks: Masks, times: Times) -> Amount:
        found = Amount()
        for mask, shapes, count in _left(work, side.keys, masks):
            one = times.of_masks(work, mask, shapes)
            found = found.with_all(Amount(one.known * count, one.unknown * count))
        return found

    def _memory_of(self, part: Part, masks: Masks) -> int:
        key = id(part), masks
        if key not in self._memory:
            shape_of = part.work.shape_of
            shapes = {shape_of[side] for side in part.sides[0].keys if side in shape_of}
            kinds = [*of_mask(masks.symmetric | masks.directed, self._total.kinds)]
            known = _known_shapes(shapes, part.work)
            self._memory[key] = max((self._bytes_of(kind, shape) for kind in kinds for shape in known), default=0)
        return self._memory[key]

    def _bytes_of(self, kind: Kind, shape: Shape) -> int:
        if (kind, shape) not in self._bytes:
            found = self._total.measures.get(kind.key)
            self._bytes[kind, shape] = 0 if found is None else comparing_bytes(shape, kind, *found)
        return self._bytes[kind, shape]


def comparing_bytes(shape: Shape, kind: Kind, measure: Measure, sampling: Sampling) -> int:
    """Return the bytes that comparing two representations of a shape takes, as the measure says."""
    with contextlib.suppress(Exception):  # of a plugin: its comparisons fail with that, and take nothing
        return needed_bytes(measure, *_matrices(shape, kind, measure, sampling))
    return 0


def _matrices(shape: Shape, kind: Kind, measure: Measure, sampling: Sampling) -> tuple[Size, Size]:
    """Return the sizes of the matrices that a measure sees of two representations of a shape."""
    sampled = (min(shape[0], kind.samples or shape[0]), *shape[1:])
    layout: Layout = layout_of(len(shape))
    first, second = pair_views(measure.name, (sampled, sampled), (layout, layout), measure.spatial, sampling)
    return first.needed(sampled, FLOAT_BYTES), second.needed(sampled, FLOAT_BYTES)


def _known_shapes(shapes: set[Shape], work: Work) -> set[Shape]:
    return shapes or {shape for shape in (work.shape,) if shape}


def _left(work: Work, keys: Sequence[str], masks: Masks) -> Iterator[tuple[int, Shapes, int]]:
    """Yield which measures are left to compare some pairs of representations, their shapes, and how many there are."""
    number = len(keys)
    if not work.stored and not any(key in work.shape_of for key in keys):
        yield masks.symmetric, (None, None), number * (number - 1) // 2
        yield masks.directed, (None, None), number * (number - 1)
        return
    counts: Counter[tuple[int, Shapes]] = Counter()
    if masks.symmetric:
        for a, b in combinations(keys, 2):
            pair = (a, b) if a < b else (b, a)
            counts[masks.symmetric & ~work.stored.get((pair, True), 0), shapes_of(work, pair)] += 1
    if masks.directed:
        for pair in permutations(keys, 2):
            counts[masks.directed & ~work.stored.get((pair, False), 0), shapes_of(work, pair)] += 1
    for (mask, shapes), count in counts.items():
        yield mask, shapes, count


def _sum(estimates: Iterable[Estimate | None]) -> Amount:
    found = Amount()
    for estimate in estimates:
        found = found.plus(None if estimate is None else estimate.seconds)
    return found


def _total(amounts: Iterable[Amount]) -> Amount:
    found = Amount()
    for amount in amounts:
        found = found.with_all(amount)
    return found
