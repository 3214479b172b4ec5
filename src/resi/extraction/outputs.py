"""A module's output as arrays with samples first: its tensors, and the meaning of their axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from resi.errors import UsageError
from resi.lazy import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn

    from resi.specs import Layout

Axes = Literal["nd", "ntd", "tnd", "nct", "nchw", "nhwc"]
"""Axes: samples, tokens, features, channels, height, width."""
AXES: tuple[str, ...] = get_args(Axes)
_ORDERS: dict[str, tuple[Layout, tuple[int, ...]]] = {
    "nd": ("nd", (0, 1)),
    "ntd": ("ntd", (0, 1, 2)),
    "tnd": ("ntd", (1, 0, 2)),
    "nct": ("ntd", (0, 2, 1)),
    "nchw": ("nchw", (0, 1, 2, 3)),
    "nhwc": ("nchw", (0, 3, 1, 2)),
}


class UnfitError(UsageError):
    """The output of a module is not an array with samples first."""


def tensors_of(output: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield all tensors in an output, such as a tuple, a dictionary or a ModelOutput, with their paths in it."""
    if isinstance(output, torch.Tensor):
        yield path, output
    elif isinstance(output, Mapping):
        for key, value in output.items():
            yield from tensors_of(value, f"{path}[{key}]")
    elif isinstance(output, tuple | list):
        for number, value in enumerate(output):
            yield from tensors_of(value, f"{path}[{number}]")


def arranged(tensor: Tensor, axes: Axes, n_samples: int) -> tuple[Tensor, Layout]:
    """Return a tensor with samples first, as ``nd``, ``ntd`` or ``nchw``; nothing is copied.

    Raises
    ------
    UnfitError
        If it is not floating point, or has another number of samples.
    """
    if not tensor.dtype.is_floating_point:
        raise UnfitError(f"it is {str(tensor.dtype).removeprefix('torch.')}, expected floating point")
    layout, order = _ORDERS[axes]
    if layout == "nchw" and tensor.dim() > 4:
        order = (
            (*order[:2], *range(2, tensor.dim()))
            if axes == "nchw"
            else (0, tensor.dim() - 1, *range(1, tensor.dim() - 1))
        )
    if len(order) != tensor.dim():
        raise UnfitError(f"it has shape {tuple(tensor.shape)}, expected the axes {axes}")
    found = tensor.permute(order)
    if len(found) != n_samples:
        advice = ""
        if tensor.dim() == 3 and tensor.shape[1] == n_samples and axes == "ntd":
            advice = "; if tokens come first, pass layouts={'LAYER': 'tnd'}"
        order_is = "samples are its second axis" if axes == "tnd" else "samples are not its first axis"
        raise UnfitError(f"it has shape {tuple(tensor.shape)} for {n_samples} samples: {order_is}{advice}")
    return found, layout


def axes_of(tensor: Tensor, path: str, chain: Sequence[nn.Module]) -> Axes:
    """Return the axes of an output, inferred from the module that computes it.

    torch's convention, features last or channels first, holds unless the module, or the nearest around it that knows,
    says otherwise: ``batch_first=False``, a convolution over one axis, weights whose number of features is that of
    the last axis alone.

    Parameters
    ----------
    path : str
        Path of the tensor in the output.
    chain : sequence of nn.Module
        The module and its parents, up to the network.

    Raises
    ------
    UnfitError
        If the tensor has no axes for samples and features.
    """
    if tensor.dim() < 2:
        raise UnfitError(f"it has shape {tuple(tensor.shape)}, expected samples first and features")
    if tensor.dim() == 2:
        return "nd"
    if tensor.dim() == 3:
        if _is_time_first(path, chain):
            return "tnd"
        return "nct" if _features_axis(tensor, chain) == "first" else "ntd"
    return "nhwc" if _features_axis(tensor, chain) == "last" else "nchw"


def _is_time_first(path: str, chain: Sequence[nn.Module]) -> bool:
    first = chain[0]
    if isinstance(first, torch.nn.RNNBase) and path.startswith("[1]"):
        return True  # the states of all its layers, samples second always
    if isinstance(first, torch.nn.MultiheadAttention) and path == "[1]":
        return False  # its weights, samples first always
    for module in chain:
        for each in module.modules():
            if isinstance(found := getattr(each, "batch_first", None), bool):
                return not found
    return False


def _features_axis(tensor: Tensor, chain: Sequence[nn.Module]) -> str:
    """Return which axis has the features: ``first`` after the samples, or ``last``; empty if it is ambiguous."""
    is_first = is_last = False
    for module in chain:
        channels, features = _sizes(module, tensor.dim() - 2)
        is_first, is_last = tensor.shape[1] in channels, tensor.shape[-1] in features
        if is_first or is_last:
            break
    return "" if is_first == is_last else "first" if is_first else "last"


def _sizes(module: nn.Module, n_cell_axes: int) -> tuple[set[int], set[int]]:
    """Return the numbers of channels of convolutions over so many axes, and of features along the last axis."""
    channels: set[int] = set()
    features: set[int] = set()
    for each in module.modules():
        if isinstance(each, torch.nn.modules.conv._ConvNd) and len(each.kernel_size) == n_cell_axes:
            channels |= {each.in_channels, each.out_channels}
        elif isinstance(each, torch.nn.modules.batchnorm._NormBase):
            channels.add(each.num_features)
        elif isinstance(each, torch.nn.Linear):
            features.add(each.out_features)
        elif isinstance(each, torch.nn.LayerNorm):
            features.add(each.normalized_shape[-1])
        elif isinstance(each, torch.nn.Embedding):
            features.add(each.embedding_dim)
    return channels, features
