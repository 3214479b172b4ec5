"""Tensors, arrays and dictionaries of them, split into batches along their first axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.errors import DatasetError, UsageError
from resi.extraction.inputs.picking import to_tensor
from resi.extraction.inputs.rows import Tensors
from resi.lazy import numpy, torch

if TYPE_CHECKING:
    from collections.abc import Mapping


class Arrays:
    """One array, the only positional argument, or several by name.

    Parameters
    ----------
    arrays : mapping from str, or array
        Anything with a shape that can be sliced: tensors, numpy arrays (in memory or in a file), HDF5 datasets.
    samples : list of str, optional

    Raises
    ------
    DatasetError, UsageError
        If they have no rows, different numbers of rows, or do not hold numbers.
    """

    kind = "rows of the array"

    def __init__(self, arrays: Mapping[str, Any] | Any, samples: list[str] | None = None) -> None:
        self._named = dict(arrays) if hasattr(arrays, "items") else None
        self._arrays = list(self._named.values()) if self._named is not None else [arrays]
        self._samples = samples
        for name, array in self._items():
            _check(name, array)
        lengths = {name: len(array) for name, array in self._items()}
        if len(set(lengths.values())) > 1:
            raise DatasetError(f"arrays of data have different numbers of rows: {lengths}; all need the same")

    def __len__(self) -> int:
        return len(self._arrays[0]) if self._arrays else 0

    def read(self, first: int, stop: int) -> Tensors:
        """Return some of the rows, as tensors on the CPU."""
        cut = {name: _tensor(array[first:stop]) for name, array in self._items()}
        ids = None if self._samples is None else self._samples[first:stop]
        if self._named is None:
            return Tensors(tuple(cut.values()), {}, stop - first, ids)
        return Tensors((), cut, stop - first, ids)

    def _items(self) -> list[tuple[str, Any]]:
        return list(zip(self._named or ["data"], self._arrays, strict=True))


def is_array(value: Any) -> bool:
    """Return whether a value has a shape, a numeric type, and rows that can be sliced."""
    return all(hasattr(value, name) for name in ("shape", "dtype", "__getitem__"))


def _check(name: str, array: Any) -> None:
    if not is_array(array):
        raise UsageError(f"{name} is {type(array).__name__}: expected a tensor or an array of numbers")
    if len(array.shape) == 0:
        raise UsageError(f"{name} is a single number: expected an array with samples along its first axis")
    if not isinstance(array, torch.Tensor) and not _is_of_numbers(array):
        raise UsageError(f"{name} is an array of {array.dtype}: expected numbers, or a list of texts")


def _is_of_numbers(array: Any) -> bool:
    try:
        return numpy.dtype(array.dtype).kind in "biufc"
    except TypeError:  # a type that is not NumPy's
        return False


def _tensor(part: Any) -> Any:
    return part.detach().cpu() if isinstance(part, torch.Tensor) else to_tensor(numpy.asarray(part))
