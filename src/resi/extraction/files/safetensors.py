"""``.safetensors``: files written by resi, with all facts in their metadata, and other files."""

from __future__ import annotations

import hashlib
import json
import math
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
from resi.store.tensors import METADATA, read_metadata, read_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from resi.extraction.collection import Representations

REPRESENTATION = "representation"
"""Name of the tensor in a file of one layer."""
LAYERS = "resi.layers"
"""Key of the metadata of a file of several layers; it is stored with their hash."""
LAYERS_HASH = "resi.layers.sha256"
# Facts about a file besides how its layer was made.
_OWN = ("layer", "layout", "dtype", "shapes", "samples", "name")
# Safetensors' names of types.
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool", "U8": "uint8"}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}


def read_safetensors(path: Path, options: Options) -> Contents:
    """Return the tensors of a file, with the facts in its metadata if resi wrote it."""
    from safetensors import safe_open

    with reading(path), safe_open(path, framework="pt") as file:
        about = file.metadata() or {}
        is_ours = METADATA in about or LAYERS in about
        names = in_natural_order(file.keys())
        options.check(path, [*names, *([options.id] if is_ours and options.id else [])])
        found = {name: _array(path, name, file.get_slice(name)) for name in names}
    if LAYERS in about:
        return _layers(path, found, _facts(path, about))
    if METADATA in about:
        return _layer(found, path, read_metadata(path))
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


def _layer(found: Mapping[str, StoredArray], path: Path, about: Mapping[str, Any]) -> Contents:
    """Return the contents of a file of one layer; other files of resi are read as tensors by name."""
    if list(found) != [REPRESENTATION] or "layer" not in about:
        return Contents(found)
    facts = {key: value for key, value in about.items() if key not in _OWN}
    known = found[REPRESENTATION]
    load = bound(path, _load_verified, REPRESENTATION, known.size)
    array = StoredArray(known.size, known.dtype, load, about.get("layout"), about.get("dtype"), about=facts)
    digest = about.get("samples", "")
    return Contents({about["layer"]: array}, samples_hash=digest, name=about.get("name", ""), is_named=True)


def _layers(path: Path, found: Mapping[str, StoredArray], about: Mapping[str, Any]) -> Contents:
    """Return the contents of a file of several layers."""
    arrays = {}
    for facts in about["layers"]:
        name, known = facts["name"], found[facts["name"]]
        load = bound(path, _load_hashed, name, known.size)
        arrays[name] = StoredArray(
            known.size, known.dtype, load, facts["layout"], facts["dtype"], facts["sha256"], facts["about"]
        )
    return Contents(arrays, tuple(about["samples"]), name=about["name"], is_named=True)


def _facts(path: Path, about: Mapping[str, str]) -> dict[str, Any]:
    """Return the facts about the layers in a file, after verifying their hash."""
    if hashlib.sha256(about[LAYERS].encode()).hexdigest() != about.get(LAYERS_HASH):
        raise ArtifactError(f"{path} is damaged: its header does not match its hash. Replace the file.")
    found: dict[str, Any] = json.loads(about[LAYERS])
    return found


def _load_verified(path: Path, name: str) -> Tensor:
    return read_tensors(path)[0][name]


def _load_hashed(path: Path, name: str) -> Tensor:
    """Read one of several layers, and verify its own hash without reading the others."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        tensor, about = file.get_tensor(name), _facts(path, file.metadata())
    digest = next(facts["sha256"] for facts in about["layers"] if facts["name"] == name)
    if _hash(tensor) != digest:
        raise ArtifactError(f"{path} is damaged: layer {name} does not match its hash. Replace the file.")
    return tensor


def _hash(tensor: Tensor) -> str:
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
    digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    import torch

    # As bytes: numpy has no bfloat16.
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def write_safetensors(path: Path, representations: Representations) -> None:
    """Write all layers with their facts, in two passes with one layer in memory at a time."""
    facts, sizes = [], {}
    for layer, known in representations.layers.items():
        tensor = representations[layer]
        sizes[layer] = (_CODES[str(tensor.dtype).removeprefix("torch.")], tuple(tensor.shape), tensor.element_size())
        about = {"layout": known.layout, "dtype": known.dtype, "about": dict(representations.about.get(layer, {}))}
        facts.append({"name": layer, "sha256": _hash(tensor), **about})
    text = json.dumps({"layers": facts, "samples": representations.samples, "name": representations.name})
    header: dict[str, Any] = {
        "__metadata__": {LAYERS: text, LAYERS_HASH: hashlib.sha256(text.encode()).hexdigest()},
    }
    start = 0
    order = sorted(sizes, key=lambda layer: -sizes[layer][2])  # the widest numbers first, so that all are aligned
    for layer in order:
        code, shape, width = sizes[layer]
        end = start + width * math.prod(shape)
        header[layer] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
        start = end
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for layer in order:
            file.write(_bytes(representations[layer]))


SAFETENSORS = Format(
    (".safetensors",),
    "tensors, with all that is known of them",
    read_safetensors,
    write_safetensors,
    FLOATS,
    holds_facts=True,
    reserves_ids=False,
)
