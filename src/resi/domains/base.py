"""What a domain provides to the pipeline: datasets, architectures, settings, training and extraction."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from resi import registry
from resi.choices import Protocol
from resi.domains.groups import choose
from resi.errors import ArtifactError, UsageError, unknown_name
from resi.fingerprints import hash_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import torch

    from resi.domains.published_models import PublishedModel
    from resi.domains.releases import Holding, Release
    from resi.specs import (
        ArchitectureInfo,
        DatasetInfo,
        DatasetSpec,
        Extraction,
        ForwardPass,
        ModelSpec,
        ProbeSpec,
        Trained,
    )


DEFAULT_GROUPS = 3
"""Number of groups that a test compares by default."""


class NetworkFamily(ABC):
    """Networks of one kind: how they are built, which layers they have, and how they are trained.

    Each domain has a subclass that defines the interface of its families.
    """

    domain: ClassVar[str]
    architectures: ClassVar[tuple[ArchitectureInfo, ...]]


class Domain(ABC):
    """One domain of models and data.

    Parameters
    ----------
    protocol : Protocol or str
        Protocol of the run.
    representation : str, optional
        Which output of a layer is used, one of ``representations``; by default the first.

    Raises
    ------
    UsageError
        If the protocol is unknown, or the domain does not have the representation.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    extra: ClassVar[str] = ""
    """The optional dependencies it needs of the distribution that provides it: ``pip install "resi[EXTRA]"``; empty if
    none."""
    default_dataset: ClassVar[str]
    """An embedded dataset, which needs no download."""
    default_models: ClassVar[tuple[str, ...]]
    model_config: ClassVar[type]
    """Dataclass of the config of one architecture."""
    settings_by_test: ClassVar[Mapping[str, Mapping[int, tuple[str, ...]]]] = {}
    """Settings that form the groups of a test, by test and number of groups."""
    further_settings: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Further settings for a test's groups, by test, from unaltered to most altered."""
    trained_levels: ClassVar[Mapping[str, range]] = {}
    """Levels with which models can be trained, by test: ``TEST_LEVEL`` is the setting."""
    seeds_by_test: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    """Seeds of a test's models, if the benchmark's differ in this domain from :attr:`Grounding.seeds`."""
    representations: ClassVar[tuple[str, ...]] = ("default",)
    """Which outputs of a layer can be used, the default first."""
    has_maps: ClassVar[bool] = False
    """Whether layers may be maps (n_samples, channels, height, width)."""
    published_keys: ClassVar[tuple[str, ...]] = ()
    """Keys of ``model_config`` for the inputs of published models; the others are for training."""
    published_prefix: ClassVar[str] = ""
    """Name of the domain in the published results' output names; empty if there are none."""
    published_results: ClassVar[tuple[Holding, ...]] = ()
    """Contents of the published results, and how they are known."""
    published_settings: ClassVar[str] = ""
    """Regular expression of the published names of settings."""
    published_poolings: ClassVar[tuple[str, ...]] = ()
    """How representations may have been pooled where :meth:`published_pooling` is None."""

    def __init__(self, protocol: str = Protocol.corrected, representation: str | None = None) -> None:
        self.protocol = Protocol.parse("protocol", protocol)
        self.representation = self.representations[0] if representation is None else representation
        if self.representation not in self.representations:
            raise unknown_name(f"representation of domain={self.name}:", self.representation, self.representations)

    def datasets(self) -> tuple[DatasetInfo, ...]:
        """Return the datasets, including those of plugins."""
        return tuple(registry.datasets(self.name).in_order())

    def networks(self) -> tuple[NetworkFamily, ...]:
        """Return the families of networks, including those of plugins."""
        return tuple(dict.fromkeys(registry.networks(self.name).in_order()))

    def architectures(self) -> tuple[ArchitectureInfo, ...]:
        """Return the architectures of all families of networks."""
        known = registry.networks(self.name).in_names()
        return tuple(item for name, family in known.items() for item in family.architectures if item.name == name)

    def own_names(self, trained_on: str, setting: str) -> tuple[str, str]:
        """Return the names here of a dataset and a setting with the published names ``trained_on`` and ``setting``.

        Raises
        ------
        ValueError
            If either is not known.
        """
        raise ValueError(f"{trained_on!r}, {setting!r}: domain={self.name} has no published results")

    def own_probe(self, probe: str) -> str:
        """Return one name for a probe set that has several names in the published results."""
        return probe

    def published_pooling(self, architecture: str) -> str | None:
        """Return how published representations of an architecture were pooled; None if the files do not state it."""
        del architecture
        return "none"

    def published_levels(self, test: str, dataset: str) -> Mapping[str, tuple[int, ...]]:
        """Return the levels of a test's settings with published models on a dataset, by architecture."""
        del test, dataset
        return {}

    def published_models(self) -> Iterable[PublishedModel]:
        """Return the models that published configurations can select, for the available datasets and architectures."""
        return ()

    def releases(self) -> Mapping[str, tuple[Release, ...]]:
        """Return the archives of published models, by their names in ``resi download``."""
        return {}

    def published_paths(self, model: ModelSpec) -> tuple[str, ...]:
        """Return the paths that a published model's file or folder may have below the data root, the usual one first.

        Raises
        ------
        UsageError
            If no such model was published.
        """
        raise UsageError(f"models.source=published: domain={self.name} reads no published models")

    def settings(self, test: str, groups: int | Sequence[str] | None) -> tuple[str, ...]:
        """Return the settings that form the groups of a test, from unaltered to most altered.

        Parameters
        ----------
        groups : int, sequence of str or None
            How many groups, of which the benchmark has settings for some numbers; or the settings themselves; None for
            :data:`DEFAULT_GROUPS`.

        Raises
        ------
        UsageError
            If the domain does not have the test or the groups.
        """
        if test not in self.settings_by_test:
            raise UsageError(
                f"domain={self.name} has no test={test}; it has {', '.join(sorted(self.settings_by_test))}"
            )
        by_groups = self.settings_by_test[test]
        groups = DEFAULT_GROUPS if groups is None else groups
        if isinstance(groups, int) and groups in by_groups:
            return by_groups[groups]
        if isinstance(groups, int | str) or not groups:
            raise UsageError(
                f"groups={groups}: test={test} of domain={self.name} has groups={', '.join(map(str, by_groups))}, or a "
                f"list of {', '.join(self.known_settings(test))}"
            )
        return choose(test, groups, self.known_settings(test), self.trained_levels)

    def known_settings(self, test: str) -> tuple[str, ...]:
        """Return the named settings of a test, from unaltered to most altered."""
        by_groups = self.settings_by_test[test]
        return (*self.further_settings.get(test, ()), *by_groups[max(by_groups)])

    def seeds_of(self, architecture: str, setting: str, seeds: tuple[int, ...]) -> tuple[int, ...]:
        """Return the seeds with a model: all, if models are trained."""
        del architecture, setting
        return seeds

    def layers_of(self, model: ModelSpec, layers: tuple[str, ...]) -> tuple[str, ...]:
        """Return the layers of an architecture with a representation: all, if models are run."""
        del model
        return layers

    @abstractmethod
    def hyperparameters(
        self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the hyperparameters of a model: the benchmark's for the dataset, overridden by those given."""

    @abstractmethod
    def probe(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], test: str) -> ProbeSpec:
        """Return the probe set and layers that a test uses for a model."""

    def check_foreign(self, architecture: str, trained_on: str, dataset: str, test: str) -> None:
        """Check that a model trained on one dataset can be run on a test's input of another.

        A domain that can do so defines it; its :meth:`extract` gets the other dataset as that of the forward pass.

        Raises
        ------
        UsageError
            Saying why it cannot.
        """
        del test
        raise UsageError(
            f"by=dataset: domain={self.name} cannot run {architecture} trained on {trained_on} on inputs of {dataset}"
        )

    def representation_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return (n_samples, n_features) of the last layer's representations, to estimate what comparing them takes.

        None if it is unknown before a model has run.
        """
        del architecture, dataset, hyperparameters
        return None

    def layer_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], layer: str
    ) -> tuple[int, ...] | None:
        """Return the shape of one layer's representations, to estimate what comparing them takes.

        That is (n_samples, n_features) or (n_samples, channels, height, width); None if it is unknown before a model
        has run. A domain whose layers all have the same shape need not define it.
        """
        del layer
        return self.representation_size(architecture, dataset, hyperparameters)

    def weight_bytes(self, model: ModelSpec) -> int | None:
        """Return about how many bytes of a model's weights are stored in a data root, to estimate what a run writes.

        For a published model, whose weights stay in its files, this counts only additional files. None if it is unknown
        before the model exists.
        """
        del model
        return None

    def classes_of(self, model: ModelSpec) -> int | None:
        """Return the number of a model's outputs, to estimate their size; None if it is unknown."""
        del model
        return None

    def repositories(self, model: ModelSpec) -> tuple[str, ...]:
        """Return the hub repositories or folders that a model is made from, such as pre-trained weights.

        A run downloads what is missing.
        """
        del model
        return ()

    @abstractmethod
    def locate(self, dataset: str, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find a dataset's files, download missing ones, and hash them.

        Parameters
        ----------
        root : Path, optional
            The user's folder of the files (``dataset.root``).
        downloads : Path
            The default folder.

        Raises
        ------
        DatasetError
            If a file is missing or damaged: the message names it and where to put it.
        """

    def cache_bytes(
        self, dataset: DatasetSpec, trained: Sequence[ModelSpec], run: Sequence[tuple[ModelSpec, ProbeSpec]]
    ) -> tuple[int, int] | None:
        """Return about how many bytes the cached decoded inputs of some models take, and how many of them exist.

        None if nothing is cached, as in a domain whose inputs need no decoding.

        Parameters
        ----------
        dataset : DatasetSpec
            With the folder of the cache (``dataset.cache=true``).
        trained : sequence of ModelSpec
            Models to be trained.
        run : sequence of (ModelSpec, ProbeSpec)
            Models to be run, and on what.
        """
        del dataset, trained, run
        return None

    @abstractmethod
    def train(
        self, spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None = None
    ) -> Trained:
        """Train a model.

        Parameters
        ----------
        unfinished : Path, optional
            File with the state for resuming a stopped training. Domains whose training takes seconds start again.
        """

    @abstractmethod
    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        """Run a trained model once over a probe set; yield the requested layers, the logits and the accuracy.

        Pieces are batches of rows in order, small enough for ``run.memory``; small representations come in one piece.
        """

    def is_small(self, model: ModelSpec) -> bool:
        """Return whether a model is small: trained and run with one thread, with one model on each core at a time.

        Threads gain little where a step takes milliseconds. Other models are made one after another, with all threads
        of the job. Its weights must not depend on which models are made beside it. By default nothing is known of the
        size of a model, and none is small.
        """
        del model
        return False

    def warm_up(self, dataset: DatasetSpec, architectures: Sequence[str]) -> None:
        """Import the modules for training and running models, once for all worker processes.

        Workers are forked from the calling process and share what it has loaded, such as a small dataset. This must not
        start threads, use a GPU, or leave files open.
        """
        del dataset, architectures
        for module in self.requires():
            importlib.import_module(module)

    def training_version(self) -> int:
        """Return the version number of the training code."""
        return 1

    def reading_version(self) -> int:
        """Return the number in the identity of published models that replaces the version of training.

        A domain that changes only its training keeps this number: published models have not changed.
        """
        return self.training_version()

    def published_hyperparameters(
        self, root: Path, model: ModelSpec, overrides: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return a published model's hyperparameters: as if trained here, except what only its publishers know.

        Raises
        ------
        UsageError
            If a required value is neither given nor found below the folder ``root``.
        """
        del root, overrides
        return model.hyperparameters

    def rules(self, setting: str) -> str:
        """Return ``published`` if the run's protocol alters a setting's training data in the published way, else empty.

        It is part of a model's identity: models that both protocols train alike are trained once.
        """
        del setting
        return ""

    def checkpoint(self, root: Path, model: ModelSpec) -> Path:
        """Return the file that holds a published model, below the folder ``models.root``.

        Raises
        ------
        UsageError
            If no such model was published.
        DatasetError
            If its file is missing: the message names it.
        """
        raise UsageError(f"models.source=published: domain={self.name} reads no published models")

    def hash_checkpoint(self, path: Path, hash_file: Callable[[Path], str] = hash_file) -> str:
        """Return the sha256 of the result of :meth:`checkpoint`, and of further files that belong to it.

        Parameters
        ----------
        hash_file : callable
            Returns the sha256 of one file; it may know some without reading them.
        """
        return hash_file(path)

    def read_published(self, path: Path, model: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
        """Return a published model from the result of :meth:`checkpoint`; its weights stay there.

        Raises
        ------
        ArtifactError
            If its content is damaged, has changed since the run was planned, or is another architecture's.
        """
        from resi.specs import WeightFile
        from resi.store.checkpoints import CHANGED

        try:
            content = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"cannot be read: {error.strerror or error}") from error
        if hashlib.sha256(content).hexdigest() != model.checkpoint:
            raise ArtifactError(CHANGED)
        trained = self.read_checkpoint(content, model, dataset, device)
        if not trained.sources:
            return trained
        called = {name: there for name, there in trained.sources.items() if there != name}
        file = WeightFile(str(path.absolute()), model.checkpoint, tuple(sorted(trained.sources)), called)
        return replace(trained, files=(file,))

    def read_checkpoint(self, content: bytes, model: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
        """Return a published model from its file's content.

        Raises
        ------
        ArtifactError
            If the content is damaged or is another architecture's.
        """
        raise UsageError(f"models.source=published: domain={self.name} reads no published models")

    def check_installed(self) -> None:
        """Raise ``UsageError`` naming the extra to install if a package of the domain is missing."""
        for module in self.requires():
            if importlib.util.find_spec(module) is None:
                raise UsageError(
                    f"domain={self.name} needs the package {module}; install it with: pip install '{self.needs()}'"
                )

    @classmethod
    def needs(cls) -> str:
        """Return the requirement to install for the domain: the distribution that provides it, with its extra."""
        known = registry.domains()
        distribution = known.origin(cls.name).distribution if cls.name in known else "resi"
        return f"{distribution}[{cls.extra}]" if cls.extra else distribution

    def requires(self) -> tuple[str, ...]:
        """Return the modules that the domain imports beyond resi's own dependencies."""
        return ()
