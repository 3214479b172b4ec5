"""Checkpoints from other sources: dictionaries of weights, read without executing code in them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from resi.errors import ArtifactError
from resi.fingerprints import file_state, hash_file
from resi.store.archives import CHUNK_BYTES, DAMAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from torch import Tensor

    from resi.specs import WeightFile
else:
    from resi.lazy import torch

ZIP_START = b"PK\x03\x04"
CHANGED = "differs from its hash: it has changed, or is damaged. Run again; if this happens again, get the file again"
"""The error for a published model's file that changed after planning."""


def read_weights(file: IO[bytes]) -> dict[str, Tensor]:
    """Return the weights in a file that ``torch.save`` wrote, on the CPU.

    Such a file is a zip archive whose checksums ``torch.load`` ignores; they are checked here. Files written by torch
    before version 1.6 have no checksums.

    Raises
    ------
    ArtifactError
        If it is damaged, or is not a dictionary of tensors.
    """
    check_members(file)
    try:
        loaded = torch.load(file, weights_only=True, map_location="cpu")
    except Exception as error:  # any error on arbitrary bytes
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if "weights_only" in reason:  # torch's advice would let the file execute code
            reason = "it was not written by torch.save, or holds objects other than tensors"
        raise ArtifactError(f"cannot be read as a checkpoint: {reason}") from error
    if not isinstance(loaded, dict) or not all(_is_weight(*item) for item in loaded.items()):
        raise ArtifactError("does not hold a dictionary of weights")
    return loaded


def _is_weight(name: object, value: object) -> bool:
    """Return whether an entry is a name with a plain tensor, neither sparse nor quantized."""
    is_tensor = isinstance(name, str) and isinstance(value, torch.Tensor)
    return is_tensor and value.layout is torch.strided and not value.is_quantized  # type: ignore[attr-defined]


def check_finite(state: Mapping[str, Tensor]) -> None:
    """Check that weights are finite.

    Raises
    ------
    ArtifactError
        If some are NaN or infinite: the message names the first.
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            count = int((~torch.isfinite(tensor)).sum())
            raise ArtifactError(f"has weights that are not finite: {count} of {tensor.numel()} in {name}")


def check_members(file: IO[bytes]) -> None:
    """Read every member of a checkpoint once, so that zipfile compares it with its checksum."""
    start = file.read(len(ZIP_START))
    file.seek(0)
    if start != ZIP_START:
        return
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                with archive.open(member) as content:
                    while content.read(CHUNK_BYTES):
                        pass
    except DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ArtifactError(f"cannot be read as a checkpoint: it is damaged: {reason}. Get it again.") from error
    file.seek(0)


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], str]:
    """Return all tensors of a safetensors file, and the hash of the file.

    Raises
    ------
    ArtifactError
        If it is missing, damaged, or written to while being read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    state = file_state(path)
    try:
        tensors, content = load_file(path), hash_file(path)
    except FileNotFoundError as error:
        raise ArtifactError("is missing") from error
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"cannot be read: {str(error).splitlines()[0]}") from error
    if file_state(path) != state:
        raise ArtifactError("changed while it was read; run again when it is complete")
    return tensors, content


def same_tensors(found: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, str]:
    """Return, by name of weight, the tensor of a file that it equals; weights computed from tensors are left out.

    Parameters
    ----------
    found : mapping from name to Tensor
        As the file has them.
    state : mapping from name to Tensor
        As a model has them.
    """
    names = {id(tensor): name for name, tensor in found.items()}
    return {name: names[id(tensor)] for name, tensor in state.items() if id(tensor) in names}


def read_weight_file(file: WeightFile) -> dict[str, Tensor]:
    """Return the weights that a model has in an external file.

    Raises
    ------
    ArtifactError
        If the file is missing or has changed.
    """
    path = Path(file.path)
    is_safetensors = path.suffix == ".safetensors"
    tensors, content = read_safetensors(path) if is_safetensors else _read_dictionary(path, file.sha256)
    if content != file.sha256:
        raise ArtifactError("has changed, or is damaged")
    weights = {name: tensors[file.called.get(name, name)] for name in file.names}
    return {name: tensor.float() for name, tensor in weights.items()} if is_safetensors else weights


def _read_dictionary(path: Path, expected: str) -> tuple[dict[str, Tensor], str]:
    """Return the weights as :func:`read_weights` and the file's hash; only the hash if it is not the expected one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactError("is missing") from error
    except OSError as error:
        raise ArtifactError(f"cannot be read: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    return (read_weights(io.BytesIO(content)) if found == expected else {}), found
