"""What a run will do, as plain data: experiments, comparisons, and what is already stored. Imports no torch."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.choices import Stage
from resi.console import PATIENCE_SECONDS, progress
from resi.domains.given import GivenDomain
from resi.errors import CheckpointError, DatasetError
from resi.fingerprints import canonical, fingerprint
from resi.groundings.against import Against, join, named
from resi.groundings.base import UNKNOWN, Experiment, Models
from resi.measures.functional import FUNCTIONAL
from resi.pipeline.keys import comparison_key, function_key, measure_key, pair_key
from resi.registry import SEPARATOR
from resi.results.schema import COMPUTED, NAMED_BY, OWN, PUBLISHED, TRAINED
from resi.results.shards import Shard
from resi.specs import DatasetSpec
from resi.store.known_files import KnownFiles
from resi.store.models import ModelStore
from resi.store.representations import OUTPUTS, RepresentationStore
from resi.store.root import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from resi.config.schema import RunConfig
    from resi.domains.given import RepresentationSource
    from resi.measures.shapes import Sampling
    from resi.specs import ModelSpec, ProbeSpec

SHOWN_LEFT_OUT = 3
# Of a hash, at the end of a shard's name.
SHARD_DIGITS = 12
# Stages that use nothing but stored representations, outputs and comparisons.
READS_NO_DATASET = (Stage.compare, Stage.score)


class Comparison(NamedTuple):
    """One comparison a run needs.

    Attributes
    ----------
    source, target : int
        Which of the experiment's items.
    measure : str
        Name of a measure, or of a function of outputs.
    key : str
        Hash of all that its value depends on.
    null : int or None
        By how many permutations its value is calibrated; None for the value of the measure itself.
    """

    experiment: int
    source: int
    target: int
    measure: str
    key: str
    null: int | None = None

    @property
    def is_of_outputs(self) -> bool:
        """Whether it compares what models predict instead of their representations."""
        return self.measure in FUNCTIONAL


@dataclass(frozen=True)
class Plan:
    """A run as data."""

    config: RunConfig
    dataset: DatasetSpec
    experiments: tuple[Experiment, ...]
    absent_datasets: Mapping[str, DatasetError] = field(default_factory=dict)
    """Datasets whose files are not there, and why, where the data root alone knows them."""
    left_out: Mapping[ModelSpec, DatasetError] = field(default_factory=dict)
    """Published models that take no part, as their files are not there: which is said, in tables as well."""
    given: RepresentationSource | None = None
    """The representations of a domain that neither trains nor runs models."""
    absent_models: DatasetError | None = None
    """Why none of the published models is there, where they are planned all the same."""
    unread: frozenset[Path] = frozenset()
    """Files of published models or given representations that no run has read: what there is of them is to do."""
    others: tuple[DatasetSpec, ...] = ()
    """Further datasets that models are trained on."""

    @property
    def absent(self) -> DatasetError | None:
        """Why the files of a dataset are not there; None if all are."""
        return next(iter(self.absent_datasets.values()), None)

    @property
    def sampling(self) -> Sampling:
        """Which of many rows of maps are compared."""
        return "strided" if self.config.protocol.is_published and self.config.domain.has_maps else "spread"

    @cached_property
    def store(self) -> Store:
        """The data root."""
        return Store(self.config.root)

    @cached_property
    def model_store(self) -> ModelStore:
        """Where models lie."""
        return ModelStore(self.store)

    @cached_property
    def representation_store(self) -> RepresentationStore:
        """Where extracted representations are written."""
        return RepresentationStore(self.store)

    @property
    def representations(self) -> RepresentationSource:
        """Where representations lie."""
        return self.given or self.representation_store

    @cached_property
    def models(self) -> tuple[tuple[ModelSpec, ProbeSpec], ...]:
        """Every model with the probe of its representations, each once."""
        pairs = {
            (item.model.fingerprint, probe): (item.model, probe)
            for experiment in self.experiments
            for item in experiment.items
            for probe in (experiment.probe_of(item),)
        }
        return tuple(pairs.values())

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every comparison: unordered pairs for symmetric measures, ordered pairs otherwise; then those of outputs."""
        of_representations = (
            Comparison(number, a, b, name, comparison_key(keys[a], keys[b], key, measure.symmetric), null)
            for number, keys in enumerate(self._representation_keys)
            for name, measure in self.config.measures.items()
            for null in self.config.nulls
            for key in (measure_key(measure, self.config.compare.subsample, self.sampling, null),)
            for a, b in (combinations if measure.symmetric else permutations)(range(len(keys)), 2)
        )
        return (*of_representations, *self._output_comparisons())

    def _output_comparisons(self) -> Iterator[Comparison]:
        """Yield the comparisons of outputs by the functions that a test holds similarities against."""
        for number, (experiment, keys) in enumerate(zip(self.experiments, self._output_keys, strict=True)):
            for name in experiment.functional:
                key = function_key(name)
                for a, b in combinations(range(len(experiment.items)), 2):
                    yield Comparison(number, a, b, name, comparison_key(keys[a], keys[b], key, symmetric=True))

    def keys_of(self, experiment: Experiment) -> tuple[str, ...]:
        """Return the identities of the representations of an experiment."""
        key = self.representations.key
        return tuple(key(item.model, experiment.probe_of(item), item.layer) for item in experiment.items)

    @cached_property
    def _representation_keys(self) -> list[tuple[str, ...]]:
        """The identity of every representation, by experiment."""
        return [self.keys_of(experiment) for experiment in self.experiments]

    @cached_property
    def _output_keys(self) -> list[tuple[str, ...]]:
        """The identity of every model's outputs, by experiment."""
        return [
            tuple(self.representations.key(item.model, experiment.probe, OUTPUTS) for item in experiment.items)
            if experiment.functional
            else ()
            for experiment in self.experiments
        ]

    def experiment_keys(self) -> Iterator[tuple[Experiment, tuple[str, ...], tuple[str, ...]]]:
        """Yield each experiment with the identities of its representations, and of the outputs that it compares."""
        yield from zip(self.experiments, self._representation_keys, self._output_keys, strict=True)

    def pair(self, comparison: Comparison) -> str:
        """Return the identity of what is compared, independent of order and measure."""
        keys = (self._output_keys if comparison.is_of_outputs else self._representation_keys)[comparison.experiment]
        return pair_key(*sorted((keys[comparison.source], keys[comparison.target])))

    def compared(self, comparison: Comparison) -> dict[str, Any]:
        """Return the columns of a row that say what it compares; of outputs the layer is empty."""
        experiment = self.experiments[comparison.experiment]
        source, target = experiment.items[comparison.source], experiment.items[comparison.target]
        names = named(experiment, source, target)
        return {
            **self.scope(comparison),
            "setting_a": names["setting_a"],
            "seed_a": source.model.seed,
            "layer_a": "" if comparison.is_of_outputs else source.layer,
            "setting_b": names["setting_b"],
            "seed_b": target.model.seed,
            "layer_b": "" if comparison.is_of_outputs else target.layer,
        }

    def scope(self, comparison: Comparison) -> dict[str, str]:
        """Return the columns that all rows share that compare the same groups of an experiment."""
        experiment = self.experiments[comparison.experiment]
        source, target = experiment.items[comparison.source], experiment.items[comparison.target]
        names = named(experiment, source, target)
        trained = PUBLISHED if source.model.checkpoint else TRAINED
        return {
            "domain": experiment.domain,
            "dataset": names["dataset"],
            "architecture": names["architecture"],
            "origin": COMPUTED,
            "model_source": trained if self.given is None else OWN,
            "probe": experiment.probe.probe,
            "pooling": names["pooling"],
        }

    @property
    def places(self) -> tuple[str, str, tuple[str, ...]]:
        """The domain, the dataset, and what else stands in that column of rows of the run."""
        own = self.config.dataset
        further = {join([name], own) for name in self.config.trained_on}
        further |= {join(pair, own) for pair in combinations(self.config.trained_on, 2)}
        return self.config.domain.name, own, tuple(sorted(further - {own}))

    @cached_property
    def shard(self) -> Shard:
        """The shard this run writes, named by what it computes."""
        content = {**self.named_by(), "comparisons": sorted(comparison.key for comparison in self.comparisons)}
        return Shard(self.store.shards / f"{self.shard_prefix}{fingerprint(content)[:SHARD_DIGITS]}")

    def named_by(self) -> dict[str, Any]:
        """Return what the shard's name depends on, without the keys of all comparisons."""
        config = self.config
        content: dict[str, Any] = {
            "test": config.test.name,
            "protocol": config.protocol.value,
            "groups": [[item.group for item in experiment.items] for experiment in self.experiments],
            "version": NAMED_BY,
        }
        if of_distributions := [name for name in config.measures if SEPARATOR in name]:
            content["measures"] = of_distributions  # by which its tables call them; their keys do not say it
        return content

    @property
    def shard_prefix(self) -> str:
        """What the shard's name begins with: without the hash of all comparisons, which takes long of many plans."""
        return f"{self.config.domain.name}-{self.config.dataset}-{self.config.test.name}-"

    def notices(self) -> list[str]:
        """Return lines that say which published models, or rows of a table, are left out."""
        if isinstance(self.config.domain, GivenDomain):
            return list(self.config.domain.content.notes)
        lines = [f"left out: {error}" for error in self.left_out.values()]
        more = len(lines) - SHOWN_LEFT_OUT
        return lines if more < 1 else [*lines[:SHOWN_LEFT_OUT], f"left out: {more} more published models"]

    def missing_models(self) -> list[ModelSpec]:
        """Return the models still to be trained."""
        return [model for model, _ in self.models if not self.has_model(model)]

    def has_model(self, model: ModelSpec) -> bool:
        """Return whether a model is trained, or need not be."""
        return self.given is not None or self.model_store.has(model)

    def missing_representations(self) -> list[tuple[ModelSpec, ProbeSpec]]:
        """Return the models whose representations are still to be extracted."""
        return [(model, probe) for model, probe in self.models if not self.representations.has(model, probe)]


def make_plan(config: RunConfig, may_download: bool = True) -> Plan:
    """Plan a run.

    Raises
    ------
    DatasetError
        If the dataset's files are missing or damaged, and the data root does not know them.
    """
    return Planner(may_download).plan(config)


class Planner:
    """Plans runs, and looks up only once what several of them share.

    Parameters
    ----------
    may_download : bool
        Whether datasets may be fetched and noted in the data root; otherwise nothing is written.
    reads_files : bool
        Whether files of a dataset or a published model are looked at where the data root knows it. They may have
        changed since.
    needs_datasets : bool
        Whether a dataset that is nowhere is an error; otherwise ``Plan.absent`` holds it, and of such a plan nothing
        counts as done.
    needs_models : bool
        Whether published models of which none is there are an error; otherwise ``Plan.absent_models`` holds it, and
        they are planned as if they were there, all of them to be read yet.
    reads_weights : bool
        Whether files of published models, and of given representations, are read where the data root does not know
        their hashes; otherwise ``Plan.unread`` holds them, and of these nothing counts as done.
    """

    def __init__(
        self,
        may_download: bool = True,
        reads_files: bool = True,
        needs_datasets: bool = True,
        needs_models: bool = True,
        reads_weights: bool = True,
    ) -> None:
        self._needs_datasets = needs_datasets
        self._may_download = may_download
        self._reads_files = reads_files
        self._needs_models = needs_models
        self._reads_weights = reads_weights
        self._datasets: dict[tuple[object, ...], tuple[DatasetSpec, DatasetError | None]] = {}
        self._experiments: dict[tuple[object, ...], _Planned] = {}

    def plan(self, config: RunConfig) -> Plan:
        """Plan a run, see :func:`make_plan`."""
        dataset, reason = self.dataset(config)
        if config.keeps_decoded:
            dataset = replace(dataset, cache=Store(config.root).cache)
        others = self.other_datasets(config)
        trained_on = {found.name: found for found, _ in [*others, (dataset, None)]}
        experiments, left_out, unread = self._all_experiments(config, dataset, trained_on)
        absent_models = None
        if not experiments and left_out:
            absent_models = next(iter(left_out.values()))
            # A file that is there and of no use will not be fetched.
            if self._needs_models or any(isinstance(error, CheckpointError) for error in left_out.values()):
                raise absent_models
            experiments, left_out, unread = self._all_experiments(config, dataset, trained_on, assumes_files=True)
            left_out = {}
        given = None
        if isinstance(config.domain, GivenDomain):
            known_files = KnownFiles(config.root, self._may_download, self._reads_weights)
            given = self._given(config.domain, known_files, experiments)
            unread = frozenset(known_files.unread)
        absent = {found.name: error for found, error in [(dataset, reason), *others] if error is not None}
        found = tuple(found for found, _ in others)
        return Plan(config, dataset, experiments, absent, left_out, given, absent_models, unread, found)

    def _given(
        self, domain: GivenDomain, known_files: KnownFiles, experiments: Sequence[Experiment]
    ) -> RepresentationSource:
        """Return the representations that are given, after checking that they are of the same samples."""
        for experiment in experiments:
            domain.check([(item.model, item.layer) for item in experiment.items])
        source = domain.source(known_files)
        items = [(experiment.probe, item) for experiment in experiments for item in experiment.items]
        with progress("hashing representations", len(items), after=PATIENCE_SECONDS) as advance:
            for probe, item in items:
                source.key(item.model, probe, item.layer)
                advance()
        return source

    def dataset(self, config: RunConfig) -> tuple[DatasetSpec, DatasetError | None]:
        """Return a run's dataset; where the data root alone knows it, also why its files are not there."""
        key = (config.root, config.domain.name, config.dataset, config.dataset_root, config.stage in READS_NO_DATASET)
        if key not in self._datasets:
            self._datasets[key] = self._find_dataset(config)
        return self._datasets[key]

    def other_datasets(self, config: RunConfig) -> list[tuple[DatasetSpec, DatasetError | None]]:
        """Return the datasets that models are trained on beside the run's own, as :meth:`dataset` does.

        Their files lie below the data root.
        """
        others = [name for name in config.trained_on if name != config.dataset]
        return [self.dataset(replace(config, dataset=name, dataset_root=None)) for name in others]

    def _find_dataset(self, config: RunConfig) -> tuple[DatasetSpec, DatasetError | None]:
        """Find a dataset's files, or what the data root knows of them and why they are not there."""
        config.domain.check_installed()
        known_files = KnownFiles(config.root)
        if not self._reads_files and not isinstance(config.domain, GivenDomain):
            with contextlib.suppress(DatasetError):
                unread = DatasetError(f"{config.dataset}: its files have not been checked")
                return known_files.dataset(config.domain.name, config.dataset, unread), unread
        may_download = self._may_download and config.stage not in READS_NO_DATASET
        downloads = Store(config.root).datasets
        try:
            dataset = config.domain.locate(config.dataset, config.dataset_root, downloads, may_download)
        except DatasetError as error:
            try:
                return known_files.dataset(config.domain.name, config.dataset, error), error
            except DatasetError as unknown:
                if self._needs_datasets:
                    raise
                return DatasetSpec(config.dataset, None, ""), unknown
        if self._may_download:
            known_files.remember_dataset(config.domain.name, dataset)
        return dataset, None

    def _all_experiments(
        self,
        config: RunConfig,
        dataset: DatasetSpec,
        trained_on: Mapping[str, DatasetSpec],
        assumes_files: bool = False,
    ) -> _Planned:
        """Return all experiments, and the models that they lack."""
        runs = _runs(config, dataset, trained_on, lambda: self._known_files(config), assumes_files)
        found = [self._experiments_of(config, models, assumes_files) for models in runs]
        if len(found) == 1:
            return found[0]
        left_out = {model: error for planned in found for model, error in planned.left_out.items()}
        experiments = tuple(experiment for planned in found for experiment in planned.experiments)
        return _Planned(experiments, left_out, frozenset().union(*(planned.unread for planned in found)))

    def _known_files(self, config: RunConfig) -> KnownFiles | None:
        """Return what is known of published models."""
        if not config.models.root:
            return None
        # Of any size, so that later plans read none.
        return KnownFiles(config.root, self._may_download, self._reads_weights, smallest=0, looks=self._reads_files)

    def _experiments_of(self, config: RunConfig, groups: Mapping[str, Models], assumes_files: bool) -> _Planned:
        """Return the experiments of some models, which are of one architecture or are groups each."""
        domain, test = config.domain, config.test
        about = (domain.name, domain.protocol, domain.representation, test.name, config.models.root, config.root)
        given = domain if isinstance(domain, GivenDomain) else None  # what there is depends on its table
        names = [
            (name, of.architecture, canonical(of.overrides), of.dataset.name, of.dataset.content, of.on)
            for name, of in groups.items()
        ]
        against = (test.of, config.settings) if isinstance(test, Against) else ()
        key = (*about, *names, config.seeds, config.groups, *against, given, assumes_files)
        if key not in self._experiments:
            first = next(iter(groups.values()))
            planned = test.plan_groups(groups, config.settings) if isinstance(test, Against) else test.plan(first)
            experiments = tuple(_without_unknown(planned))
            left_out = {model: error for of in groups.values() for model, error in of.left_out.items()}
            known = [of.known_files for of in groups.values() if of.known_files]
            unread = frozenset().union(*(files.unread for files in known))
            self._experiments[key] = _Planned(experiments, left_out, unread)
            if first.known_files and self._may_download and self._reads_weights:
                for model in {model for experiment in experiments for model in experiment.models}:
                    first.known_files.remember_checkpoint(model)
        return self._experiments[key]


class _Planned(NamedTuple):
    """The experiments of some architectures, the models that they lack, and the files that have not been read."""

    experiments: tuple[Experiment, ...]
    left_out: Mapping[ModelSpec, DatasetError]
    unread: frozenset[Path]


def _runs(
    config: RunConfig,
    dataset: DatasetSpec,
    trained_on: Mapping[str, DatasetSpec],
    known_files: Callable[[], KnownFiles | None],
    assumes_files: bool,
) -> Iterator[dict[str, Models]]:
    """Yield the models of each experiment by group: an architecture alone, all of them, or all datasets for each."""

    def models(architecture: str, of: DatasetSpec) -> Models:
        overrides, roots = config.architectures[architecture], (config.models.root, known_files(), assumes_files)
        on = None if of is dataset else dataset
        return Models(config.domain, of, architecture, overrides, config.seeds, config.groups, *roots, on=on)

    if config.trained_on:
        for architecture in config.architectures:
            yield {name: models(architecture, trained_on[name]) for name in config.trained_on}
    elif isinstance(config.test, Against):
        yield {architecture: models(architecture, dataset) for architecture in config.architectures}
    else:
        for architecture in config.architectures:
            yield {architecture: models(architecture, dataset)}


def _without_unknown(experiments: Iterable[Experiment]) -> Iterator[Experiment]:
    """Yield experiments without the published models of which nothing is known."""
    for experiment in experiments:
        items = tuple(item for item in experiment.items if item.model.checkpoint != UNKNOWN)
        # Of architectures or datasets, one alone has none to be told from.
        if len({item.group for item in items}) > bool(experiment.by):
            yield replace(experiment, items=items)
