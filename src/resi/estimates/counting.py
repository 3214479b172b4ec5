"""Counting the work of several runs: each model and comparison once, and what is left to do."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import combinations, islice, permutations, product
from typing import TYPE_CHECKING

from resi.estimates.work import (
    FLOAT_BYTES,
    HEADER_BYTES,
    LOOKED_AT,
    LOOKED_UP,
    MODEL_HEADER_BYTES,
    NO_MEASURES,
    Kind,
    Layer,
    Made,
    Masks,
    Pair,
    Part,
    Place,
    Shape,
    Shapes,
    Side,
    Total,
    Work,
    of_mask,
    shapes_of,
)
from resi.pipeline.keys import comparison_key, function_key, measure_key
from resi.results.stored import Scope, read_stored
from resi.store.representations import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from resi.errors import ResiError
    from resi.groundings.base import Experiment
    from resi.measures.base import Measure
    from resi.measures.shapes import Sampling
    from resi.pipeline.plan import Plan
    from resi.results.summary import Stored
    from resi.specs import ModelSpec, ProbeSpec


def total_work(plans: Sequence[Plan], on_damage: Callable[[ResiError], None]) -> Total:
    """Add up the work of runs in one data root.

    Parameters
    ----------
    on_damage : callable
        Called with the error for each table that cannot be read; it is left out.
    """
    scopes = {Scope(*plan.places) for plan in plans}
    stored = read_stored(plans[0].config.root, on_damage, scopes)
    tally = _Tally()
    for plan in plans:
        tally.add(plan, stored)
    remade = [plan.config.remade for plan in plans]
    usable = stored.without(failed=any(each.failed for each in remade), others=any(each.others for each in remade))
    return tally.count(usable, stored)


def models_of(plans: Sequence[Plan], stored: Stored) -> list[Work]:
    """Return the models and representations that runs need, without their comparisons."""
    tally = _Tally()
    for plan in plans:
        tally.add_models(plan, stored)
    return tally.works


class _Tally:
    """Models and comparisons of many plans, each once.

    Measures are bits of a number, so that the work grows with pairs of representations and not with measures: a sweep
    may have millions of comparisons.
    """

    def __init__(self) -> None:
        self._works: dict[Place, Work] = {}
        self._kinds: dict[Kind, int] = {}
        self._measures: dict[str, tuple[Measure, Sampling]] = {}
        self._masks_of: dict[tuple[object, ...], Masks] = {}
        self._parts: dict[int, Part] = {}
        self._seen: dict[int, tuple[Work, tuple[Made, ...]]] = {}
        self._wanted: dict[tuple[Place, tuple[str, ...]], Masks] = {}
        self._plans: list[tuple[list[Part], Masks]] = []

    @property
    def works(self) -> list[Work]:
        """All work, of which :meth:`count` counts the comparisons."""
        return list(self._works.values())

    def add(self, plan: Plan, stored: Stored) -> None:
        """Add the work of a plan."""
        measures = self._masks(plan)
        parts = []
        self.add_models(plan, stored)
        for experiment in plan.experiments:
            work, models = self._seen[id(experiment)]
            if id(experiment) not in self._parts:
                self._parts[id(experiment)] = Part(work, models, tuple(self._sides_of(plan, experiment)))
                _add_shapes(plan, experiment, work, self._parts[id(experiment)].sides[0].keys)
            part = self._parts[id(experiment)]
            parts.append(part)
            for side in part.sides:
                masks = measures if side.masks is None else side.masks
                known = self._wanted.get((work.place, side.keys), NO_MEASURES)
                self._wanted[work.place, side.keys] = Masks(
                    known.symmetric | masks.symmetric, known.directed | masks.directed
                )
        self._plans.append((parts, measures))

    def add_models(self, plan: Plan, stored: Stored) -> None:
        """Add the models and representations of a plan: each where it belongs, whoever else compares it."""
        for experiment in plan.experiments:
            if id(experiment) in self._seen:  # a planner gives equal runs the same experiments
                continue
            work = self._work(experiment.domain, experiment.dataset, experiment.architecture)
            work.shape = work.shape or stored.size(work.place) or _size(plan, experiment)
            models = tuple(
                Made(self._work(model.domain, model.dataset, model.architecture), model, probe)
                for model, probe in _probes(experiment)
            )
            self._seen[id(experiment)] = work, models
            _add_models(plan, models)

    def _work(self, domain: str, dataset: str, architecture: str) -> Work:
        place = Place(domain, dataset, architecture)
        if place not in self._works:
            self._works[place] = Work(place, None)
        return self._works[place]

    def count(self, usable: Stored, stored: Stored) -> Total:
        """Return all work, with its comparisons counted.

        Parameters
        ----------
        usable : Stored
            The comparisons that are not made again.
        """
        kinds = list(self._kinds)
        pairs = self._pairs()
        for place, work in self._works.items():
            _count(work, pairs[place], kinds, usable)
        return Total(self.works, stored, self._measures, kinds, self._plans)

    def _pairs(self) -> dict[Place, defaultdict[tuple[Pair, bool], int]]:
        """Return all pairs by place, each with its measures; runs that overlap have most of theirs in common."""
        alike: defaultdict[tuple[Place, bool, int], dict[Pair, None]] = defaultdict(dict)
        for (place, keys), masks in self._wanted.items():
            if masks.symmetric:
                alike[place, True, masks.symmetric].update(dict.fromkeys(combinations(sorted(keys), 2)))
            if masks.directed:
                alike[place, False, masks.directed].update(dict.fromkeys(permutations(keys, 2)))
        pairs: dict[Place, defaultdict[tuple[Pair, bool], int]] = {place: defaultdict(int) for place in self._works}
        for (place, is_symmetric, mask), found in alike.items():
            for pair in found:
                pairs[place][pair, is_symmetric] |= mask
        return pairs

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
                self._measures[key_of] = measure, plan.sampling
                masks[not measure.symmetric] |= self._bit(Kind(name, key_of, measure.symmetric, sampled, null))
            self._masks_of[key] = Masks(*masks)
        return self._masks_of[key]

    def _sides_of(self, plan: Plan, experiment: Experiment) -> Iterator[Side]:
        """Yield the identities of all representations compared, then those of outputs and the functions of these."""
        yield Side(plan.keys_of(experiment), None)
        if experiment.functional:
            mask = 0
            for name in experiment.functional:
                mask |= self._bit(Kind(name, function_key(name), True))
            keys = (plan.representations.key(item.model, experiment.probe, OUTPUTS) for item in experiment.items)
            yield Side(tuple(keys), Masks(mask, 0))


def _size(plan: Plan, experiment: Experiment) -> Shape | None:
    model = experiment.items[0].model
    return plan.config.domain.representation_size(model.architecture, plan.dataset.name, model.hyperparameters)


def _layer_shapes(plan: Plan, model: ModelSpec, layers: Sequence[str]) -> dict[str, Shape | None]:
    """Return the shapes of layers as far as they are known."""
    about = model.architecture, plan.dataset.name, model.hyperparameters
    return {layer: plan.config.domain.layer_size(*about, layer) for layer in layers}


def _add_shapes(plan: Plan, experiment: Experiment, work: Work, keys: Sequence[str]) -> None:
    """Note the shapes of the layers that are compared; those of one architecture are alike in all its models."""
    found: dict[tuple[str, str, str], Shape | None] = {}
    for item in experiment.items:
        place = item.model.architecture, item.model.dataset, item.layer
        if place not in found:
            found[place] = _layer_shapes(plan, item.model, [item.layer])[item.layer]
    work.shapes |= {shape for shape in found.values() if shape is not None}
    if len(found) == 1:  # the last layer's, whose size the stored comparisons tell best
        return
    for item, key in zip(experiment.items, keys, strict=True):
        shape = found[item.model.architecture, item.model.dataset, item.layer]
        if shape is not None:
            work.shape_of[key] = shape


def _probes(experiment: Experiment) -> Iterator[tuple[ModelSpec, ProbeSpec]]:
    """Yield every model of an experiment, each once, with what it is run over."""
    found = {
        (item.model.fingerprint, probe): item.model
        for item in experiment.items
        for probe in (experiment.probe_of(item),)
    }
    return ((model, probe) for (_, probe), model in found.items())


def _add_models(plan: Plan, models: Iterable[Made]) -> None:
    """Add models that were planned together: those of one setting differ in their seed alone."""
    domain, has = plan.config.domain, plan.representations.has
    weights: dict[tuple[str, str, str, bool], float | None] = {}
    sizes: dict[tuple[str, str, str, ProbeSpec], list[int | None]] = {}
    for work, model, probe in models:
        kind = model.architecture, model.dataset, model.setting
        if model not in work.models:
            work.models[model] = plan.has_model(model)
            if not work.models[model]:
                of = *kind, bool(model.checkpoint)
                if of not in weights:
                    weights[of] = _weight_bytes(plan, model)
                work.weights = work.weights.plus(weights[of])
            if domain.is_small(model):
                work.small.add(model)
        extraction = model.fingerprint, probe
        if extraction in work.extractions:
            continue
        is_there = work.extractions[extraction] = has(model, probe)
        if not is_there:
            work.running[model] += 1
            if (*kind, probe) not in sizes:
                sizes[*kind, probe] = _layer_bytes(plan, model, probe)
        _add_layers(work, model, probe, None if is_there else sizes[*kind, probe])


def _weight_bytes(plan: Plan, model: ModelSpec) -> float | None:
    """Return what the file of a model takes; where that is not known, what others of its kind do that are there."""
    weights = plan.config.domain.weight_bytes(model)
    if weights is not None:
        return weights + MODEL_HEADER_BYTES
    alike = islice(plan.model_store.path(model).parent.glob("*.safetensors"), LOOKED_AT)
    sizes = [path.stat().st_size for path in alike]
    return sum(sizes) / len(sizes) if sizes else None


def _layer_bytes(plan: Plan, model: ModelSpec, probe: ProbeSpec) -> list[int | None]:
    """Return what the files of a model's layers take, and last that of its outputs."""
    shapes = _layer_shapes(plan, model, probe.layers)
    outputs = _output_shape(plan.config.domain.classes_of(model), shapes)
    return [
        None if shape is None else FLOAT_BYTES * math.prod(shape) + HEADER_BYTES
        for shape in (*shapes.values(), outputs)
    ]


def _output_shape(classes: int | None, shapes: Mapping[str, Shape | None]) -> Shape | None:
    known = next((shape for shape in shapes.values() if shape is not None), None)
    return None if known is None or classes is None else (known[0], classes)


def _add_layers(work: Work, model: ModelSpec, probe: ProbeSpec, sizes: Sequence[int | None] | None) -> None:
    """Note what an extraction writes; nothing where it is there, of which no sizes are given."""
    names = [Layer(model.fingerprint, probe.probe, probe.pooling, layer) for layer in (*probe.layers, OUTPUTS)]
    if sizes is None:
        work.layers |= dict.fromkeys(names, 0)
        return
    for name, size in zip(names, sizes, strict=True):
        work.layers.setdefault(name, size)


def _count(work: Work, pairs: dict[tuple[Pair, bool], int], kinds: Sequence[Kind], stored: Stored) -> None:
    """Count the comparisons of a place by kind; only those that may be stored are looked up one by one."""
    names = stored.measures(work.place)
    possible = sum(1 << bit for bit, kind in enumerate(kinds) if kind.name in names)
    wanted = (
        (pair, kind, comparison_key(*pair[0], kind.key, pair[1]))
        for pair, mask in pairs.items()
        for kind in of_mask(mask & possible, kinds)
    )
    bits = {kind: 1 << bit for bit, kind in enumerate(kinds)}
    while possible and (some := list(islice(wanted, LOOKED_UP))):
        there = stored.has([key for _, _, key in some])
        for (pair, kind, _), is_there in zip(some, there, strict=True):
            if is_there:
                work.stored[pair] = work.stored.get(pair, 0) | bits[kind]
    work.comparisons = _of_kinds(Counter(pairs.values()), kinds)
    by_shapes: Counter[tuple[int, Shapes]] = Counter()
    if work.stored or work.shape_of:
        for pair, mask in pairs.items():
            by_shapes[mask & ~work.stored.get(pair, 0), shapes_of(work, pair[0])] += 1
    else:
        by_shapes = Counter({(mask, (None, None)): count for mask, count in Counter(pairs.values()).items()})
    for (mask, shapes), count in by_shapes.items():
        for kind in of_mask(mask, kinds):
            work.left_of[kind, shapes] += count
            work.left[kind] += count


def _of_kinds(by_mask: Mapping[int, int], kinds: Sequence[Kind]) -> Counter[Kind]:
    found: Counter[Kind] = Counter()
    for mask, count in by_mask.items():
        for kind in of_mask(mask, kinds):
            found[kind] += count
    return found
