"""``.safetensors``: those that resi writes, whose metadata say all that is known, and anybody's."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError
from resi.extraction.files.contents import (
    FLOATS,
    Contents,
    Format,
    Options,
    StoredArray,
    bound,
    ids_of,
    in_natural_order,
    reading,
)
from resi.store.tensors import METADATA, read_metadata, read_tensors, write_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from resi.extraction.collection import Representations

REPRESENTATION = "representation"
"""Name of the tensor in a file of one layer."""
# What is known of a file beside what its layer was made of.
_OWN = ("layer", "layout", "dtype", "shapes", "samples", "name")
# As safetensors names types.
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool", "U8": "uint8"}


def read_safetensors(path: Path, options: Options) -> Contents:
    """Return the tensors of a file, with what its metadata say of them if resi wrote it."""
    from safetensors import safe_open

    with reading(path), safe_open(path, framework="pt") as file:
        is_ours = METADATA in (file.metadata() or {})
        names = in_natural_order(file.keys())
        options.check(path, [*names, *([options.id] if is_ours and options.id else [])])
        found = {name: _array(path, name, file.get_slice(name)) for name in names}
    if is_ours:
        return _with_metadata(path, found, read_metadata(path))
    samples = None
    for name in options.id_names:
        if name in found and len(found[name].size) == 1 and found[name].dtype not in FLOATS:
            del found[name]
            samples = ids_of(path, name, _load(path, name).numpy())
    return Contents(found, samples)


def _array(path: Path, name: str, slice_: Any) -> StoredArray:
    size, kind = tuple(slice_.get_shape()), slice_.get_dtype()
    dtype = _DTYPES.get(kind) or kind.replace("U", "uint").replace("I", "int")
    return StoredArray(size, dtype, bound(path, _load, name, size))


def _load(path: Path, name: str) -> Tensor:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.get_tensor(name)


def _with_metadata(path: Path, found: Mapping[str, StoredArray], about: Mapping[str, Any]) -> Contents:
    """Return what a file of resi holds: one layer, or several with a description each."""
    if list(found) == [REPRESENTATION] and "layer" in about:
        facts = {key: value for key, value in about.items() if key not in _OWN}
        size = found[REPRESENTATION].size
        load = bound(path, _load_verified, REPRESENTATION, size)
        array = StoredArray(
            size, found[REPRESENTATION].dtype, load, about.get("layout"), about.get("dtype"), about=facts
        )
        digest = about.get("samples", "")
        return Contents({about["layer"]: array}, samples_hash=digest, name=about.get("name", ""), is_named=True)
    if "layers" not in about:
        return Contents(found)
    arrays = {}
    for layer in about["order"]:
        facts = about["layers"][layer]
        size = found[layer].size
        load = bound(path, _load_hashed, layer, size)
        arrays[layer] = StoredArray(
            size, found[layer].dtype, load, facts["layout"], facts["dtype"], facts["sha256"], facts["about"]
        )
    return Contents(arrays, tuple(about["samples"]), name=about["name"], is_named=True)


def _load_verified(path: Path, name: str) -> Tensor:
    return read_tensors(path)[0][name]


def _load_hashed(path: Path, name: str) -> Tensor:
    """Read one of several layers, and compare it with its own hash: others need not be read for that."""
    tensor = _load(path, name)
    if _hash(tensor) != read_metadata(path)["layers"][name]["sha256"]:
        raise ArtifactError(f"{path} is damaged: layer {name} does not match its hash. Get it again.")
    return tensor


def _hash(tensor: Tensor) -> str:
    import torch

    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
    digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_safetensors(path: Path, representations: Representations) -> None:
    """Write all layers with what is known of them."""
    tensors: dict[str, Tensor] = {}
    layers = {}
    storages = set()
    for layer, known in representations.layers.items():
        tensor = representations[layer].detach().cpu().contiguous()
        storage = tensor.untyped_storage().data_ptr()
        tensors[layer] = tensor.clone() if storage in storages else tensor  # the format has no shared memory
        storages.add(storage)
        about = dict(representations.about.get(layer, {}))
        layers[layer] = {"layout": known.layout, "dtype": known.dtype, "about": about, "sha256": _hash(tensor)}
    about = {
        "order": list(layers),
        "layers": layers,
        "samples": list(representations.samples),
        "name": representations.name,
    }
    write_tensors(path, tensors, about)


SAFETENSORS = Format(
    (".safetensors",),
    "tensors, with all that is known of them",
    read_safetensors,
    write_safetensors,
    FLOATS,
    holds_facts=True,
    reserves_ids=False,
)
