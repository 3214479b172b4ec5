"""``.pt`` and ``.pth``: tensors written by ``torch.save``, read without running any code in the file."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError
from resi.extraction.files.contents import FLOATS, Contents, Format, Options, StoredArray, bound, reading
from resi.store.checkpoints import ZIP_START, check_members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

    from resi.extraction.collection import Representations

# Torch's message for a pickle that would call anything but constructors of tensors.
_CALLS = re.compile(r"GLOBAL ([\w.]+)")
# torch.save has written pickles of version 2, and since torch 1.6 zip archives that hold them.
_OTHER_PICKLES = (b"\x80\x03", b"\x80\x04", b"\x80\x05")
ADVICE = (
    "no code in it was run. If you trust it, load it yourself and save the tensors: torch.save({'layer': tensor}, FILE)"
)


def read_checkpoint(path: Path, options: Options) -> Contents:
    """Return the tensors in a file: one, several by name, or a list; ids in a list of texts named ``samples``."""
    with reading(path):
        _check(path)
        loaded = _loaded(path)
    if _is_tensor(loaded):
        return Contents({path.stem: _array(path, "", loaded)})
    samples = None
    if isinstance(loaded, dict):
        options.check(path, [str(key) for key in loaded])
        for name in options.id_names:
            if isinstance(loaded.get(name), list | tuple) and all(isinstance(item, str | int) for item in loaded[name]):
                samples = tuple(str(item) for item in loaded.pop(name))
            elif _is_tensor(loaded.get(name)) and loaded[name].ndim == 1 and not loaded[name].is_floating_point():
                samples = tuple(str(item) for item in loaded.pop(name).tolist())
    return Contents({name: _array(path, name, item) for name, item in _leaves(loaded)}, samples)


def _check(path: Path) -> None:
    """Verify the checksums of a zip archive, which ``torch.load`` ignores."""
    try:
        with path.open("rb") as file:
            check_members(file)
    except ArtifactError as error:
        raise ArtifactError(f"{path} {error}") from error


def _loaded(path: Path) -> Any:
    """Return the content of the file, tensors memory-mapped; only tensors, containers, texts and numbers are made."""
    import torch

    with path.open("rb") as file:
        begin = file.read(len(ZIP_START))
        is_zip = begin == ZIP_START
        if begin[:2] in _OTHER_PICKLES:
            raise ArtifactError(f"{path} is a pickle that torch.save did not write; {ADVICE}")
        if is_zip and any(name.endswith("/constants.pkl") for name in zipfile.ZipFile(file).namelist()):
            raise ArtifactError(f"{path} is a TorchScript program, not tensors; no code in it was run")
    try:
        return torch.load(path, weights_only=True, map_location="cpu", mmap=is_zip)
    except Exception as error:  # any error on arbitrary bytes
        message = " ".join(str(error).split())
        if found := _CALLS.search(message):
            raise ArtifactError(f"{path} is a pickle of more than tensors: it loads {found[1]}; {ADVICE}") from error
        reason = message.rpartition("WeightsUnpickler error: ")[2].partition(" Check the doc")[0] if message else ""
        raise ValueError(reason or type(error).__name__) from error


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values in nested dictionaries and lists, with their keys joined by dots."""
    if isinstance(value, dict | list | tuple):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _array(path: Path, name: str, tensor: Any) -> StoredArray:
    import torch

    if not _is_tensor(tensor):
        return StoredArray((), f"a {type(tensor).__name__}", bound(path, _load, name, ()))
    size = tuple(tensor.shape)
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        dtype = f"{'quantized' if tensor.is_quantized else str(tensor.layout).removeprefix('torch.')} {dtype}"
    return StoredArray(size, dtype, bound(path, _load, name, size))


def _load(path: Path, name: str) -> Tensor:
    return dict(_leaves(_loaded(path)))[name].detach()


def write_checkpoint(path: Path, representations: Representations) -> None:
    """Write a dictionary of the layers and the list of ids."""
    import torch

    tensors = {layer: tensor.detach().cpu().contiguous() for layer, tensor in representations.items()}
    torch.save({**tensors, "samples": list(representations.samples)}, path)


CHECKPOINT = Format((".pt", ".pth"), "tensors of torch", read_checkpoint, write_checkpoint, FLOATS)
