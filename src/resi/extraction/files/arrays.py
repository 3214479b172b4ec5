"""Numpy's files: ``.npy`` with one array, mapped into memory, and ``.npz`` with several."""

from __future__ import annotations

import math
import zipfile
from typing import IO, TYPE_CHECKING, Any

from resi.extraction.files.contents import (
    Contents,
    Format,
    Options,
    StoredArray,
    as_tensor,
    bound,
    described_type,
    ids_of,
    is_list_of_ids,
    reading,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from resi.extraction.collection import Representations

UNNAMED = "arr_0"
"""Numpy's name for an array without a name."""


def read_npy(path: Path, _options: Options) -> Contents:
    """Return the one array of a ``.npy`` file."""
    with reading(path), path.open("rb") as file:
        size, dtype = _header(file)
        missing = file.tell() + math.prod(size) * dtype.itemsize - path.stat().st_size
        if missing > 0 and dtype.kind != "O":
            raise ValueError(f"its last {missing} bytes are missing")
    return Contents({path.stem: StoredArray(size, described_type(dtype), bound(path, _map, path.stem, size))})


def _map(path: Path, _name: str) -> Tensor:
    import numpy as np

    # Copy on write: a caller may change the array without changing the file.
    return as_tensor(np.load(path, mmap_mode="c", allow_pickle=False))


def read_npz(path: Path, options: Options) -> Contents:
    """Return the arrays of an ``.npz`` file; one named ``samples`` or ``ids`` names the samples."""
    arrays, samples = {}, None
    with reading(path), zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        options.check(path, names)
        for name in names:
            with archive.open(f"{name}.npy") as member:
                size, dtype = _header(member)
            if dtype.kind != "O" and is_list_of_ids(name, size, options):
                samples = ids_of(path, name, _member(path, name))
            else:
                arrays[name] = StoredArray(size, described_type(dtype), bound(path, _load_member, name, size))
    if list(arrays) == [UNNAMED]:
        return Contents({path.stem: arrays[UNNAMED]}, samples)
    return Contents(arrays, samples)


def _member(path: Path, name: str) -> np.ndarray[Any, Any]:
    import numpy as np

    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        found: np.ndarray[Any, Any] = np.lib.format.read_array(member, allow_pickle=False)
        member.read()  # to the end, where the checksum is compared
    return found


def _load_member(path: Path, name: str) -> Tensor:
    return as_tensor(_member(path, name))


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type from the beginning of a ``.npy`` file."""
    import numpy as np

    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    size, _, dtype = read(file)
    return size, dtype


def write_npy(path: Path, representations: Representations) -> None:
    """Write the single layer."""
    import numpy as np

    (tensor,) = representations.values()
    with path.open("wb") as file:
        np.lib.format.write_array(file, tensor.detach().cpu().numpy(), allow_pickle=False)


def write_npz(path: Path, representations: Representations) -> None:
    """Write all layers, one in memory at a time, and the ids of the samples."""
    import numpy as np

    with zipfile.ZipFile(path, "w") as archive:
        for layer, tensor in representations.items():
            with archive.open(f"{layer}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, tensor.detach().cpu().numpy(), allow_pickle=False)
        with archive.open("samples.npy", "w") as member:
            np.lib.format.write_array(member, np.array(representations.samples, dtype=np.str_), allow_pickle=False)


NPY = Format((".npy",), "one array of numpy", read_npy, write_npy, holds_many=False, holds_ids=False)
NPZ = Format((".npz",), "several arrays of numpy", read_npz, write_npz)
