"""Content-addressed artifacts below the data root: written at once or not at all, locked, and checked when read.

A file is written under a temporary name, synced and renamed, so whatever has its final name is whole. Tensors carry a
hash of their content, which every read verifies. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import platform
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.console import say
from resi.errors import ArtifactError, StoreError, UsageError
from resi.fingerprints import file_state
from resi.store import locks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

CONTENT_HASH = "content_sha256"
HEADER_HASH = "header_sha256"
"""Of the metadata and shapes, which are used before the content is read."""
METADATA = "resi"
MADE = ("models", "representations", "unfinished")
LOCK_POLL_SECONDS = 0.5
# A temporary file of another host is left over when nobody has written to it for a day.
LEFTOVER_SECONDS = 86400.0


@dataclass(frozen=True)
class Store:
    """The data root and its folders.

    Parameters
    ----------
    root : Path
        ``$RESI_HOME``, else ``$REP_SIM``, else ``./experiments``, unless a config says otherwise.
    """

    root: Path

    def __post_init__(self) -> None:
        check_text(self.root)

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

    def makes(self, path: Path) -> bool:
        """Return whether a file is one that resi makes, and can make anew."""
        return any(path.is_relative_to(self.root / folder) for folder in MADE)

    def set_aside(self, path: Path, state: tuple[int, ...] | None) -> None:
        """Give a damaged file another name, unless another process has done so and made it again.

        Parameters
        ----------
        state : tuple of int or None
            Of the file when it was found damaged, see :attr:`ArtifactError.state`.
        """
        with self.lock(f"damaged-{hashlib.sha256(str(path).encode()).hexdigest()[:16]}", "looks at the same damage"):
            if file_state(path) == state:
                with contextlib.suppress(FileNotFoundError):
                    path.replace(path.with_name(f"{path.name}.damaged"))

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
        with try_lock(self._lock(name)) as held:
            yield held

    @contextlib.contextmanager
    def lock(self, name: str, doing: str) -> Iterator[None]:
        """Wait for the lock of an artifact and hold it; ``doing`` says what the other process does meanwhile."""
        with wait_for_lock(self._lock(name), doing):
            yield

    def holder(self, name: str) -> str:
        """Return who holds the lock of an artifact, in words."""
        return locks.holder(self._lock(name))

    def is_locked(self, name: str) -> bool:
        """Return whether a process holds the lock of an artifact."""
        if not self._lock(name).exists():
            return False
        try:
            with self.try_lock(name) as held:
                return not held
        except StoreError:  # a data root that can only be read
            return locks.is_held(self._lock(name))

    def _lock(self, name: str) -> Path:
        return self.root / "locks" / f"{name}.lock"


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold a lock if no other process does, see :func:`resi.store.locks.try_lock`; its folder is created."""
    make_folder(path.parent)
    with contextlib.ExitStack() as stack:
        try:
            held = stack.enter_context(locks.try_lock(path))
        except OSError as error:
            raise _cannot_write(path, error) from error
        yield held


@contextlib.contextmanager
def wait_for_lock(path: Path, doing: str) -> Iterator[None]:
    """Wait until no other process holds a lock, and hold it; whom we wait for is told once.

    Parameters
    ----------
    doing : str
        What the other process does, such as "is at the same run".
    """
    told: set[str] = set()
    while True:
        with try_lock(path) as held:
            if held:
                yield
                return
        owner = locks.holder(path)
        if owner not in told:
            say(f"waiting for {owner}, which {doing}")
            told.add(owner)
        time.sleep(LOCK_POLL_SECONDS)


def default_root() -> Path:
    """Return the data root of this environment: ``$RESI_HOME``, else ``$REP_SIM``, else ``./experiments``."""
    return Path(os.environ.get("RESI_HOME") or os.environ.get("REP_SIM") or "experiments").absolute()


def check_text(path: Path) -> None:
    """Raise ``UsageError`` for a path that is not text: tables cannot be opened at such a path."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{str(path)!a} is not UTF-8 text; rename the folder, or name a symbolic link to it"
        ) from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents, or raise ``StoreError`` saying what to do."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


def list_files(folder: Path, pattern: str) -> list[Path]:
    """Return what in a folder fits a pattern, sorted; nothing if the folder does not exist or is removed meanwhile."""
    # Path.glob checks that the folder exists, and raises if it is removed right after that.
    with contextlib.suppress(FileNotFoundError):
        return sorted(folder.glob(pattern))
    return []


@contextlib.contextmanager
def written_to(path: Path) -> Iterator[None]:
    """Turn whatever keeps a file below ``path`` from being written into ``StoreError``, in this block."""
    try:
        yield
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
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{_writer()}-{uuid.uuid4().hex}.tmp")
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


def _writer() -> str:
    return f"{platform.node() or 'host'}-{os.getpid()}"


def _remove_leftovers(path: Path) -> None:
    """Remove what killed processes have left of the same file: on a full disk, it may be what fills it."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        host, _, rest = leftover.name.removeprefix(f".{path.name}.").rpartition("-")[0].rpartition("-")
        with contextlib.suppress(OSError):
            if host == (platform.node() or "host") and rest.isdigit():
                is_left = not _is_alive(int(rest))
            else:
                is_left = time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS
            if is_left:
                leftover.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


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
    shapes = {name: tuple(tensor.shape) for name, tensor in ready.items()}
    data = save(ready, header_entries(text, _content_hash(ready, text), shapes))
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and metadata written by :func:`write_tensors`, and verify them.

    Raises
    ------
    ArtifactError
        If the file is missing or damaged; the message names it and what to do.
    """
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        raise ArtifactError(f"{path} is missing.", path, "Run again to have it made.")
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
    """Read the metadata alone, and the tensors' shapes under ``"shapes"``, without loading a tensor or torch.

    Both are verified; whether the tensors are as they were written is known when they are read.

    Raises
    ------
    ArtifactError
        If the file is missing, its header is damaged, or it has another length than that says.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = path.stat().st_size
            if length > size:
                raise _damaged(path, "it is truncated")
            header = json.loads(file.read(length))
        about = header.pop("__metadata__")
        metadata: dict[str, Any] = json.loads(about[METADATA])
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        # Earlier versions have written no hash of the header.
        is_right = about.get(HEADER_HASH) in (None, _header_hash(about[METADATA], about[CONTENT_HASH], shapes))
        metadata["shapes"] = shapes
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is missing.", path, "Run again to have it made.") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"its header cannot be read: {error}") from error
    if not is_right:
        raise _damaged(path, "its header does not match its hash")
    if 8 + length + end != size:
        raise _damaged(path, f"it has {size} bytes instead of {8 + length + end}")
    return metadata


def header_entries(metadata: str, content_hash: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Return what a file says about itself beside its tensors."""
    header_hash = _header_hash(metadata, content_hash, shapes)
    return {METADATA: metadata, CONTENT_HASH: content_hash, HEADER_HASH: header_hash}


def _header_hash(metadata: str, content_hash: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    lines = [metadata, content_hash, *(f"{name} {shapes[name]}" for name in sorted(shapes))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


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
    return ArtifactError(f"{path} is damaged: {why}.", path, "Its run makes it again.")


def _cannot_write(path: Path, error: OSError) -> StoreError:
    reason = error.strerror or str(error)
    return StoreError(f"cannot write {path}: {reason}. Free space there, or choose another data root with RESI_HOME.")
