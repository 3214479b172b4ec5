"""Total work of several runs: each model and comparison counted once, and how long the rest takes."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import combinations, islice, permutations, product
from typing import TYPE_CHECKING, NamedTuple

from resi.estimates.rates import Estimate, Rates, measured_rates
from resi.measures.functional import FUNCTIONAL
from resi.measures.guard import needed_bytes
from resi.measures.shapes import pair_views
from resi.pipeline.keys import comparison_key, function_key, measure_key
from resi.pipeline.schedule import makespan
from resi.results.stored import Scope, read_stored
from resi.specs import layout_of
from resi.store.representations import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from resi.errors import ResiError
    from resi.groundings.base import Experiment
    from resi.measures.base import Measure
    from resi.measures.shapes import Sampling
    from resi.pipeline.plan import Plan
    from resi.results.summary import Stored
    from resi.specs import Layout, ModelSpec, ProbeSpec

Pair = tuple[str, str]
SINGLE_BYTES = 4
"""Models compute in single precision."""
LOOKED_UP = 100_000
"""Keys that are looked up at once."""


class Place(NamedTuple):
    """Where models and comparisons belong; none belongs to two places."""

    domain: str
    dataset: str
    architecture: str


class Kind(NamedTuple):
    """A measure with its version and parameters, or a function of outputs.

    Attributes
    ----------
    samples : int or None
        How many are compared at most (``compare.subsample``).
    null : int or None
        Number of permutations by which its values are calibrated; None for the measure itself.
    """

    name: str
    key: str
    symmetric: bool
    samples: int | None = None
    null: int | None = None


class Masks(NamedTuple):
    """Sets of measures, the symmetric ones and the others: bit i stands for the i-th kind."""

    symmetric: int
    directed: int


NO_MEASURES = Masks(0, 0)


@dataclass
class Work:
    """What runs need in one place.

    Attributes
    ----------
    size : tuple of int or None
        Samples and features of the last layer's representations, by which time is estimated.
    shapes : set of tuple of int
        Those of all layers that are compared, by which memory is.
    models : dict from ModelSpec to bool
        Whether each is trained.
    small : set of ModelSpec
        Those of them that are trained with one thread, several at a time.
    extractions : dict from (fingerprint, probe) to bool
        Whether the representations of a model are there.
    comparisons, left : Counter of Kind
        All of them, and those that are not stored.
    """

    place: Place
    size: tuple[int, int] | None
    models: dict[ModelSpec, bool] = field(default_factory=dict)
    extractions: dict[tuple[str, ProbeSpec], bool] = field(default_factory=dict)
    comparisons: Counter[Kind] = field(default_factory=Counter)
    left: Counter[Kind] = field(default_factory=Counter)
    shapes: set[tuple[int, ...]] = field(default_factory=set)
    small: set[ModelSpec] = field(default_factory=set)

    def memory_of(self, kind: Kind, measure: Measure, sampling: Sampling) -> int:
        """Return the bytes that comparing the largest two representations takes, as the measure says."""
        most = 0
        for shape in self.shapes or {size for size in (self.size,) if size}:
            sampled = (min(shape[0], kind.samples or shape[0]), *shape[1:])
            layout: Layout = layout_of(len(shape))
            views = pair_views(measure.name, (sampled, sampled), (layout, layout), measure.spatial, sampling)
            with contextlib.suppress(Exception):  # of a plugin: its comparisons fail with that, and take nothing
                first, second = (view.needed(sampled, SINGLE_BYTES) for view in views)
                most = max(most, needed_bytes(measure, first, second))
        return most

    def size_of(self, kind: Kind) -> tuple[int, int] | None:
        """Return the size of the representations that are compared, as (n_samples, n_features), if it is known."""
        if self.size is None or kind.samples is None:
            return self.size
        return min(self.size[0], kind.samples), self.size[1]

    @property
    def models_left(self) -> list[ModelSpec]:
        """The models to train."""
        return [model for model, is_there in self.models.items() if not is_there]

    @property
    def extractions_left(self) -> int:
        """How many models are to be run."""
        return sum(not is_there for is_there in self.extractions.values())


@dataclass
class Total:
    """What all runs need, by place, and what a data root knows about how long that takes."""

    works: list[Work]
    stored: Stored
    rates: Rates
    measures: dict[str, tuple[Measure, Sampling]] = field(default_factory=dict)
    """By the key of its kind, each measure and which rows of maps it compares."""

    def training_seconds(self, work: Work) -> tuple[float, int]:
        """Return the seconds of the trainings that can be estimated, and the number of the others."""
        found = [self.rates.training(model) for model in work.models_left]
        known = [estimate.seconds for estimate in found if estimate is not None]
        return sum(known), len(found) - len(known)

    def training_on(self, workers: int) -> float:
        """Return the seconds of the same trainings on so many workers, which share small models; others do not gain."""
        shared, alone = [], 0.0
        for work in self.works:
            for model in work.models_left:
                estimate = self.rates.training(model)
                if estimate is not None and model in work.small:
                    shared.append(estimate.seconds)
                elif estimate is not None:
                    alone += estimate.seconds
        return alone + makespan(shared, workers)

    def estimate(self, work: Work, kind: Kind) -> Estimate | None:
        """Return the time of one comparison, or None if it is unknown, as for calibrated ones."""
        return None if kind.null is not None else self.rates.comparison(kind.name, work.size_of(kind))

    def comparing_seconds(self, work: Work) -> tuple[float, int]:
        """Return the seconds of the comparisons that can be estimated, and the number of the others."""
        seconds, unknown = 0.0, 0
        for kind, count in work.left.items():
            estimate = self.estimate(work, kind)
            if estimate is not None:
                seconds += count * estimate.seconds
            elif kind.name not in FUNCTIONAL:  # the time of functions of outputs is negligible
                unknown += count
        return seconds, unknown

    def least_memory(self) -> int:
        """Return the bytes that the most demanding comparison left to do takes, as its measure says."""
        left = ((work, kind) for work in self.works for kind in work.left if kind.key in self.measures)
        return max((work.memory_of(kind, *self.measures[kind.key]) for work, kind in left), default=0)


def total_work(plans: Sequence[Plan], on_damage: Callable[[ResiError], None]) -> Total:
    """Add up what runs in one data root need.

    Parameters
    ----------
    on_damage : callable
        Called with the error for each table that cannot be read; it is left out.
    """
    scopes = {Scope(experiment.domain, experiment.dataset) for plan in plans for experiment in plan.experiments}
    stored = read_stored(plans[0].config.root, on_damage, scopes)
    tally = _Tally()
    for plan in plans:
        tally.add(plan, stored)
    remade = [plan.config.remade for plan in plans]
    usable = stored.without(failed=any(each.failed for each in remade), others=any(each.others for each in remade))
    works = tally.count(usable)
    trained = (model for work in works for model, is_there in work.models.items() if is_there)
    return Total(works, stored, measured_rates(stored, plans[0].model_store, trained), tally.measures)


class _Tally:
    """Models and comparisons of many plans, each once.

    Measures are bits of a number, so that the work grows with pairs of representations and not with measures: a sweep
    may have millions of comparisons.
    """

    def __init__(self) -> None:
        self._works: dict[Place, Work] = {}
        self._kinds: dict[Kind, int] = {}
        self.measures: dict[str, tuple[Measure, Sampling]] = {}
        self._masks_of: dict[tuple[object, ...], Masks] = {}
        self._sides: dict[int, tuple[Experiment, list[tuple[tuple[str, ...], Masks | None]]]] = {}
        self._wanted: dict[tuple[Place, tuple[str, ...]], Masks] = {}

    def add(self, plan: Plan, stored: Stored) -> None:
        """Add the work of a plan."""
        measures = self._masks(plan)
        for experiment in plan.experiments:
            place = Place(experiment.domain, experiment.dataset, experiment.architecture)
            if place not in self._works:
                self._works[place] = Work(place, stored.size(place) or _size(plan, experiment))
            if id(experiment) not in self._sides:  # a planner gives equal runs the same experiments
                self._sides[id(experiment)] = experiment, list(self._sides_of(plan, experiment))
                _add_models(plan, experiment, self._works[place])
                self._works[place].shapes |= set(_shapes(plan, experiment))
            for keys, of_outputs in self._sides[id(experiment)][1]:
                masks = measures if of_outputs is None else of_outputs
                known = self._wanted.get((place, keys), NO_MEASURES)
                self._wanted[place, keys] = Masks(known.symmetric | masks.symmetric, known.directed | masks.directed)

    def count(self, stored: Stored) -> list[Work]:
        """Return all work, with its comparisons counted."""
        pairs: dict[Place, defaultdict[tuple[Pair, bool], int]] = {place: defaultdict(int) for place in self._works}
        for (place, keys), masks in self._wanted.items():
            _add_pairs(pairs[place], keys, masks)
        for place, work in self._works.items():
            _count(work, pairs[place], list(self._kinds), stored)
        return list(self._works.values())

    def _bit(self, kind: Kind) -> int:
        return 1 << self._kinds.setdefault(kind, len(self._kinds))

    def _masks(self, plan: Plan) -> Masks:
        """Return a plan's measures."""
        config, sampled = plan.config, plan.config.compare.subsample
        key = (id(config.measures), sampled, plan.sampling, config.null)
        if key not in self._masks_of:
            masks = [0, 0]
            for (name, measure), null in product(config.measures.items(), config.nulls):
                key_of = measure_key(measure, sampled, plan.sampling, null)
                self.measures[key_of] = measure, plan.sampling
                masks[not measure.symmetric] |= self._bit(Kind(name, key_of, measure.symmetric, sampled, null))
            self._masks_of[key] = Masks(*masks)
        return self._masks_of[key]

    def _sides_of(self, plan: Plan, experiment: Experiment) -> Iterator[tuple[tuple[str, ...], Masks | None]]:
        """Yield the identities of all representations compared, then those of outputs and the functions of these."""
        yield plan.keys_of(experiment), None
        if experiment.functional:
            mask = 0
            for name in experiment.functional:
                mask |= self._bit(Kind(name, function_key(name), True))
            keys = (plan.representations.key(item.model, experiment.probe, OUTPUTS) for item in experiment.items)
            yield tuple(keys), Masks(mask, 0)


def _size(plan: Plan, experiment: Experiment) -> tuple[int, int] | None:
    model = experiment.items[0].model
    return plan.config.domain.representation_size(model.architecture, model.dataset, model.hyperparameters)


def _shapes(plan: Plan, experiment: Experiment) -> Iterator[tuple[int, ...]]:
    """Yield the shapes of the layers that are compared, if they are known."""
    domain, model = plan.config.domain, experiment.items[0].model
    for layer in dict.fromkeys(item.layer for item in experiment.items):
        shape = domain.layer_size(model.architecture, model.dataset, model.hyperparameters, layer)
        if shape is not None:
            yield shape


def _add_models(plan: Plan, experiment: Experiment, work: Work) -> None:
    for model in experiment.models:
        if model not in work.models:
            work.models[model] = plan.has_model(model)
            if plan.config.domain.is_small(model):
                work.small.add(model)
        extraction = model.fingerprint, experiment.probe
        if extraction not in work.extractions:
            work.extractions[extraction] = plan.representations.has(model, experiment.probe)


def _add_pairs(pairs: defaultdict[tuple[Pair, bool], int], keys: Sequence[str], masks: Masks) -> None:
    if masks.symmetric:
        for a, b in combinations(keys, 2):
            pairs[(a, b) if a < b else (b, a), True] |= masks.symmetric
    if masks.directed:
        for pair in permutations(keys, 2):
            pairs[pair, False] |= masks.directed


def _count(work: Work, pairs: dict[tuple[Pair, bool], int], kinds: Sequence[Kind], stored: Stored) -> None:
    """Count the comparisons of a place by kind; only those that may be stored are looked up one by one."""
    by_mask = Counter(pairs.values())
    work.comparisons = Counter()
    for mask, count in by_mask.items():
        for kind in _kinds(mask, kinds):
            work.comparisons[kind] += count
    work.left = Counter(work.comparisons)
    names = stored.measures(work.place)
    possible = sum(1 << bit for bit, kind in enumerate(kinds) if kind.name in names)
    if not possible:
        return
    wanted = (
        (kind, comparison_key(a, b, kind.key, symmetric))
        for ((a, b), symmetric), mask in pairs.items()
        for kind in _kinds(mask & possible, kinds)
    )
    while some := list(islice(wanted, LOOKED_UP)):
        there = stored.has([key for _, key in some])
        work.left.subtract(kind for (kind, _), is_there in zip(some, there, strict=True) if is_there)
    work.left = +work.left


def _kinds(mask: int, kinds: Sequence[Kind]) -> Iterator[Kind]:
    while mask:
        lowest = mask & -mask
        yield kinds[lowest.bit_length() - 1]
        mask ^= lowest
