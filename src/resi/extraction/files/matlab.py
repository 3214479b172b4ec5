"""``.mat``: MATLAB files; those of version 7.3 are read as HDF5."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from resi.errors import UsageError
from resi.extraction.files.contents import (
    Contents,
    Format,
    Options,
    StoredArray,
    as_tensor,
    bound,
    ids_of,
    is_list_of_ids,
    reading,
)
from resi.extraction.files.hdf5 import read_matlab73

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from resi.extraction.collection import Representations

# MATLAB's names of types.
_DTYPES = {"double": "float64", "single": "float32", "char": "texts", "logical": "bool", "cell": "cells"}
_NAME = re.compile(r"[A-Za-z]\w{0,62}", re.ASCII)


def read_matlab(path: Path, options: Options) -> Contents:
    """Return the variables of a file; one named ``samples`` or ``ids`` names the samples."""
    from scipy.io import matlab, whosmat

    arrays, samples = {}, None
    with reading(path):
        if matlab.matfile_version(path, appendmat=False)[0] == 2:
            return read_matlab73(path, options)
        variables = whosmat(str(path), appendmat=False)
        options.check(path, [name for name, _, _ in variables])
        for name, size, kind in variables:
            if name in options.id_names and (kind == "char" or is_list_of_ids(name, size, options)):
                samples = ids_of(path, name, _ids(_variable(path, name)))
            else:
                arrays[name] = StoredArray(tuple(size), _DTYPES.get(kind, kind), bound(path, _load, name, size))
    return Contents(arrays, samples)


def _variable(path: Path, name: str) -> np.ndarray[Any, Any]:
    from scipy.io import loadmat

    found: np.ndarray[Any, Any] = loadmat(str(path), variable_names=[name], appendmat=False, chars_as_strings=True)[
        name
    ]
    return found


def _load(path: Path, name: str) -> Tensor:
    return as_tensor(_variable(path, name))


def _ids(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return ids; a cell holds an array of one text, or one number, for each."""
    import numpy as np

    if values.dtype.kind == "U":  # rows of characters, padded with blanks
        return np.array([text.rstrip() for text in values.reshape(-1).tolist()], dtype=object)
    if values.dtype.kind == "O":
        return np.array([str(np.asarray(cell).reshape(-1)[0]) for cell in values.reshape(-1)], dtype=object)
    return values


def write_matlab(path: Path, representations: Representations) -> None:
    """Write one variable per layer, and a cell of the ids."""
    import numpy as np
    from scipy.io import savemat

    variables: dict[str, Any] = {}
    for layer, tensor in representations.items():
        if not _NAME.fullmatch(layer):
            raise UsageError(
                f"layer {layer!r} is not a valid variable name in MATLAB; save as .h5, which MATLAB also reads"
            )
        variables[layer] = tensor.detach().cpu().numpy()
        if variables[layer].nbytes >= 2**31:
            raise UsageError(f"layer {layer} is larger than the 2 GB that a .mat file can hold; .h5 can")
    variables["samples"] = np.array(representations.samples, dtype=object).reshape(-1, 1)
    with path.open("wb") as file:
        savemat(file, variables, long_field_names=True)


MATLAB = Format(
    (".mat",),
    "MATLAB's variables (version 7.3 needs the extra `files`)",
    read_matlab,
    write_matlab,
    ("float32", "float64"),
)
