"""A GPU that is none: tensors that refuse what tensors of a GPU refuse, and compute on the CPU.

They say that they are on another device, cannot be read by numpy, and cannot be mixed with tensors of the CPU but where
torch allows it. Code that passes with them puts every tensor where it belongs; what a GPU computes, they do not tell.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

GPU = torch.device("meta")
"""Its name: torch has no other one for which it starts nothing."""
CPU = torch.device("cpu")
ATEN = torch.ops.aten
# Indices may be on the CPU, and copies go from one device to another.
MAY_MIX = {
    *(ATEN.index.Tensor, ATEN.index_put.default, ATEN.index_put_.default, ATEN._index_put_impl_.default),
    *(ATEN._to_copy.default, ATEN.copy_.default, ATEN.detach.default, ATEN.lift_fresh.default),
}
NUMBERS = (ATEN._local_scalar_dense.default, ATEN.equal.default, ATEN.is_nonzero.default)
"""What returns a number or a truth value."""
NO_NUMPY = "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."


class OnGPU(torch.Tensor):
    """A tensor that seems to be on the GPU."""

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> OnGPU:
        found = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), dtype=held.dtype, layout=held.layout, device=GPU
        )
        found.held = held
        return found

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(NO_NUMPY)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(NO_NUMPY)

    def __repr__(self) -> str:  # type: ignore[override]
        return f"on a GPU: {self.held}"

    def tolist(self) -> Any:
        return self.held.tolist()

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    def cpu(self, *_: Any) -> torch.Tensor:
        return self.held.clone()

    def as_subclass(self, _: Any) -> OnGPU:
        return self

    @property
    def is_meta(self) -> bool:
        return False

    @classmethod
    def __torch_dispatch__(cls, operation: Any, _: Any, given: Any = (), named: Any = None) -> Any:
        return computed(operation, given, named or {})


def computed(operation: Any, given: Any, named: dict[str, Any]) -> Any:
    """Compute on the CPU, and return what seems to be on the GPU if anything that was given did."""
    tensors = [value for value in tree_flatten((given, named))[0] if isinstance(value, torch.Tensor)]
    is_there = any(isinstance(tensor, OnGPU) for tensor in tensors)
    strangers = [tensor for tensor in tensors if not isinstance(tensor, OnGPU) and tensor.dim() > 0]
    if is_there and strangers and operation not in MAY_MIX:
        size = tuple(strangers[0].shape)
        raise RuntimeError(f"Expected all tensors to be on the same device: {operation} of shape {size} on the CPU")
    asked = named.get("device")
    goes_there = asked is not None and torch.device(asked).type == GPU.type
    held, held_named = tree_map(lambda value: value.held if isinstance(value, OnGPU) else value, (given, named))
    result = operation(*held, **(held_named | ({"device": CPU} if goes_there else {})))
    if operation in NUMBERS:
        return result
    if operation is ATEN._to_copy.default:
        is_there = goes_there or (asked is None and is_there)
        result = result.clone() if result is held[0] else result
    written = written_to(operation, given, named)
    if written:
        return written[0] if isinstance(result, torch.Tensor) else tuple(written)
    wrap = is_there or goes_there
    return tree_map(lambda value: OnGPU(value) if wrap and isinstance(value, torch.Tensor) else value, result)


def written_to(operation: Any, given: Any, named: dict[str, Any]) -> list[Any]:
    """Return the arguments that an operation writes to and returns."""
    arguments = operation._schema.arguments
    known = {**{argument.name: value for argument, value in zip(arguments, given, strict=False)}, **named}
    writes = [argument.name for argument in arguments if argument.alias_info and argument.alias_info.is_write]
    return [known[name] for name in writes if known.get(name) is not None]


class _Operations(TorchDispatchMode):
    def __torch_dispatch__(self, operation: Any, _: Any, given: Any = (), named: Any = None) -> Any:
        return computed(operation, given, named or {})


class _Functions(TorchFunctionMode):
    """Functions whose work is not seen as operations."""

    def __torch_function__(self, function: Any, _: Any, given: Any = (), named: Any = None) -> Any:
        named = named or {}
        if function in (torch.tensor, torch.as_tensor) and named.get("device") == GPU:
            if isinstance(given[0], OnGPU):
                return given[0]
            with torch._C.DisableTorchFunction():
                return OnGPU(function(*given, **(named | {"device": CPU})))
        if function in (torch.matmul, torch.Tensor.matmul) and (given[0].dim(), given[1].dim()) == (1, 2):
            # Otherwise the shape of a result is changed in place, which goes unnoticed.
            return torch.mm(given[0].unsqueeze(0), given[1]).squeeze(0)
        return function(*given, **named)


@contextlib.contextmanager
def pretended_gpu() -> Iterator[torch.device]:
    """Return the device; tensors that this thread makes on it are such ones."""
    with _Operations(), _Functions():
        yield GPU
