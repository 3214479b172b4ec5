"""Interface of domains whose representations are given instead of computed."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from resi.domains.base import Domain
from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import torch
    from torch import Tensor

    from resi.representation import Representation
    from resi.specs import DatasetSpec, Extraction, ForwardPass, ModelSpec, ProbeSpec, Trained
    from resi.store.known_files import KnownFiles


class Chosen(NamedTuple):
    """A run's choice among the given representations.

    Attributes
    ----------
    test : str
    kind : str
        Which comparisons count, see :attr:`Grounding.kind`.
    needs : tuple of str
        Facts needed about every model.
    root : Path or None
        Where the representations are listed (``dataset.root``).
    dataset : str
        Name of the dataset; the domain's default where it is not chosen.
    groups : int, tuple of str or None
        How many groups, or their settings; None for all.
    seeds : tuple of int or None
        None for all.
    """

    test: str
    kind: str
    needs: tuple[str, ...]
    root: Path | None
    dataset: str
    groups: int | tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None


class RepresentationSource(Protocol):
    """Where the representations and outputs of a run's models are found by their model, probe and layer."""

    def key(self, model: ModelSpec, probe: ProbeSpec, layer: str) -> str:
        """Return the identity of one layer's representation, or of the outputs."""

    def has(self, model: ModelSpec, probe: ProbeSpec) -> bool:
        """Return whether all layers and the outputs are there."""

    def open(self, model: ModelSpec, probe: ProbeSpec, layer: str) -> Representation:
        """Return a representation, its array to be read when it is needed."""

    def outputs(self, model: ModelSpec, probe: ProbeSpec) -> tuple[Tensor | None, Mapping[str, Any]]:
        """Return the logits, shape (n_samples, n_classes), and a mapping with the accuracy, as far as known."""


@dataclass(frozen=True)
class Content:
    """The given representations that a run uses.

    Attributes
    ----------
    dataset : str
        Name of the dataset in the results.
    architectures, settings : tuple of str
        In the order in which they are listed.
    seeds : tuple of int
        All seeds; a setting may lack some.
    notes : tuple of str
        What is left out, with the reason, one line each.
    """

    dataset: str
    architectures: tuple[str, ...]
    settings: tuple[str, ...]
    seeds: tuple[int, ...]
    notes: tuple[str, ...] = ()


class GivenDomain(Domain):
    """A domain that neither trains nor runs models: a run names the files of their representations.

    The contents depend on the run, so a run works with the result of :meth:`bound`.
    """

    @abstractmethod
    def bound(self, chosen: Chosen) -> GivenDomain:
        """Return the domain with a run's choice.

        Raises
        ------
        UsageError
            If the choice is missing, or does not fit the test.
        """

    @property
    @abstractmethod
    def content(self) -> Content:
        """The representations that the run uses, for a bound domain."""

    @abstractmethod
    def source(self, known_files: KnownFiles) -> RepresentationSource:
        """Return the representations; hashes of files are remembered among ``known_files``."""

    @abstractmethod
    def check(self, models: Sequence[tuple[ModelSpec, str]]) -> None:
        """Raise ``UsageError`` unless the representations of models at layers have the same samples."""

    def hyperparameters(
        self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return nothing: the training of the models is unknown."""
        for key, value in overrides.items():
            if value is not None:
                raise UsageError(f"model.{architecture}.{key}={value}: domain={self.name} trains no models")
        return {}

    def train(
        self, spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None = None
    ) -> Trained:
        """Raise ``UsageError``: models are not trained."""
        raise UsageError(f"{spec.label}: domain={self.name} trains no models")

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        """Raise ``UsageError``: models are not run."""
        raise UsageError(f"{run.model.label}: domain={self.name} runs no models")
