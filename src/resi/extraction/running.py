"""The forward pass: its device, precision and state of the network, which are restored afterwards."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from typing import TYPE_CHECKING, Any

from resi.errors import ResiError, UsageError, first_line, listed
from resi.extraction.inputs.forward import plain_module
from resi.extraction.inputs.rows import is_graph
from resi.extraction.modules import evaluating
from resi.machine.devices import plain_arithmetic, resolve_device
from resi.machine.precision import full_convolutions

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor, nn

    from resi.extraction.batches import Batch
    from resi.extraction.networks import Network
else:
    from resi.lazy import torch

PRECISIONS = ("float32", "bfloat16", "float16", "float64")


class Runner:
    """Runs a network over batches.

    Attributes
    ----------
    network : Network
        With the module that runs: the given one, or a copy on another device or in another precision.
    device : torch.device
        Where inputs go.
    """

    def __init__(self, network: Network, device: torch.device, precision: torch.dtype | None) -> None:
        self.network, self.device, self._precision = network, device, precision

    def run(self, batch: Batch) -> None:
        """Compute one forward pass; hooks record the layers.

        Raises
        ------
        UsageError
            If the network raises; the message names the samples, shapes, and the network's error.
        """
        try:
            with torch.no_grad():
                args, kwargs = self._moved(batch.args), self._moved(batch.kwargs)
                self.network.module(*args, **kwargs)
        except ResiError:
            raise
        except Exception as error:  # code of others
            raise self._refused(batch, error) from error

    def _moved(self, value: Any) -> Any:
        """Return inputs on the device of the network, with floating point inputs in its precision."""
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if is_graph(value):
            return copy.copy(value).apply(self._tensor)
        if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
            return type(value)(self._moved(each) for each in value)
        return {name: self._moved(each) for name, each in value.items()} if isinstance(value, dict) else value

    def _tensor(self, value: Tensor) -> Tensor:
        is_cast = self._precision is not None and value.dtype.is_floating_point
        return value.to(self.device, self._precision if is_cast else value.dtype)

    def _refused(self, batch: Batch, error: Exception) -> UsageError:
        given = [*batch.args, *batch.kwargs.values()]
        names = [*("" for _ in batch.args), *(f"{name} " for name in batch.kwargs)]
        shapes = ", ".join(f"{name}{_shape(value)}" for name, value in zip(names, given, strict=True))
        reason = " ".join(str(error).split()) or "no reason given"
        advice = " Choose a smaller batch_size." if isinstance(error, torch.OutOfMemoryError) else ""
        return UsageError(
            f"{self.network.name} cannot take the batch of samples {listed(batch.samples, 3)} with {shapes}: "
            f"{type(error).__name__}: {reason[:400]}{advice}"
        )


@contextlib.contextmanager
def running(network: Network, device: str, precision: str | None) -> Iterator[Runner]:
    """Yield a runner for a network in evaluation mode, with the arithmetic settings of a fresh process.

    The module itself runs if it has the requested device and precision; otherwise a copy, which needs the memory of the
    weights once more. The given module always keeps its device and type.

    Parameters
    ----------
    device : str
        ``auto``: the module's device, unless that is the CPU and CUDA is available.
    precision : str, optional
        Of weights and inputs; unchanged by default.

    Raises
    ------
    UsageError
        If the device or precision does not exist, or the module cannot be copied.
    """
    if precision is not None and precision not in PRECISIONS:
        raise UsageError(
            f"precision={precision!r}: expected one of {', '.join(PRECISIONS)}, or None for the model's own"
        )
    dtype = None if precision is None else getattr(torch, precision)
    module = plain_module(network.module)
    if isinstance(module, torch.jit.ScriptModule):
        raise UsageError(
            f"{network.name} is made by torch.jit, which calls no hooks, so layers cannot be recorded: pass the "
            "original module"
        )
    place = _device(module, device)
    with plain_arithmetic(place), full_convolutions():
        if not _is_as_asked(module, place, dtype):
            module = _copied(module, place, dtype)
        with evaluating(module):
            yield Runner(dataclasses.replace(network, module=module), place, dtype)


def _device(module: nn.Module, name: str) -> torch.device:
    """Return the device of inputs: that of the first weights, if a network is spread over several devices."""
    own = next((tensor.device for tensor in _tensors(module)), None)
    if name == "auto" and own is not None and own.type != "cpu":
        return own
    found = resolve_device(name)
    if str(found) == "cuda":
        return torch.device("cuda", torch.cuda.current_device())  # as tensors say it
    return found


def _is_as_asked(module: nn.Module, device: torch.device, dtype: torch.dtype | None) -> bool:
    is_spread = len({tensor.device for tensor in _tensors(module)}) > 1
    return all(
        (is_spread or tensor.device == device) and (dtype is None or tensor.dtype in (dtype, _kept(tensor)))
        for tensor in _tensors(module)
    )


def _kept(tensor: Tensor) -> torch.dtype | None:
    """Return the type of what no precision changes: whole numbers."""
    return None if tensor.dtype.is_floating_point else tensor.dtype


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _copied(module: nn.Module, device: torch.device, dtype: torch.dtype | None) -> nn.Module:
    """Return a copy with weights created directly on the new device and in the new type."""
    memo: dict[int, Any] = {}
    try:
        for tensor in _tensors(module):
            moved = tensor.detach().to(device, dtype if _kept(tensor) is None and dtype else tensor.dtype, copy=True)
            if isinstance(tensor, torch.nn.Parameter):
                moved = torch.nn.Parameter(moved, requires_grad=False)
            memo[id(tensor)] = moved
        return copy.deepcopy(module, memo)
    except torch.OutOfMemoryError as error:
        raise UsageError(
            f"{type(module).__name__} does not fit on {device}: choose another device or precision"
        ) from error
    except Exception as error:  # what modules of others hold may not be copied
        raise UsageError(
            f"{type(module).__name__} cannot be copied to {device}{f' in {dtype}' if dtype else ''}: "
            f"{first_line(error)}. Move it there yourself, model.to(...), and leave device and precision out"
        ) from error


def _shape(value: Any) -> str:
    """Describe one input, for messages."""
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return type(value).__name__
