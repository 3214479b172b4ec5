"""Files of tensors with metadata: safetensors with a hash of their content, which every read verifies."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError
from resi.store.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

CONTENT_HASH = "content_sha256"
HEADER_HASH = "header_sha256"
"""Of the metadata and shapes, which are used before the content is read."""
METADATA = "resi"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write named tensors and JSON metadata into one safetensors file, atomically.

    Parameters
    ----------
    path : Path
        Where the file goes; the folder is created.
    tensors : mapping from name to Tensor
        On any device; stored unchanged.
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
        raise ArtifactError(f"{path} is missing.", path, "Run again to compute it.")
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

    Both are verified; the tensors themselves are verified when they are read.

    Raises
    ------
    ArtifactError
        If the file is missing, its header is damaged, or its length does not match the header.
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
        raise ArtifactError(f"{path} is missing.", path, "Run again to compute it.") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"its header cannot be read: {error}") from error
    if not is_right:
        raise _damaged(path, "its header does not match its hash")
    if 8 + length + end != size:
        raise _damaged(path, f"it has {size} bytes instead of {8 + length + end}")
    return metadata


def hash_tensors(path: Path) -> str:
    """Return the hash of the tensors in a file, independent of its metadata.

    Raises
    ------
    ArtifactError
        If the file is missing, or its header is damaged.
    """
    read_metadata(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        header.pop("__metadata__")
        digest.update(json.dumps(header, sort_keys=True).encode())
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


def header_entries(metadata: str, content_hash: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Return the header entries of a file besides its tensors."""
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
    return ArtifactError(f"{path} is damaged: {why}.", path, "Its run recomputes it.")
