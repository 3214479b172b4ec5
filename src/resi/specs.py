"""Plain data about datasets, models and what they compute, which every part of resi passes on.

Planning uses nothing else, so that what a run would do is known before torch is imported.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from resi.fingerprints import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import torch
    from torch import Tensor

Layout = Literal["nd", "ntd", "nchw"]
"""What the axes of an array of representations are: samples first, then features, or tokens and features, or maps."""


def layout_of(axes: int) -> Layout:
    """Return the layout of an array with that many axes, where nothing says otherwise."""
    return {3: "ntd", 4: "nchw"}.get(axes, "nd")  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An archive whose layout differs from the one that is read; ``resi prepare`` converts it.

    Attributes
    ----------
    name : str
        Its name at its source.
    about : str
        The dataset, the layout of the archive, and the one that is read, for the help of the command.
    folder : str
        Where the files go by default, below the folder of the domain's datasets.
    missing : callable
        Takes the folder of the unpacked archive; returns the parts that are missing.
    place : callable
        Takes that folder, the destination, and one of ``link``, ``move``, ``copy``; places the files and returns how
        many were not there yet.
    problems : callable
        Takes the destination; returns what is wrong with it, one phrase each.
    files : str
        What the files are, in the plural.
    complete : str
        What is true of a destination without problems.
    """

    name: str
    about: str
    folder: str
    missing: Callable[[Path], list[str]]
    place: Callable[[Path, Path, str], int]
    problems: Callable[[Path], list[str]]
    files: str = "files"
    complete: str = "complete"


@dataclass(frozen=True)
class DatasetInfo:
    """A dataset as listed and described to users; each domain has a subclass that knows how it is found and read.

    Attributes
    ----------
    archive : Archive, optional
        Of a dataset which ``resi prepare`` has to bring into the layout that is read.
    size : int
        About how many bytes its files take; 0 where it is not known.
    by_hand : str
        How to get a dataset that is not embedded and that resi cannot fetch by itself; else empty.
    """

    domain: ClassVar[str] = ""
    name: str
    title: str
    source: str
    embedded: bool = False
    archive: Archive | None = field(default=None, kw_only=True)
    size: int = field(default=0, kw_only=True)
    by_hand: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class ArchitectureInfo:
    """An architecture as listed and described to users; ``published_name`` is its name in the published results."""

    name: str
    title: str
    published_name: str
    reference: str


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset with its content.

    Attributes
    ----------
    name : str
        Its name in configs and tables.
    folder : Path or None
        Where its files lie; None for embedded data.
    content : str
        Hash of its files and of the recipe that turns them into inputs.
    cache : Path or None
        Folder in which inputs are kept that take long to decode; None: they are not. It changes nothing but the time.
    """

    name: str
    folder: Path | None
    content: str
    cache: Path | None = None


@dataclass(frozen=True)
class ModelSpec:
    """Everything that determines a trained model's weights.

    Attributes
    ----------
    setting : str
        The training setting, such as ``standard`` or ``augmentation_25``.
    hyperparameters : mapping
        Of architecture and training.
    training_version : int
        Increased by a domain whenever its training code would give different weights.
    rules : str
        ``published`` where the setting alters the data as the published benchmark does, see :meth:`Domain.rules`.
    checkpoint : str
        sha256 of the file the weights are read from; empty for a model that resi trains.
    """

    domain: str
    dataset: str
    dataset_content: str
    architecture: str
    setting: str
    seed: int
    hyperparameters: Mapping[str, Any]
    training_version: int
    rules: str = ""
    checkpoint: str = ""

    def __hash__(self) -> int:
        """Hash by fingerprint; the hyperparameters are a mapping."""
        return hash(self.fingerprint)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all fields."""
        return fingerprint({item.name: getattr(self, item.name) for item in fields(self)})

    @property
    def label(self) -> str:
        """Name for messages."""
        return f"{self.architecture} on {self.dataset}, {self.setting}, seed {self.seed}"

    @property
    def folder(self) -> Path:
        """Readable folder of the model's artifacts, relative to the store's."""
        from pathlib import Path

        return Path(self.domain, self.dataset, self.architecture)


@dataclass(frozen=True)
class ProbeSpec:
    """The input on which representations are computed, and the layers that are kept.

    Attributes
    ----------
    layers : tuple of str
        In the order of the network.
    pooling : str
        How a layer's output is reduced if a domain has a choice, such as how tokens are pooled; ``none`` elsewhere
        and for a domain's own choice.
    dataset : DatasetSpec or None
        Whose input it is, if not that of the dataset that the model was trained on.
    """

    probe: str
    layers: tuple[str, ...]
    pooling: str = "none"
    dataset: DatasetSpec | None = None

    @property
    def place(self) -> str:
        """Name of the input, with its dataset where that is another than the model's."""
        return self.probe if self.dataset is None else f"{self.probe}@{self.dataset.name}"


@dataclass(frozen=True)
class WeightFile:
    """A file of others that holds weights of a model, so that they need not be stored once more.

    Attributes
    ----------
    path : str
    sha256 : str
        Of the file.
    names : tuple of str
        The weights of the model that are in it. Of a safetensors file, the model has them in float32; of a dictionary
        that ``torch.save`` wrote, as they are.
    called : mapping from name to str
        What those are called in the file that have another name there.
    """

    path: str
    sha256: str
    names: tuple[str, ...]
    called: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Attributes
    ----------
    state : mapping from name to Tensor
        Its weights.
    accuracies : mapping from split to float
    files : tuple of WeightFile
        Files from which some of the weights are read when needed.
    sources : mapping from name to str
        Of a model that was read from one file, the names that its weights have there, but for those that were changed.
    """

    state: Mapping[str, Tensor]
    accuracies: Mapping[str, float]
    files: tuple[WeightFile, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ForwardPass:
    """A trained model about to be run once over a probe set.

    Attributes
    ----------
    state : mapping from name to Tensor
        The model's weights.
    memory : int
        Bytes that the pass may use for what it computes.
    """

    model: ModelSpec
    state: Mapping[str, Tensor]
    dataset: DatasetSpec
    probe: ProbeSpec
    device: torch.device
    memory: int


@dataclass(frozen=True)
class Extraction:
    """The results of a forward pass over the probe set, or of a batch of it: rows are in the order of the probe set.

    Attributes
    ----------
    representations : mapping from layer to Tensor
        With samples as the first axis.
    logits : Tensor of shape (n_samples, n_classes)
    accuracy : float
        On the probe set.
    samples : list of str
        Ids of the samples, row by row.
    precision : mapping from layer to torch.dtype
        The precision in which the pass computed a layer, where its tensor is of a wider type: pooled or stored in
        float32, numbers of bfloat16 have no more digits than before.
    """

    representations: Mapping[str, Tensor]
    logits: Tensor
    accuracy: float
    samples: Sequence[str]
    layout: Layout = "nd"
    precision: Mapping[str, torch.dtype] = field(default_factory=dict)
