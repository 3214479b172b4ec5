"""Contents of a file of arrays, the same for every format: described on opening, read when used."""

from __future__ import annotations

import contextlib
import functools
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError, ResiError, ShapeError, UsageError, first_line, listed
from resi.fingerprints import file_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from resi.extraction.collection import Representations
    from resi.specs import Layout

FLOATS = ("float16", "bfloat16", "float32", "float64")
ID_NAMES = ("samples", "sample", "ids", "id", "sample_ids", "sample_id")
"""Names that an array or column with the ids of samples may have."""


@dataclass(frozen=True)
class StoredArray:
    """One array of a file.

    Attributes
    ----------
    size : tuple of int
        Its shape; the first axis counts samples.
    dtype : str
        Name of its type, such as ``float32``, or what it holds instead of numbers.
    load : callable
        Reads it; can be pickled.
    layout : str, optional
        ``nd``, ``ntd`` or ``nchw``, where the file says so.
    precision : str, optional
        Type in which the numbers were computed, where the file says so.
    key : str
        Identity of the numbers, where the file says so.
    about : mapping
        Further facts about it in the file.
    """

    size: tuple[int, ...]
    dtype: str
    load: Callable[[], Tensor]
    layout: Layout | None = None
    precision: str | None = None
    key: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """The arrays of a file or folder by name.

    Attributes
    ----------
    samples : tuple of str, optional
        Ids of the samples, where they are stated.
    samples_hash : str
        Hash of the ids, where no more than that is stated.
    name : str
        Name of the network, where it is stated.
    is_named : bool
        Whether the file names the layers; if not, a single array in a folder of files is named after its file.
    paths : mapping from name to Path
        Where each array of a folder lies.
    """

    arrays: Mapping[str, StoredArray]
    samples: tuple[str, ...] | None = None
    samples_hash: str = ""
    name: str = ""
    is_named: bool = False
    paths: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """Options for reading a table.

    Attributes
    ----------
    columns : tuple of str, optional
        Patterns of the columns that are features.
    id : str, optional
        Name of the column, or of the array, with ids of samples.
    """

    columns: tuple[str, ...] | None = None
    id: str | None = None

    @property
    def id_names(self) -> tuple[str, ...]:
        """The names that ids may have."""
        return ID_NAMES if self.id is None else (self.id,)

    def check(self, path: Path, found: Iterable[str]) -> None:
        """Raise ``UsageError`` if a file lacks the requested column or array of ids."""
        if self.id is not None and self.id not in set(found):
            raise UsageError(f"{path} has no {self.id!r} for the ids of samples; it has {listed(found)}")


@dataclass(frozen=True)
class Format:
    """A file format: how it is read and written, and what it can hold.

    Attributes
    ----------
    suffixes : tuple of str
        File name suffixes.
    title : str
        What it is, for people.
    read : callable
        Takes the path and the options, returns the contents.
    write : callable
        Takes the path and the representations.
    dtypes : tuple of str
        Types of numbers that it can store.
    holds_many : bool
        Whether it holds several layers under their names.
    holds_ids : bool
        Whether it holds the ids of samples.
    holds_facts : bool
        Whether it holds layouts, the precision numbers were computed in, and how they were made.
    reserves_ids : bool
        Whether ids are stored next to layers, so that no layer can have their name.
    most_axes : int
        How many axes an array can have.
    """

    suffixes: tuple[str, ...]
    title: str
    read: Callable[[Path, Options], Contents]
    write: Callable[[Path, Representations], None]
    dtypes: tuple[str, ...] = ("float16", "float32", "float64")
    holds_many: bool = True
    holds_ids: bool = True
    holds_facts: bool = False
    reserves_ids: bool = True
    most_axes: int = 4


def bound(path: Path, read: Callable[[Path, Any], Tensor], part: Any, size: Sequence[int]) -> Callable[[], Tensor]:
    """Return a call that reads a part of a file, and fails if the file has changed since it was opened.

    Parameters
    ----------
    read : callable
        Takes the path and the part.
    part : str or tuple
        The part to read, such as the name of an array.
    size : sequence of int
        Its expected shape.
    """
    return functools.partial(_read, path, _version(path), read, part, tuple(size))


def identity(path: Path, name: str) -> str:
    """Return the identity of one array in the current version of a file."""
    return f"{path.absolute()}#{name}@{_version(path)}"


def is_list_of_ids(name: str, size: Sequence[int], options: Options) -> bool:
    """Return whether an array has a name for ids, and one entry per sample."""
    return name in options.id_names and max(size, default=0) == math.prod(size)


def _version(path: Path) -> tuple[int, ...] | None:
    state = file_state(path)
    return None if state is None else state[:2]


def _read(
    path: Path,
    version: tuple[int, ...] | None,
    read: Callable[[Path, Any], Tensor],
    part: Any,
    size: tuple[int, ...],
) -> Tensor:
    if _version(path) != version:
        state = "has changed" if path.exists() else "is gone"
        raise ArtifactError(f"{path} {state} since it was loaded; load it again")
    with reading(path):
        tensor = read(path, part)
    if tuple(tensor.shape) != size or not tensor.is_floating_point():
        kind = str(tensor.dtype).removeprefix("torch.")
        raise ArtifactError(f"{path}: {part} is {kind} of shape {tuple(tensor.shape)}, not floating point of {size}")
    return tensor


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any error of reading a file into one line that names it."""
    try:
        yield
    except (ResiError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise UsageError(f"there is no file or folder {path}") from error
    except PermissionError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    except Exception as error:  # any error on arbitrary bytes
        raise ArtifactError(
            f"{path} is damaged, or not a {path.suffix} file: {first_line(error)}{_kind_of(path)}"
        ) from error


# How files begin, and what those are.
_BEGINNINGS = (
    (b"\x93NUMPY", "a .npy file"),
    (b"PK\x03\x04", "a zip archive, as .npz and .pt files are"),
    (b"\x89HDF\r\n\x1a\n", "an .h5 file"),
    (b"PAR1", "a .parquet file"),
    (b"MATLAB", "a .mat file"),
    (b"\x80", "a pickle"),
)


def _kind_of(path: Path) -> str:
    """Return the kind of file by its first bytes, for a message about a file that cannot be read."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        begin = file.read(8)
        if not begin:
            return "; it is empty"
        for signature, kind in _BEGINNINGS:
            if begin.startswith(signature):
                return f"; it begins as {kind}"
    return ""


def as_tensor(array: np.ndarray[Any, Any]) -> Tensor:
    """Return a numpy array as a tensor of the same numbers, without a copy where torch can take it."""
    import torch

    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array)


def described_type(dtype: np.dtype[Any]) -> str:
    """Return the name of a numpy type for a message: ``float32``, ``int64``, ``texts``, ``Python objects``."""
    kinds = {"U": "texts", "S": "texts", "O": "Python objects", "V": "of a type that numpy does not know"}
    return kinds.get(dtype.kind, dtype.newbyteorder("=").name)


def ids_of(path: Path, name: str, values: np.ndarray[Any, Any]) -> tuple[str, ...]:
    """Return the ids of samples in an array: one text or whole number each.

    Raises
    ------
    UsageError
        If it holds something else.
    """
    import numpy as np

    flat = values.reshape(-1)
    if max(values.shape, default=0) != values.size:
        raise UsageError(f"{path}: {name} has shape {values.shape}; expected one id per sample, a text or whole number")
    if flat.dtype.kind == "f" and bool(np.all(flat == np.floor(flat))):  # as MATLAB keeps whole numbers
        flat = flat.astype(np.int64)
    if flat.dtype.kind not in "USOiu":
        kind = described_type(values.dtype)
        raise UsageError(f"{path}: {name} holds {kind}; ids of samples must be texts or whole numbers")
    return tuple(item.decode() if isinstance(item, bytes) else str(item).rstrip("\0") for item in flat.tolist())


def check_array(label: str, size: Sequence[int], dtype: str, advice: str = "") -> None:
    """Raise ``ShapeError`` unless an array is a representation: floating point, samples first, 2 to 4 axes.

    Parameters
    ----------
    label : str
        Its name in messages.
    dtype : str
        Name of its type, or what it holds instead of numbers.
    advice : str
        What can be done instead of converting it.
    """
    label = f"{label} of shape {tuple(size)}" if size else label
    if dtype not in FLOATS:
        raise ShapeError(f"{label} is {dtype}; representations must be floating point, convert it first{advice}")
    if not 2 <= len(size) <= 4:
        raise ShapeError(
            f"{label} has {len(size)} ax{'i' if len(size) == 1 else 'e'}s; expected 2 (samples, features), 3 (samples, "
            f"tokens, features) or 4 (samples, channels, height, width){advice}"
        )
    if 0 in size:
        raise ShapeError(f"{label} is empty")


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return names in natural order: ``layer2`` before ``layer10``."""
    return sorted(names, key=natural)


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that compares numbers in names as numbers."""
    found = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in found if part]
