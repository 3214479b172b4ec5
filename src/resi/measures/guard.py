"""Protects representations from being modified by measures of other distributions.

Built-in measures share one matrix, which may be the caller's own array, and the intermediates computed from it. Other
code may write to its input, as in ``R -= R.mean(0)``. So it gets a copy, which is checked after every call. A measure
that has changed it fails, since its next comparison would start from changed data.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.errors import MeasureError
from resi.measures.features import Features
from resi.measures.needs import Needs, of_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

    from resi.measures.base import Measure
    from resi.measures.needs import Size
else:
    from resi.lazy import torch

INTEGERS = {1: "uint8", 2: "int16", 4: "int32", 8: "int64"}
"""Torch types for summing the bits of numbers, by their number of bytes."""
NO_NUMPY = "device type tensor to numpy"
"""Torch's error for converting a GPU tensor to numpy."""
SMALL = 2**16
"""Arrays of up to this many bytes are copied, instead of storing their sums."""


def is_built_in(measure: Measure | type[Measure]) -> bool:
    """Return whether a measure is built in."""
    return (measure if isinstance(measure, type) else type(measure)).__module__.split(".")[0] == __name__.split(".")[0]


def needs_of(measure: Measure, size: Size) -> Needs:
    """Return the memory that a measure states for one representation.

    Raises
    ------
    MeasureError
        If it is not a number of bytes.
    """
    return measure.memory_needs(size) if is_built_in(measure) else _needs_as_said(measure, size)


def needed_bytes(measure: Measure, first: Size, second: Size) -> int:
    """Return the bytes that a measure states for preparing two representations in turn and comparing them.

    Raises
    ------
    MeasureError
        If it is not a number of bytes.
    """
    return of_pair(needs_of(measure, first), needs_of(measure, second))


def _needs_as_said(measure: Measure, size: Size) -> Needs:
    said = measure.prepared_bytes(size.n_samples, size.n_features)
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < math.inf:
        raise MeasureError(f"{measure.name}: prepared_bytes returned {said!r}; expected a number of bytes")
    return Needs({measure.name: int(said)})


def features_for(measure: Measure, given: Tensor, dtype: torch.dtype | None = None, position: int = 0) -> Features:
    """Return the matrix for a measure: guarded, unless the measure is built in."""
    return (Features if is_built_in(measure) else Guarded)(given, dtype, position)


def as_number(name: str, value: Any) -> float:
    """Return what a measure has returned as a float.

    Raises
    ------
    MeasureError
        If it is not a number.
    """
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise MeasureError(f"{name} returned {_described(value)}, expected a number") from None


def _described(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        kind = "a tensor" if isinstance(value, torch.Tensor) else "an array"
        return f"{kind} of shape {tuple(value.shape)}"
    return repr(value) if value is None or isinstance(value, str | complex) else f"a {type(value).__name__}"


def as_failure(measure: Measure, error: BaseException) -> Exception:
    """Return the error that a measure has raised, replacing errors that would end the program.

    Raises
    ------
    KeyboardInterrupt, GeneratorExit
        As they are: they come from outside.
    """
    if isinstance(error, TypeError) and NO_NUMPY in str(error):
        return MeasureError(
            f"{measure.name} computes with numpy, but its matrices are on a GPU; state on_cpu = True to get "
            "them on the CPU"
        )
    if isinstance(error, Exception):
        return error
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        raise error
    return MeasureError(
        f"{measure.name} tried to end the program ({type(error).__name__}: {error}); "
        "a measure has to return a number or raise an error"
    )


class Guarded(Features):
    """A copy of a representation, for one measure alone, that knows whether it has been written to.

    All tensors and arrays count that the measure has been given or has returned from ``prepare``.
    """

    def __init__(self, given: Tensor, dtype: torch.dtype | None = None, position: int = 0) -> None:
        super().__init__(given.clone(), dtype, position)
        self._marks: dict[int, tuple[Any, _Mark]] = {}
        self._marks_of_pair: dict[int, tuple[Any, _Mark]] = {}
        self.mark(self.given)

    def mark(self, *values: Any) -> None:
        """Record the state of tensors and arrays, including those in tuples, lists, mappings and objects."""
        _remember(self._marks, values)

    def check(self, measure: Measure) -> None:
        """Raise ``MeasureError`` if anything has been written to."""
        marked = [*self._marks.values(), *self._marks_of_pair.values()]
        if any(not mark.fits(array) for array, mark in marked):
            raise MeasureError(
                f"{measure.name} writes to its input (such as R -= R.mean(0) or R.sub_(1)), which would change "
                "its other comparisons; assign a new array instead (R = R - R.mean(0))"
            )

    def _keep(self, value: Any, of_pair: bool = False) -> Any:
        if of_pair and not self._shared_with_partner:
            self._marks_of_pair.clear()
        _remember(self._marks_of_pair if of_pair else self._marks, (value,))
        return value


class _Mark(NamedTuple):
    """State of an array: how often torch has written to it, and its bits, or for large arrays sums by row and column.

    Writing through numpy does not count as writing for torch, but changes the bits. On other devices than the CPU
    nothing but torch writes.
    """

    version: int
    bits: bytes
    sums: tuple[Tensor, ...]

    @classmethod
    def of(cls, array: Any) -> _Mark:
        is_tensor = isinstance(array, torch.Tensor)
        version = array._version if is_tensor and not array.is_inference() else 0
        bits = _bits(array) if is_tensor else _bits_of_numpy(array)
        if bits is None:
            return cls(version, b"", ())
        if bits.nbytes <= SMALL:
            return cls(version, bits.numpy().tobytes(), ())
        if bits.ndim == 2:
            return cls(version, b"", (bits.sum(0), bits.sum(1)))
        bits = bits.reshape(-1)
        side = math.isqrt(len(bits))
        square = bits[: side * side].reshape(side, side)
        return cls(version, b"", (square.sum(0), square.sum(1), bits[side * side :].clone()))

    def fits(self, array: Any) -> bool:
        """Return whether the array is unchanged."""
        now = _Mark.of(array)
        return now[:2] == self[:2] and all(map(torch.equal, self.sums, now.sums))


def _bits(tensor: Tensor) -> Tensor | None:
    """Return the numbers of a tensor as integers, in the same memory; None where only torch can write to it."""
    if tensor.device.type != "cpu" or tensor.layout != torch.strided:
        return None
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    return tensor.detach().resolve_neg().view(getattr(torch, INTEGERS[tensor.dtype.itemsize]))


def _bits_of_numpy(array: Any) -> Tensor | None:
    import numpy as np

    if not array.flags.writeable:
        return None
    return torch.from_numpy(np.ascontiguousarray(array).reshape(-1).view(np.uint8))


def _remember(marks: dict[int, tuple[Any, _Mark]], values: tuple[Any, ...]) -> None:
    for array in arrays_in(*values):
        if id(array) not in marks:
            marks[id(array)] = array, _Mark.of(array)


def arrays_in(*values: Any) -> Iterator[Any]:
    """Yield all tensors and numeric numpy arrays in nested tuples, lists, mappings, features and objects, each once."""
    seen: dict[int, Any] = {}  # holds them, so that no other gets the number of one that is gone
    pending = list(values)
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, torch.Tensor) or _is_numeric(value):
            yield value
        else:
            pending.extend(_parts(value))


def _is_numeric(value: Any) -> bool:
    return hasattr(value, "__array_interface__") and hasattr(value, "dtype") and value.dtype.kind in "biufc"


def _parts(value: Any) -> Any:
    if isinstance(value, Features):
        return value.held()
    if isinstance(value, tuple | list | set | frozenset):
        return value
    if isinstance(value, dict):
        return value.values()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    return ()
