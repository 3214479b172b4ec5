"""What a run is: the keys that Hydra composes, and the typed config that they become."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.choices import ModelSource, OnError, Overwrite, Protocol, Stage
from resi.engine.chance import FEWEST_PERMUTATIONS
from resi.errors import UsageError
from resi.machine.memory import memory_budget, parse_size

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from resi.domains.base import Domain
    from resi.groundings.base import Grounding
    from resi.measures.base import Measure

MISSING: Any = "???"  # omegaconf's, which takes longer to import than all of `resi --help`


@dataclass
class DatasetConfig:
    """A dataset's name, and where its files lie if not below the data root."""

    name: str = MISSING
    root: str | None = field(
        default=None,
        metadata={"help": "folder of its files; default: below the data root; for custom, a table of files"},
    )
    cache: bool = field(
        default=False,
        metadata={
            "help": "true: keep the images of imagenet100 decoded below the data root, which takes space and saves time"
        },
    )


@dataclass
class TestConfig:
    """A test's name."""

    __test__ = False  # not a test class, despite its name
    name: str = MISSING


@dataclass
class CompareConfig:
    """How comparisons are made.

    Attributes
    ----------
    memory_bytes : int or None
        ``memory`` as a number of bytes; None for ``auto``, which depends on the device.

    Raises
    ------
    UsageError
        Naming the first key whose value does not fit.
    """

    memory: str = field(
        default="auto",
        metadata={"help": "budget for prepared representations, such as 4GB (default auto: half the machine's)"},
    )
    threads: int | None = field(default=None, metadata={"help": "number of threads; in a sweep, of each job"})
    overwrite: Overwrite = field(
        default=Overwrite.only_missing,
        metadata={"help": "only_missing (default), failed, always: which stored comparisons are computed again"},
    )
    subsample: int | None = field(
        default=None, metadata={"help": "compare only that many samples, the same for all representations"}
    )
    isolate: bool = field(
        default=False,
        metadata={"help": "true: compare in a separate process, whose crash does not affect the rest"},
    )
    time_limit: float | None = field(
        default=None,
        metadata={
            "help": "seconds after which a comparison is stopped and recorded as failed; needs compare.isolate=true"
        },
    )

    def __post_init__(self) -> None:
        self.memory_bytes: int | None = parse_size(self.memory, "compare.memory")
        _check_at_least("compare.threads", self.threads, 1)
        _check_at_least("compare.subsample", self.subsample, 2)
        _check_time_limit(self.time_limit, self.isolate)

    def budget(self, device: torch.device) -> int:
        """Return how many bytes prepared representations may take on a device."""
        return memory_budget(self.memory_bytes, device)


@dataclass
class ModelsConfig:
    """Where models come from: trained here, or published checkpoints below a folder."""

    source: str = field(
        default=ModelSource.train.value,
        metadata={"help": "train (default), or published: read the published checkpoints below models.root"},
    )
    root: str | None = field(
        default=None, metadata={"help": "folder of published checkpoints; default: models/ of the data root"}
    )


@dataclass
class RunSchema:
    """All keys of a run, as Hydra sees them.

    Their order is that of the config in a manifest. Of a key with a few values, those typed as an enum are checked by
    Hydra; those that are texts here become one in :func:`resi.config.validate.validate`, which guesses what was meant.
    """

    root: str = field(
        default=MISSING, metadata={"help": "the data root; default $RESI_HOME, else $REP_SIM, else ./experiments"}
    )
    shards: str | None = field(
        default=None, metadata={"help": "a URL, such as s3://bucket/folder, to which finished shards are copied"}
    )
    domain: str = field(default=MISSING, metadata={"help": "{domains}"})
    protocol: str = field(
        default=MISSING,
        metadata={"help": "corrected (default), or published: the published benchmark's numbers, defects included"},
    )
    seeds: list[int] | None = field(
        default=None, metadata={"help": "list of model seeds in each group, such as [0,1,2]"}
    )
    groups: Any = field(
        default=None,
        metadata={
            "help": "2, 3 (default) or 5; or a list of settings, such as [standard,label_randomization_50]; "
            "for custom, all there are"
        },
    )
    by: str | None = field(
        default=None,
        metadata={
            "help": "what the groups of models differ in: setting (default), architecture (those in model=[A,B]) "
            "or dataset (those in trained_on)"
        },
    )
    trained_on: list[str] | None = field(
        default=None, metadata={"help": "with by=dataset, list of datasets that models are trained on"}
    )
    device: str = field(default="auto", metadata={"help": "auto (default: CUDA if available), cpu, cuda, cuda:N"})
    workers: int | None = field(
        default=None,
        metadata={
            "help": "number of processes that train and run small models side by side (default: one for each core "
            "the run may use); 1: none"
        },
    )
    stage: Stage = field(
        default=Stage.all, metadata={"help": "models, representations, compare, score or all (default): how far to go"}
    )
    on_error: str = field(
        default=OnError.record.value,
        metadata={"help": "record (default) or raise: what an error in one comparison does"},
    )
    dataset: Any = field(default=None, metadata={"help": "of the domain"})
    model: Any = field(
        default=None, metadata={"help": "one or a list, of the domain; model.gcn.epochs=50 changes a hyperparameter"}
    )
    models: ModelsConfig = field(default_factory=ModelsConfig)
    representation: str | None = field(
        default=None,
        metadata={
            "help": "which output of a layer is used, if the domain has a choice: {representations}; for custom a layer"
        },
    )
    test: Any = field(default=None, metadata={"help": "{tests}"})
    suite: Any = field(
        default=None, metadata={"help": "a named list of runs, started by resi -m suite=NAME; see resi list suites"}
    )
    measure: dict[str, Any] = field(
        default_factory=lambda: {"file": None},
        metadata={
            "help": "a name, a list, or: all, benchmark, fast; measure.file=my_measure.py takes those of your "
            "own file, and others as well only where a list names them"
        },
    )
    compare: CompareConfig = field(default_factory=CompareConfig)
    null: int | None = field(
        default=None,
        metadata={
            "help": "number of permutations of the samples, such as 200: adds a calibrated variant of every measure"
        },
    )


SUBKEYS: dict[str, type] = {"compare": CompareConfig, "models": ModelsConfig, "dataset": DatasetConfig}
"""Keys below a key of a run, beside those of the chosen models and measures."""


@dataclass(frozen=True)
class ModelOrigin:
    """Where the models of a run come from.

    Attributes
    ----------
    root : Path or None
        Folder of published models; None where models are trained.
    """

    source: ModelSource
    root: Path | None


class Remade(NamedTuple):
    """Which stored comparisons a run makes again: those that have failed, and all others."""

    failed: bool
    others: bool


@dataclass(frozen=True)
class RunConfig:
    """A validated run: every name in it exists.

    Attributes
    ----------
    dataset_root : Path or None
        Folder of the dataset's files, where it is not below the data root.
    keeps_decoded : bool
        Whether decoded inputs are kept below the data root.
    architectures : dict
        Hyperparameters to change, by architecture.
    groups : int, tuple of str or None
        How many groups there are, or the settings that they are of; None for the domain's own number.
    shards : str or None
        URL of a folder in which finished shards are kept as well.
    composed : dict
        The composed config itself, for the manifest.
    null : int or None
        Number of permutations of the samples, by which every measure is calibrated as well; None for no such variant.
    workers : int or None
        Processes that train and run small models; None: as many as the run may use. No result depends on it.
    settings : tuple of str
        Where groups are no settings, those of their models; empty otherwise.
    trained_on : tuple of str
        The datasets that are groups; empty where they are not.
    """

    root: Path
    domain: Domain
    dataset: str
    dataset_root: Path | None
    architectures: dict[str, dict[str, Any]]
    models: ModelOrigin
    test: Grounding
    measures: dict[str, Measure]
    protocol: Protocol
    seeds: tuple[int, ...]
    groups: int | tuple[str, ...] | None
    device: str
    stage: Stage
    compare: CompareConfig
    on_error: OnError
    shards: str | None
    composed: dict[str, Any]
    null: int | None = None
    keeps_decoded: bool = False
    workers: int | None = None
    settings: tuple[str, ...] = ()
    trained_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_at_least("workers", self.workers, 1)
        if self.null is not None and (isinstance(self.null, bool) or self.null < FEWEST_PERMUTATIONS):
            raise UsageError(
                f"null={self.null}: expected a number of permutations from {FEWEST_PERMUTATIONS} up, such as 200: with "
                "fewer, no value can be beyond 95 % of them"
            )

    @property
    def nulls(self) -> tuple[int | None, ...]:
        """The variants of each measure: None is the measure itself, a number the one calibrated by permutations."""
        return (None,) if self.null is None else (None, self.null)

    @property
    def remade(self) -> Remade:
        """Which stored comparisons are computed again; none by a run that only scores."""
        if self.stage is Stage.score:
            return Remade(failed=False, others=False)
        always = self.compare.overwrite is Overwrite.always
        failed = self.compare.overwrite is Overwrite.failed or self.on_error is OnError.raise_
        return Remade(failed=always or failed, others=always)


def _check_at_least(name: str, given: int | None, smallest: int) -> None:
    if given is not None and given < smallest:
        raise UsageError(f"{name}={given}: expected a number from {smallest} up")


def _check_time_limit(limit: float | None, isolate: bool) -> None:
    if limit is None:
        return
    if not 0 < limit < math.inf:
        raise UsageError(f"compare.time_limit={limit:g}: expected a number of seconds above 0")
    if not isolate:
        raise UsageError(
            f"compare.time_limit={limit:g} needs compare.isolate=true: only a separate process can be stopped"
        )
