"""Trained models in the store."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError
from resi.store.tensors import read_metadata, read_tensors, write_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from resi.specs import ModelSpec, Trained
    from resi.store.root import Store


@dataclasses.dataclass(frozen=True)
class ModelStore:
    """Reads and writes trained models."""

    store: Store

    def path(self, spec: ModelSpec) -> Path:
        """Return the path of a model: a readable name that ends in its fingerprint."""
        name = f"{spec.setting}-s{spec.seed}-{spec.fingerprint[:12]}.safetensors"
        return self.store.models / spec.folder / name

    def unfinished_path(self, spec: ModelSpec) -> Path:
        """Return the path of the state of an interrupted training."""
        return self.store.unfinished / f"{spec.fingerprint}.safetensors"

    def has(self, spec: ModelSpec) -> bool:
        """Return whether the model is trained."""
        return self.path(spec).is_file()

    def save(self, spec: ModelSpec, trained: Trained, seconds: float, device: str = "") -> None:
        """Write a model's weights with its specification, accuracies and training time.

        Weights that stay in external files are recorded instead, with the hashes of these files.

        Parameters
        ----------
        device : str
            On which it was trained, such as ``cpu``.
        """
        about: dict[str, Any] = {"accuracies": trained.accuracies, "seconds": seconds, "device": device}
        if trained.files:
            about["files"] = [dataclasses.asdict(file) for file in trained.files]
        metadata = {"spec": dataclasses.asdict(spec), "fingerprint": spec.fingerprint, **about}
        elsewhere = {name for file in trained.files for name in file.names}
        own = {name: tensor for name, tensor in trained.state.items() if name not in elsewhere}
        write_tensors(self.path(spec), own, metadata)

    def load(self, spec: ModelSpec) -> dict[str, Tensor]:
        """Return the weights of a model.

        Raises
        ------
        ArtifactError
            If the file is damaged or holds another model, or if an external file with weights is missing or has
            changed.
        """
        from resi.specs import WeightFile
        from resi.store.checkpoints import read_weight_file

        state, metadata = read_tensors(self.path(spec))
        self._check(spec, metadata)
        for entry in metadata.get("files", ()):
            try:
                state |= read_weight_file(WeightFile(**entry))
            except ArtifactError as error:
                raise ArtifactError(
                    f"{self.path(spec)} has its weights in {entry['path']}, which {error}.",
                    self.path(spec),
                    "Run again.",
                ) from error
        return state

    def about(self, spec: ModelSpec) -> dict[str, Any]:
        """Return what was recorded when the model was trained: ``spec``, ``accuracies`` by split, ``seconds``.

        Raises
        ------
        ArtifactError
            As :meth:`load`.
        """
        metadata = read_metadata(self.path(spec))
        self._check(spec, metadata)
        return metadata

    def _check(self, spec: ModelSpec, metadata: Mapping[str, Any]) -> None:
        path = self.path(spec)
        if metadata.get("fingerprint") != spec.fingerprint:
            raise ArtifactError(
                f"{path} holds another model than {spec.label}.", path, "Its run trains that one again."
            )
