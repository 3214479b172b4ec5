"""What a test is: which models it compares, and how it scores a measure by what is known about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from resi.identity import hash_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from resi.domains.base import DatasetSpec, Domain, ModelSpec, ProbeSpec
    from resi.measures.base import Measure


class Item(NamedTuple):
    """One representation that takes part in an experiment.

    Attributes
    ----------
    group : str
        Name of the group it belongs to.
    """

    model: ModelSpec
    layer: str
    group: str


@dataclass(frozen=True)
class Experiment:
    """One architecture under one test: its representations are compared with each other.

    Attributes
    ----------
    items : tuple of Item
        In the order of groups, then seeds.
    probe : ProbeSpec
        The input on which all of them are taken.
    """

    test: str
    domain: str
    dataset: str
    architecture: str
    items: tuple[Item, ...]
    probe: ProbeSpec

    @property
    def models(self) -> tuple[ModelSpec, ...]:
        """The models, each once."""
        return tuple(dict.fromkeys(item.model for item in self.items))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, each once."""
        return tuple(dict.fromkeys(item.group for item in self.items))


class Score(NamedTuple):
    """One number about a measure.

    Attributes
    ----------
    value : float or None
        None where nothing could be compared.
    chance : float or None
        Expected value under random similarities.
    pairs, failed_pairs : int
        Comparisons the value rests on, and comparisons it lacks.
    """

    metric: str
    value: float | None
    chance: float | None
    pairs: int
    failed_pairs: int
    functional: str = ""


@dataclass(frozen=True)
class Models:
    """What a test needs to know to plan its models."""

    domain: Domain
    dataset: DatasetSpec
    architecture: str
    overrides: Mapping[str, Any]
    seeds: tuple[int, ...]
    groups: int
    published: Path | None = None
    """Where published models lie, for runs that read them instead of training their own."""

    def spec(self, setting: str, seed: int) -> ModelSpec:
        """Return the model of a setting and seed."""
        from resi.domains.base import ModelSpec

        model = ModelSpec(
            domain=self.domain.name,
            dataset=self.dataset.name,
            dataset_content=self.dataset.content,
            architecture=self.architecture,
            setting=setting,
            seed=seed,
            hyperparameters=self.hyperparameters(setting),
            training_version=self.domain.training_version(),
            rules=self.domain.rules(setting),
        )
        if self.published is None:
            return model
        return replace(model, checkpoint=hash_file(self.domain.checkpoint(self.published, model)))

    def hyperparameters(self, setting: str) -> dict[str, Any]:
        """Return the hyperparameters of a setting's models."""
        return self.domain.hyperparameters(self.architecture, self.dataset.name, setting, self.overrides)


class Grounding(ABC):
    """One of the tests."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    headline: ClassVar[str]
    """The metric that ranks measures."""
    seeds: ClassVar[tuple[int, ...]] = (0, 1, 2, 3, 4)
    """Seeds of each group's models in the benchmark."""

    @abstractmethod
    def plan(self, models: Models) -> list[Experiment]:
        """Return the experiments for one architecture."""

    @abstractmethod
    def score(
        self, experiment: Experiment, similarity: np.ndarray[Any, Any], measure: type[Measure], protocol: str
    ) -> Sequence[Score]:
        """Score a measure.

        Parameters
        ----------
        similarity : array of shape (n_items, n_items)
            The measure's values; NaN where there is none. Both triangles are filled, for a symmetric measure with the
            same numbers; the diagonal is not used.
        """
