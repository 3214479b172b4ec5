"""``.h5``: arrays in HDF5 files, read when used; also MATLAB files of version 7.3, which are HDF5."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from resi.errors import UsageError
from resi.extraction.files.contents import (
    Contents,
    Format,
    Options,
    StoredArray,
    as_tensor,
    bound,
    described_type,
    ids_of,
    in_natural_order,
    is_list_of_ids,
    reading,
)

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    import numpy as np
    from torch import Tensor

    from resi.extraction.collection import Representations

FACTS = "resi"
"""Attribute with the facts that resi writes, in JSON."""


def _h5py(what: object) -> ModuleType:
    try:
        import h5py
    except ImportError:
        raise UsageError(f"{what}: reading and writing it needs the package h5py: pip install 'resi[files]'") from None
    return h5py


def read_hdf5(path: Path, options: Options) -> Contents:
    """Return the datasets of a file, at any depth, by their paths."""
    return _read(path, options, is_matlab=False)


def read_matlab73(path: Path, options: Options) -> Contents:
    """Return the arrays of a MATLAB file of version 7.3, which is HDF5 with reversed axes."""
    return _read(path, options, is_matlab=True)


def _read(path: Path, options: Options, is_matlab: bool) -> Contents:
    h5py = _h5py(path)
    arrays, samples, name = {}, None, ""
    with reading(path), h5py.File(path, "r") as file:
        found = _datasets(h5py, file)
        options.check(path, found)
        facts = json.loads(file.attrs.get(FACTS, "{}"))
        name = facts.get("name", "")
        names = facts.get("layers", [])
        for layer in (*names, *in_natural_order(set(found) - set(names))):
            dataset = found[layer]
            if is_list_of_ids(layer, dataset.shape or (), options):
                samples = ids_of(path, layer, _ids(file, dataset, is_matlab))
            else:
                arrays[layer] = _array(path, layer, dataset, is_matlab)
    return Contents(arrays, samples, name=name, is_named=bool(facts))


def _datasets(h5py: ModuleType, file: Any) -> dict[str, Any]:
    """Return the datasets in a file by path, without links and without MATLAB's internal groups."""
    found = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("#"):
            found[name] = item

    file.visititems(visit)
    return found


def _array(path: Path, layer: str, dataset: Any, is_matlab: bool) -> StoredArray:
    size = tuple(dataset.shape or ())
    dtype = "texts" if _h5py(path).check_string_dtype(dataset.dtype) else described_type(dataset.dtype)
    if is_matlab:
        size, kind = size[::-1], dataset.attrs.get("MATLAB_class", b"").decode()
        dtype = {"char": "texts", "cell": "cells"}.get(kind, dtype)
    facts = json.loads(dataset.attrs.get(FACTS, "{}"))
    load = bound(path, _load_reversed if is_matlab else _load, layer, size)
    return StoredArray(size, dtype, load, facts.get("layout"), facts.get("dtype"), about=facts.get("about", {}))


def _load(path: Path, layer: str) -> Tensor:
    with _h5py(path).File(path, "r") as file:
        return as_tensor(file[layer][()])


def _load_reversed(path: Path, layer: str) -> Tensor:
    with _h5py(path).File(path, "r") as file:
        return as_tensor(file[layer][()].T.copy())


def _ids(file: Any, dataset: Any, is_matlab: bool) -> np.ndarray[Any, Any]:
    """Return ids; MATLAB stores a cell of texts as references to character arrays."""
    import numpy as np

    values = dataset[()]
    if not is_matlab or dataset.attrs.get("MATLAB_class", b"") != b"cell":
        return np.asarray(values)
    texts = ["".join(map(chr, file[reference][()].reshape(-1))) for reference in values.reshape(-1)]
    return np.array(texts, dtype=object)


def write_hdf5(path: Path, representations: Representations) -> None:
    """Write one dataset per layer with its facts, one in memory at a time, and the ids of the samples."""
    h5py = _h5py("an HDF5 file")  # its path is that of a temporary file
    with h5py.File(path, "w") as file:
        file.attrs[FACTS] = json.dumps({"name": representations.name, "layers": list(representations)})
        for layer, known in representations.layers.items():
            dataset = file.create_dataset(layer, data=representations[layer].detach().cpu().numpy())
            about = dict(representations.about.get(layer, {}))
            dataset.attrs[FACTS] = json.dumps({"layout": known.layout, "dtype": known.dtype, "about": about})
        file.create_dataset("samples", data=list(representations.samples), dtype=h5py.string_dtype())


HDF5 = Format(
    (".h5", ".hdf5"),
    "HDF5; needs the extra `files`",
    read_hdf5,
    write_hdf5,
    holds_facts=True,
)
