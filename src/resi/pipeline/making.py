"""One model trained, or run for its representations: under its lock, by this process or by a worker."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import ArtifactError, DatasetError, UsageError
from resi.machine.devices import one_thread, resolve_device, torch_threads
from resi.machine.memory import memory_budget
from resi.machine.resources import job_threads
from resi.specs import ForwardPass
from resi.store.checkpoints import check_finite
from resi.store.models import ModelStore
from resi.store.representations import RepresentationStore
from resi.store.root import Store
from resi.store.unusable import UnusableModels

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    import torch

    from resi.domains.base import Domain
    from resi.pipeline.plan import Plan
    from resi.specs import DatasetSpec, ModelSpec, ProbeSpec, Trained
else:
    from resi.lazy import torch


class Task(NamedTuple):
    """A model to train, or to run over a probe set.

    Attributes
    ----------
    probe : ProbeSpec or None
        Of which representations are taken; None: the model is trained, or read if it is a published one.
    """

    model: ModelSpec
    probe: ProbeSpec | None = None

    @property
    def is_training(self) -> bool:
        """Whether the model is made, and not run."""
        return self.probe is None

    @property
    def lock(self) -> str:
        """Name of its lock in the data root."""
        return self.model.fingerprint if self.probe is None else f"{self.model.fingerprint}-{self.probe.place}"

    def __str__(self) -> str:
        """Say what is done."""
        return f"{'training' if self.is_training else 'running'} {self.model.label}"


@dataclass(frozen=True)
class Maker:
    """Makes the missing models and representations of a run; can be sent to another process.

    Attributes
    ----------
    device : str
        As in the config.
    published : Path or None
        Folder of published models; None where models are trained.
    memory : int or None
        Bytes that a pass over a probe set may use; None for ``auto``.
    threads : int or None
        Of a model that is not small; None: all that the job may use.
    others : tuple of DatasetSpec
        Further datasets that models are trained on.
    """

    root: Path
    domain: Domain
    dataset: DatasetSpec
    device: str
    published: Path | None
    memory: int | None
    threads: int | None
    others: tuple[DatasetSpec, ...] = ()

    @classmethod
    def of(cls, plan: Plan) -> Maker:
        """Return what makes the models and representations of a plan."""
        config = plan.config
        about = config.models.root, config.compare.memory_bytes, config.compare.threads
        return cls(config.root, config.domain, plan.dataset, config.device, *about, plan.others)

    @property
    def store(self) -> Store:
        """The data root."""
        return Store(self.root)

    def is_there(self, task: Task) -> bool:
        """Return whether it is made already, maybe by another process."""
        if task.probe is None:
            return ModelStore(self.store).has(task.model)
        return RepresentationStore(self.store).has(task.model, task.probe)

    def try_to_make(self, task: Task) -> bool:
        """Make a missing file unless another process is making it; return whether it exists now."""
        with self.store.try_lock(task.lock) as held:
            if held and not self.is_there(task):
                self._make(task)
        return held

    def _make(self, task: Task) -> None:
        if task.probe is not None and task.model.checkpoint and not ModelStore(self.store).has(task.model):
            return  # a published model that could not be read: that is noted
        from resi.domains.arithmetic import plain_networks  # which needs torch

        device = resolve_device(self.device)
        with self._threads(task.model), plain_networks(device):  # a plugin's domain, too
            if task.probe is None:
                self._train(task.model, device)
            else:
                self._extract(task.model, task.probe, device)

    def _threads(self, model: ModelSpec) -> AbstractContextManager[None]:
        """Limit the threads: a small model has one wherever it is made, so that its bits are always the same."""
        if self.domain.is_small(model):
            return one_thread()
        return torch_threads(self.threads or min(torch.get_num_threads(), job_threads(os.environ)))

    def _train(self, spec: ModelSpec, device: torch.device) -> None:
        start = time.perf_counter()
        models = ModelStore(self.store)
        unfinished = models.unfinished_path(spec)
        trained = (
            self._read_published(spec, device)
            if spec.checkpoint
            else self.domain.train(spec, self._dataset_of(spec), device, unfinished)
        )
        if trained is None:
            return
        models.save(spec, trained, time.perf_counter() - start, device.type)
        unfinished.unlink(missing_ok=True)

    def _dataset_of(self, spec: ModelSpec) -> DatasetSpec:
        """Return the dataset that a model is trained on."""
        return next((other for other in self.others if other.name == spec.dataset), self.dataset)

    def _read_published(self, spec: ModelSpec, device: torch.device) -> Trained | None:
        """Read a published model, whose file has to be the one that was planned with.

        One that cannot be read is noted, and None returned: it costs its comparisons, and stops nothing.
        """
        if self.published is None:
            raise UsageError(f"{spec.label} is a published model, but models.source=train")
        notes = UnusableModels(self.root)
        try:
            path = self.domain.checkpoint(self.published, spec)
        except DatasetError as error:
            notes.note(spec, None, str(error))
            return None
        try:
            trained = self.domain.read_published(path, spec, self._dataset_of(spec), device)
            check_finite(trained.state)
        except ArtifactError as error:
            notes.note(spec, path, f"{path} {error}")
            return None
        notes.forget(spec)
        return trained

    def _extract(self, model: ModelSpec, probe: ProbeSpec, device: torch.device) -> None:
        state = ModelStore(self.store).load(model)
        dataset, memory = probe.dataset or self._dataset_of(model), memory_budget(self.memory, device)
        run = ForwardPass(model, state, dataset, probe, device, memory)
        RepresentationStore(self.store).save(model, probe, self.domain.extract(run))
