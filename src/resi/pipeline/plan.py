"""What a run will do, as plain data: experiments, comparisons, and what is already stored. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.choices import Stage
from resi.domains.given import GivenDomain
from resi.fingerprints import fingerprint
from resi.groundings.against import join, named
from resi.measures.functional import FUNCTIONAL
from resi.pipeline.keys import comparison_key, function_key, measure_key, pair_key
from resi.registry import SEPARATOR
from resi.results.schema import COMPUTED, NAMED_BY, OWN, PUBLISHED, TRAINED
from resi.results.shards import Shard
from resi.store.models import ModelStore
from resi.store.representations import OUTPUTS, RepresentationStore
from resi.store.root import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from resi.config.schema import RunConfig
    from resi.domains.given import RepresentationSource
    from resi.errors import DatasetError
    from resi.groundings.base import Experiment
    from resi.measures.shapes import Sampling
    from resi.specs import DatasetSpec, ModelSpec, ProbeSpec

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
    """Published models that are left out because their files are missing; messages and tables say so."""
    given: RepresentationSource | None = None
    """The representations of a domain that neither trains nor runs models."""
    absent_models: DatasetError | None = None
    """The error that no published model exists, where the run is planned nevertheless."""
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
        """The beginning of the shard's name, without the hash of all comparisons, which is slow for many plans."""
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
