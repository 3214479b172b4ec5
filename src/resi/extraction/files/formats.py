"""The formats by the suffixes of their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.errors import UsageError
from resi.extraction.files.arrays import NPY, NPZ
from resi.extraction.files.checkpoints import CHECKPOINT
from resi.extraction.files.delimited import CSV, TSV
from resi.extraction.files.hdf5 import HDF5
from resi.extraction.files.matlab import MATLAB
from resi.extraction.files.parquet import PARQUET
from resi.extraction.files.safetensors import SAFETENSORS

if TYPE_CHECKING:
    from pathlib import Path

    from resi.extraction.files.contents import Format

FORMATS = (SAFETENSORS, NPY, NPZ, CHECKPOINT, HDF5, MATLAB, PARQUET, CSV, TSV)
BY_SUFFIX = {suffix: format_ for format_ in FORMATS for suffix in format_.suffixes}
PICKLES = (".pkl", ".pickle", ".joblib", ".dill")


def format_of(path: Path) -> Format:
    """Return the format for a file's suffix.

    Raises
    ------
    UsageError
        If the suffix is unknown.
    """
    suffix = path.suffix.lower()
    if suffix in BY_SUFFIX:
        return BY_SUFFIX[suffix]
    if suffix in PICKLES:
        raise UsageError(f"{path}: a pickle runs code when it is read; save arrays as .npz or .safetensors instead")
    found = f"suffix {suffix!r}" if suffix else "no suffix"
    raise UsageError(f"{path} has {found}; expected {', '.join(BY_SUFFIX)}, or a folder")
