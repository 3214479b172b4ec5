"""Origin of an array: a file, or memory. It is identified by its content."""

from __future__ import annotations

import glob
import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from resi.errors import ArtifactError, UsageError
from resi.fingerprints import file_state, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from resi.extraction.collection import Representations
    from resi.representation import ArrayLike, Representation

    State = tuple[tuple[Path, tuple[int, ...] | None], ...]
    HashFile = Callable[[Path], str]

WHOLE = "representation"
"""Default name of a layer."""


class Origin(ABC):
    """A file, folder or collection in memory that holds a layer."""

    label: str

    @property
    @abstractmethod
    def source(self) -> object:
        """A hashable key that is equal for the same origin."""

    @abstractmethod
    def collection(self, layer: str | None) -> Representations:
        """Return the representations, or only the named layer if there are several."""

    @abstractmethod
    def identity(self, layer: str | None, hash_file: HashFile) -> str:
        """Return the hash of a layer's numbers and of the rest of its file."""

    def layers(self) -> tuple[str, ...]:
        """Return the names of all layers, in order."""
        return tuple(self.collection(None))

    def samples(self, layer: str | None) -> tuple[str, ...]:
        """Return the ids of the samples."""
        return self.collection(layer).samples

    def open(self, layer: str | None) -> Representation:
        """Return one layer; by default the only one.

        Raises
        ------
        UsageError
            If it is missing, or if there are several and none is named.
        """
        found = self.collection(layer)
        if layer in found.layers:
            return found.layers[layer]
        if len(found) > 1:
            raise UsageError(f"{self.label} holds several layers ({', '.join(found)}); name one in the column layer")
        (only,) = found.layers.values()
        return only


class MemoryOrigin(Origin):
    """Representations in memory."""

    def __init__(self, label: str, collection: Representations) -> None:
        self.label = label
        self._collection = collection
        self._hashes: dict[str, str] = {}

    @property
    def source(self) -> object:
        """The collection."""
        return self._collection

    def collection(self, layer: str | None) -> Representations:
        """Return them."""
        return self._collection

    def identity(self, layer: str | None, hash_file: HashFile) -> str:
        """Return the hash of type, shape and numbers, and of the ids of the samples."""
        found = self.open(layer)
        if found.key not in self._hashes:
            self._hashes[found.key] = _hash_array(found)
        return self._hashes[found.key]


def _hash_array(representation: Representation) -> str:
    import torch

    tensor = torch.as_tensor(representation.load()).detach().cpu().contiguous()
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)} {representation.layout}\n".encode())
    digest.update(f"{representation.samples} {representation.dtype}\n".encode())
    digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


class FileOrigin(Origin):
    """A file or folder that :func:`resi.load` reads; arrays are not copied."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.label = str(path)
        self._collections: dict[str | None, Representations] = {}
        self._known: dict[str | None, tuple[State, str]] = {}

    @property
    def source(self) -> object:
        """The path, without links."""
        return self.path.resolve()

    def collection(self, layer: str | None) -> Representations:
        """Return the contents of the file, reading only the headers of arrays."""
        if layer not in self._collections:
            self._collections[layer] = _load(self.path, layer)
        return self._collections[layer]

    def layers(self) -> tuple[str, ...]:
        """Return the names of all layers; one that is named after its file has none of its own."""
        names = super().layers()
        return (WHOLE,) if names == (self.path.stem,) else names

    def identity(self, layer: str | None, hash_file: HashFile) -> str:
        """Return the hash of the files that the layer is in, and of its name there.

        Raises
        ------
        DatasetError
            If a file is written to meanwhile.
        """
        if layer not in self._known:
            files = self._files(layer)
            state: State = tuple((path, file_state(path)) for path in files)
            name = layer if layer in self.collection(layer).layers else None
            about = {"files": [hash_file(path) for path in files], "layer": name}
            self._known[layer] = state, fingerprint(about)
        return self._known[layer][1]

    def open(self, layer: str | None) -> Representation:
        """Return one layer, whose files must not have changed since it was identified.

        Raises
        ------
        ArtifactError
            When it is loaded, if a file has changed since.
        """
        found = super().open(layer)
        if layer not in self._known:
            return found
        return replace(found, load=_Unchanged(found.load, self._known[layer][0]))

    def _files(self, layer: str | None) -> list[Path]:
        from resi.extraction.files.contents import Options
        from resi.extraction.files.folders import SAMPLES, layer_files, read_folder

        if not self.path.is_dir():
            return [self.path]
        names = self.collection(layer).layers
        wanted = layer if layer in names else next(iter(names))
        file = read_folder(self.path, Options()).paths.get(wanted)
        ids = self.path / SAMPLES
        files = layer_files(self.path) if file is None else [file]
        return [*files, ids] if ids.exists() else files


def _load(path: Path, layer: str | None) -> Representations:
    from resi.extraction.files.loading import load

    if layer is None:
        return load(path)
    try:
        return load(path, glob.escape(layer))
    except UsageError as error:
        try:
            whole = load(path)
        except UsageError:
            raise error from None
        if len(whole) > 1:
            raise
        return whole  # whose one layer the table gives a name


@dataclass(frozen=True)
class _Unchanged:
    """Reads an array from files that have not changed since planning; can be pickled."""

    read: Callable[[], ArrayLike]
    state: State

    def __call__(self) -> ArrayLike:
        self._check()
        array = self.read()
        self._check()
        return array

    def _check(self) -> None:
        for path, state in self.state:
            if file_state(path) != state:
                what = "changed" if path.exists() else "was removed"
                raise ArtifactError(f"{path} {what} after the run was planned; run again when it is complete")
