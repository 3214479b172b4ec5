"""Content-addressed artifacts below the data root: written at once or not at all, locked, and checked when read.

A file is written under a temporary name, synced and renamed, so whatever has its final name is whole. Tensors carry a
hash of their content, which every read verifies. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

CONTENT_HASH = "content_sha256"
METADATA = "resi"


@dataclass(frozen=True)
class Store:
    """The data root and its folders.

    Parameters
    ----------
    root : Path
        ``$RESI_HOME``, else ``$REP_SIM``, else ``./experiments``, unless a config says otherwise.
    """

    root: Path

    @property
    def datasets(self) -> Path:
        """Where downloaded datasets lie."""
        return self.root / "datasets"

    @property
    def shards(self) -> Path:
        """Where runs write their results."""
        return self.root / "shards"

    @property
    def results(self) -> Path:
        """Where merged tables are written."""
        return self.root / "results"

    @contextlib.contextmanager
    def try_lock(self, name: str) -> Iterator[bool]:
        """Hold the lock of an artifact if no other process does, so that no two jobs make it at once.

        The lock belongs to the process: it is gone when the process ends, however it ends.

        Parameters
        ----------
        name : str
            Fingerprint of the artifact.

        Yields
        ------
        bool
            Whether the lock is held.
        """
        from filelock import FileLock, Timeout

        path = self.root / "locks" / f"{name}.lock"
        make_folder(path.parent)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise _cannot_write(path, error) from error
        try:
            yield True
        finally:
            lock.release()


def default_root() -> Path:
    """Return the data root of this environment: ``$RESI_HOME``, else ``$REP_SIM``, else ``./experiments``."""
    return Path(os.environ.get("RESI_HOME") or os.environ.get("REP_SIM") or "experiments").absolute()


def make_folder(path: Path) -> None:
    """Create a folder and its parents, or raise ``StoreError`` saying what to do."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends well, it becomes ``path``.

    Raises
    ------
    StoreError
        If the file cannot be written: the data root is full, read-only or no folder. Nothing is left behind.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write named tensors and JSON metadata into one safetensors file, atomically.

    Parameters
    ----------
    path : Path
        Where the file goes; the folder is created.
    tensors : mapping from name to Tensor
        Of any device; stored as they are.
    metadata : mapping
        Anything JSON can hold.
    """
    from safetensors.torch import save

    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(metadata, sort_keys=True)
    header = {METADATA: text, CONTENT_HASH: _content_hash(ready, text)}
    data = save(ready, header)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and metadata written by :func:`write_tensors`, and verify them.

    Raises
    ------
    ArtifactError
        If the file is damaged; the message names it and what to do.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise _damaged(path, str(error)) from error
    if CONTENT_HASH not in header or METADATA not in header:
        raise _damaged(path, "it was not written by resi")
    if _content_hash(tensors, header[METADATA]) != header[CONTENT_HASH]:
        raise _damaged(path, "its content does not match its hash")
    return tensors, json.loads(header[METADATA])


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the metadata alone, and the tensors' shapes under ``"shapes"``, without loading a tensor or torch."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = path.stat().st_size
            if length > size:
                raise _damaged(path, "it is truncated")
            header = json.loads(file.read(length))
        metadata: dict[str, Any] = json.loads(header.pop("__metadata__")[METADATA])
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"its header cannot be read: {error}") from error
    if 8 + length + end != size:
        raise _damaged(path, f"it has {size} bytes instead of {8 + length + end}")
    return {**metadata, "shapes": {name: tuple(entry["shape"]) for name, entry in header.items()}}


def _content_hash(tensors: Mapping[str, Tensor], metadata: str) -> str:
    import torch

    digest = hashlib.sha256(metadata.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # As bytes: numpy has no bfloat16.
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _damaged(path: Path, why: str) -> ArtifactError:
    return ArtifactError(f"{path} is damaged: {why}. Delete it and run again to have it made anew.")


def _cannot_write(path: Path, error: OSError) -> StoreError:
    reason = error.strerror or str(error)
    return StoreError(f"cannot write {path}: {reason}. Free space there, or choose another data root with RESI_HOME.")
