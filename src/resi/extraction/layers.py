"""Layers of any torch module, recorded by forward hooks at the input or output of its submodules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from resi.errors import UsageError
from resi.lazy import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from torch import Tensor, nn


class HookPoint(NamedTuple):
    """Where a layer is read: at the output of a submodule, or at its input.

    Attributes
    ----------
    module : str
        Name of the submodule, as ``named_modules`` has it.
    at_input : bool
        Whether the layer is the input of the submodule instead of its output.
    item : int
        Which of several inputs or outputs; most modules have the hidden state first.
    """

    module: str
    at_input: bool = False
    item: int = 0


class LayerRecorder:
    """Records the outputs of layers in a network's latest forward pass, until it is closed.

    Parameters
    ----------
    model : nn.Module
    points : mapping from layer to HookPoint
        Which layers to keep, and where they are read.
    reduce : callable, optional
        Called at once with the output of a layer, so that only its result stays in memory. It must return a copy, since
        later modules may write into a layer's output. By default an unmodified copy is kept.

    Attributes
    ----------
    latest : dict from layer to Tensor
        Outputs of the latest pass, without layers that it did not reach.

    Raises
    ------
    UsageError
        If the network has no submodule of that name.

    Examples
    --------
    >>> import torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> with LayerRecorder(network, {"before": HookPoint("1", at_input=True), "after": HookPoint("1")}) as recorder:
    ...     logits = network(torch.zeros(5, 4))
    >>> {layer: tuple(found.shape) for layer, found in recorder.latest.items()}
    {'before': (5, 3), 'after': (5, 3)}
    """

    def __init__(
        self, model: nn.Module, points: Mapping[str, HookPoint], reduce: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.latest: dict[str, Tensor] = {}
        self._reduce = reduce or _copy
        modules = {layer: _submodule(model, layer, point.module) for layer, point in points.items()}
        self._hooks = [model.register_forward_pre_hook(self._forget)]
        for layer, point in points.items():
            if point.at_input:
                self._hooks.append(modules[layer].register_forward_pre_hook(self._keep_input(layer, point.item)))
            else:
                self._hooks.append(modules[layer].register_forward_hook(self._keep_output(layer, point.item)))

    def close(self) -> None:
        """Remove the hooks; the outputs of the latest pass are kept."""
        for hook in self._hooks:
            hook.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _forget(self, _model: nn.Module, _inputs: Any) -> None:
        self.latest.clear()

    def _keep_input(self, layer: str, item: int) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, inputs: Any) -> None:
            self._keep(layer, item, inputs)

        return hook

    def _keep_output(self, layer: str, item: int) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._keep(layer, item, output)

        return hook

    def _keep(self, layer: str, item: int, computed: Any) -> None:
        several = computed if isinstance(computed, tuple | list) else (computed,)
        found = several[item] if item < len(several) else None
        if not isinstance(found, torch.Tensor):
            wanted = f"a tuple with a tensor at index {item}" if item else "a tensor, or a tuple of them"
            raise UsageError(f"layer {layer} computes {type(computed).__name__}: expected {wanted}")
        self.latest[layer] = self._reduce(found)


def _submodule(model: nn.Module, layer: str, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError as error:
        known = ", ".join(child for child, _ in model.named_children())
        raise UsageError(
            f"layer {layer} is read at module {name!r}, which {type(model).__name__} does not have; it has {known}"
        ) from error


def _copy(computed: Tensor) -> Tensor:
    return computed.clone()
