"""Plans of runs: datasets and models that several of them share are looked up once. Imports no torch."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from resi.console import PATIENCE_SECONDS, progress
from resi.domains.given import GivenDomain
from resi.errors import CheckpointError, DatasetError
from resi.fingerprints import canonical
from resi.groundings.against import Against
from resi.groundings.base import UNKNOWN, Experiment, Models
from resi.pipeline.plan import READS_NO_DATASET, Plan
from resi.specs import DatasetSpec
from resi.store.known_files import KnownFiles
from resi.store.root import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from resi.config.schema import RunConfig
    from resi.domains.given import RepresentationSource
    from resi.specs import ModelSpec


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
        # A single architecture or dataset has no other to be compared with.
        if len({item.group for item in items}) > bool(experiment.by):
            yield replace(experiment, items=items)
