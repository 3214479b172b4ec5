"""Base of all tests: which models a test compares, and how it scores measures by known facts about them."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from resi.errors import CheckpointError, DatasetError
from resi.fingerprints import hash_file
from resi.groundings.ties import RESOLUTION, merge_ties
from resi.store.unusable import UnusableModels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from resi.choices import Protocol
    from resi.domains.base import Domain
    from resi.specs import DatasetSpec, ModelSpec, ProbeSpec
    from resi.store.known_files import KnownFiles

    Values = np.ndarray[Any, np.dtype[np.float64]]
    Mask = np.ndarray[Any, np.dtype[np.bool_]]
else:
    from resi.lazy import numpy as np

# One-sided: as often as a two-sided interval of 95 % leaves chance out on the one side.
LEVEL = 0.025
UNKNOWN = "unknown"
ABSENT = "absent"
"""Placeholder for the hash of a published model's file that has not been downloaded yet."""


class Item(NamedTuple):
    """One representation in an experiment.

    Attributes
    ----------
    group : str
        Name of the group it belongs to.
    probe : ProbeSpec or None
        The input and layers of the representation, if they differ from those of the experiment.
    """

    model: ModelSpec
    layer: str
    group: str
    probe: ProbeSpec | None = None


@dataclass(frozen=True)
class Experiment:
    """Representations of one test that are all compared with each other.

    Attributes
    ----------
    items : tuple of Item
        In the order of groups, then seeds, then layers.
    probe : ProbeSpec
        The input of all representations.
    functional : tuple of str
        Functions of outputs (:mod:`resi.measures.functional`) for further comparisons of its models.
    by : str
        ``architecture`` or ``dataset`` where these are the groups; empty where settings are, see
        :mod:`resi.groundings.against`.
    """

    test: str
    domain: str
    dataset: str
    architecture: str
    items: tuple[Item, ...]
    probe: ProbeSpec
    functional: tuple[str, ...] = ()
    by: str = ""

    def probe_of(self, item: Item) -> ProbeSpec:
        """Return the input and layers of a representation."""
        return item.probe or self.probe

    @property
    def models(self) -> tuple[ModelSpec, ...]:
        """The models, each once."""
        return tuple(dict.fromkeys(item.model for item in self.items))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, each once."""
        return tuple(dict.fromkeys(item.group for item in self.items))


@dataclass(frozen=True)
class Models:
    """What a test needs to plan its models."""

    domain: Domain
    dataset: DatasetSpec
    architecture: str
    overrides: Mapping[str, Any]
    seeds: tuple[int, ...]
    groups: int | tuple[str, ...] | None
    """Number of groups, or the settings of their models; None for the domain's default."""
    published: Path | None = None
    """Folder of the published models, for runs that read them instead of training their own."""
    known_files: KnownFiles | None = None
    """Known facts about published models whose files are missing."""
    assumes_files: bool = False
    """Whether unknown published models are planned as if their files were present."""
    left_out: dict[ModelSpec, DatasetError] = field(default_factory=dict)
    """Unknown published models, and why; their :attr:`ModelSpec.checkpoint` is ``UNKNOWN``."""
    on: DatasetSpec | None = None
    """The dataset of the representations; None: the training dataset."""
    _hyperparameters: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def probed(self) -> DatasetSpec:
        """The dataset of the representations."""
        return self.on or self.dataset

    def settings(self, test: str) -> tuple[str, ...]:
        """Return the settings of a test's models."""
        return self.domain.settings(test, self.groups)

    def of(self, setting: str) -> list[ModelSpec]:
        """Return the models of a setting, by seed."""
        return [self.spec(setting, seed) for seed in self.domain.seeds_of(self.architecture, setting, self.seeds)]

    @property
    def training_version(self) -> int:
        """The version number of the code that makes the models."""
        return self.domain.training_version() if self.published is None else self.domain.reading_version()

    def spec(self, setting: str, seed: int) -> ModelSpec:
        """Return the model of a setting and seed."""
        from resi.specs import ModelSpec

        model = ModelSpec(
            domain=self.domain.name,
            dataset=self.dataset.name,
            dataset_content=self.dataset.content,
            architecture=self.architecture,
            setting=setting,
            seed=seed,
            hyperparameters=self.hyperparameters(setting),
            training_version=self.training_version,
            rules=self.domain.rules(setting),
        )
        if self.published is None:
            return model
        try:
            return self._read_published(self.published, model)
        except DatasetError as error:
            if self.known_files is None:
                raise
            self.left_out[model] = error
            return replace(model, checkpoint=ABSENT if self.assumes_files else UNKNOWN)

    def _read_published(self, root: Path, model: ModelSpec) -> ModelSpec:
        """Return a published model with its identity: the hash of its file, or the known hash.

        Raises
        ------
        DatasetError
            If nothing is known of it, or its file is known to be unusable.
        """
        path: Path | None = None
        try:
            path = self.domain.checkpoint(root, model)
        except DatasetError as error:
            if self.known_files is None:
                raise
            checkpoint = self.known_files.checkpoint(model, error)
        else:
            checkpoint = self._known_hash(model) or self._hash(path)
        values = self.domain.published_hyperparameters(root, model, self.overrides)
        model = replace(model, checkpoint=checkpoint, hyperparameters=values)
        if self.known_files is not None and (reason := UnusableModels(self.known_files.root).find(model, path)):
            raise CheckpointError(reason)
        return model

    def _known_hash(self, model: ModelSpec) -> str | None:
        """Return the known hash of a model's file without reading files."""
        if self.known_files is None or self.known_files.looks:
            return None
        with contextlib.suppress(DatasetError):  # none or several are known
            return self.known_files.checkpoint(model, DatasetError(f"{model.label} has not been read"))
        return None

    def _hash(self, path: Path) -> str:
        try:
            return self.domain.hash_checkpoint(path, self.known_files.hash_file if self.known_files else hash_file)
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
        except DatasetError as error:  # it is there, and written to meanwhile, or lacks a part
            raise CheckpointError(str(error)) from error

    def hyperparameters(self, setting: str) -> dict[str, Any]:
        """Return the hyperparameters of a setting's models, looked up once for all seeds."""
        if setting not in self._hyperparameters:
            found = self.domain.hyperparameters(self.architecture, self.dataset.name, setting, self.overrides)
            self._hyperparameters[setting] = found
        return self._hyperparameters[setting]

    def probe(self, setting: str, test: str) -> ProbeSpec:
        """Return the input and layers that a test uses for models of a setting."""
        values = self.hyperparameters(setting)
        if self.probed.name == self.dataset.name:
            return self.domain.probe(self.architecture, self.dataset.name, values, test)
        self.domain.check_foreign(self.architecture, self.dataset.name, self.probed.name, test)
        return replace(self.domain.probe(self.architecture, self.probed.name, values, test), dataset=self.probed)


class Member(NamedTuple):
    """A row and column of the arrays in :class:`Similarities`.

    Attributes
    ----------
    layer : str
        Empty if a test uses one layer of each model.
    """

    setting: str
    seed: int
    layer: str = ""


class MeasureFacts(NamedTuple):
    """A measure with its parameters as stored in tables, and how to interpret its values.

    Attributes
    ----------
    resolution : float
        Relative error of its values: values that differ by less are ties.
    scale : float
        Scale of its values: the value of a representation compared with itself, if that is always the same.
    notes : str
        Summary of the notes of its comparisons, with their number.
    """

    name: str
    parameters: str
    larger_is_more_similar: bool
    symmetric: bool
    resolution: float = RESOLUTION
    scale: float = 0.0
    notes: str = ""


@dataclass(frozen=True)
class Similarities:
    """All comparisons among the models of one architecture, as arrays.

    Attributes
    ----------
    members : tuple of Member
        Sorted by setting and seed, layers in the order of the network.
    measures : tuple of MeasureFacts
    values : array of shape (n_measures, n_members, n_members)
        NaN for missing values. For a symmetric measure both triangles hold the same numbers; the diagonal is unused.
    functional : mapping from name to array of shape (n_members, n_members)
        Differences of predictions; symmetric.
    """

    members: tuple[Member, ...]
    measures: tuple[MeasureFacts, ...]
    values: Values
    functional: Mapping[str, Values]

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings, each once."""
        return tuple(dict.fromkeys(member.setting for member in self.members))

    def signed(self, protocol: Protocol) -> Values:
        """Return values with larger meaning more similar.

        Unless the protocol is the published one, a pair under an asymmetric measure has one value, the mean of its two
        directions, and none if a direction has none; and values that differ by rounding are ties.
        """
        sign = np.array([1.0 if measure.larger_is_more_similar else -1.0 for measure in self.measures])
        values = self.values * sign[:, None, None]
        if protocol.is_published:
            return values
        # Halves first, so that symmetric values come back bit by bit.
        values = values / 2 + values.transpose(0, 2, 1) / 2
        for number, measure in enumerate(self.measures):
            values[number] = _without_diagonal(values[number])
            values[number] = merge_ties(values[number], measure.resolution, measure.scale)
        return values


def _without_diagonal(matrix: Values) -> Values:
    """Return a matrix without the values of representations compared with themselves, which no test uses."""
    return np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix)


class Score(NamedTuple):
    """One number about a measure.

    Attributes
    ----------
    measure : int
        Which of the measures in :class:`Similarities`.
    value : float or None
        None if nothing could be compared; ``reason`` says why.
    pairs, failed_pairs : int
        Number of comparisons behind the value, and number of missing ones.
    models : int
        Number of models in these comparisons.
    chance : float or None
        Expected value under random similarities.
    low, high : float or None
        95 % interval over models trained with other seeds.
    p_value : float or None
        Share of random relabellings of the models under which the measure scores at least as well.
    smallest_p : float or None
        Smallest possible p-value, given the number of relabellings.
    functional : str
        The function of outputs of the score; empty if there is none.
    setting, seed : str, int or None
        The setting and the model of the score; empty and None if it is about several.
    reason : str
        Why the value is missing; empty if there is one.
    note : str
        Why the score is barely informative; otherwise empty.
    influences : sequence of float
        The contribution of each model to the score's uncertainty, in the order of settings and seeds: their squares
        sum to the variance of the score. Empty where unknown.
    """

    measure: int
    metric: str
    value: float | None
    pairs: int
    failed_pairs: int
    models: int
    chance: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    smallest_p: float | None = None
    functional: str = ""
    setting: str = ""
    seed: int | None = None
    reason: str = ""
    note: str = ""
    influences: Sequence[float] = ()


class Grounding(ABC):
    """One of the tests."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    metrics: ClassVar[Mapping[str, str]]
    """Each metric with its definition in a sentence; full definitions are in ``docs/tests.md``."""
    uncertainty: ClassVar[str]
    """How intervals and p-values are computed."""
    headline: ClassVar[str]
    """The metric that ranks measures."""
    kind: ClassVar[str]
    """Which comparisons count: of models of different ``settings``, of models of one setting (``seeds``), or of the
    ``layers`` of one model."""
    functional: ClassVar[tuple[str, ...]] = ()
    """Functions of outputs with which the similarities are correlated."""
    needs: ClassVar[tuple[str, ...]]
    """Facts needed about models that are not trained here: columns of their table."""
    seeds: ClassVar[tuple[int, ...]] = (0, 1, 2, 3, 4)
    """Seeds of each group's models in the benchmark."""

    @abstractmethod
    def plan(self, models: Models) -> list[Experiment]:
        """Return the experiments for one architecture."""

    @abstractmethod
    def score(self, similarities: Similarities, protocol: Protocol, seed: int) -> Sequence[Score]:
        """Score all measures.

        Parameters
        ----------
        protocol : Protocol
            ``corrected`` or ``published``.
        seed : int
            Seed of the draws for intervals and p-values.
        """
