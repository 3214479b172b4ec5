"""The operations between two layers as compiled loops: batch norm, activation and dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from resi.domains.graph.compiled.compiling import compiled
from resi.domains.graph.compiled.exponential import exponential

if TYPE_CHECKING:
    from torch import Tensor, nn

ZERO = np.float32(0)
ONE = np.float32(1)
BLOCK = 256
"""Rows whose sum is taken in single precision; sums of blocks are added in double precision."""


class Between(NamedTuple):
    """The operations between a layer and the next one.

    Attributes
    ----------
    norm : BatchNorm1d
        In training; its statistics follow.
    is_elu : bool
        Whether the activation is ELU; else it is ReLU.
    kept : Tensor of shape (n_nodes, width)
        Bytes that say which numbers dropout keeps.
    scale : float
        What those are multiplied with.
    """

    norm: nn.BatchNorm1d
    is_elu: bool
    kept: Tensor
    scale: float


def normalize(x: Tensor, between: Between) -> Tensor:
    """Return a layer of shape (n_nodes, width) after batch norm, activation and dropout."""
    weight, bias = between.norm.weight, between.norm.bias
    result: Tensor = _Normalize.apply(x.float().contiguous(), weight, bias, between)
    return result


class _Normalize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, between: Between) -> Tensor:
        norm, is_elu, kept, scale = between
        out = torch.empty_like(x)
        moments = x.new_empty(2, x.shape[1])
        given = (tensor.detach().numpy() for tensor in (x, weight, bias, kept, out, moments))
        _forward(*given, np.float32(norm.eps), is_elu, np.float32(scale))
        _follow(norm, len(x), moments)
        moments[1] = (moments[1] + norm.eps).rsqrt()
        ctx.save_for_backward(x, weight, kept, out, moments)
        ctx.numbers = (is_elu, np.float32(scale))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *_ = ctx.saved_tensors
        found = (torch.empty_like(x), torch.empty_like(weight), torch.empty_like(weight))
        given = (*ctx.saved_tensors, gradients[0].contiguous(), *found)
        _backward(*(tensor.detach().numpy() for tensor in given), *ctx.numbers)
        return (*found, None)


def _follow(norm: nn.BatchNorm1d, count: int, moments: Tensor) -> None:
    """Move a norm's statistics towards the mean and the variance of a batch."""
    mean, variance, momentum = norm.running_mean, norm.running_var, norm.momentum
    if mean is None or variance is None or norm.num_batches_tracked is None or momentum is None:
        raise TypeError("a batch norm has to follow its batches with a momentum")
    norm.num_batches_tracked.add_(1)
    mean.lerp_(moments[0], momentum)
    variance.lerp_(moments[1] * (count / (count - 1)), momentum)


@compiled
def _forward(  # noqa: PLR0913, PLR0917 - inputs and outputs of a loop
    x: Any, weight: Any, bias: Any, kept: Any, out: Any, moments: Any, eps: Any, is_elu: Any, scale: Any
) -> None:
    n_nodes, width = x.shape
    mean, variance = moments
    total = np.zeros(width, np.float64)
    for start in range(0, n_nodes, BLOCK):
        _add_sums(x[start : start + BLOCK], total)
    for k in range(width):
        mean[k], total[k] = total[k] / n_nodes, 0.0
    for start in range(0, n_nodes, BLOCK):
        _add_squares(x[start : start + BLOCK], mean, total)
    slope = np.empty(width, x.dtype)
    for k in range(width):
        variance[k] = total[k] / n_nodes
        slope[k] = weight[k] / np.sqrt(variance[k] + eps)
    for start in range(0, n_nodes, BLOCK):
        stop = min(start + BLOCK, n_nodes)
        _move(x[start:stop], mean, slope, bias, out[start:stop])
        values = out[start:stop].ravel()
        if is_elu:
            _bend(values)
        else:
            _cut(values)
        _keep(values, kept[start:stop].ravel(), scale)


@compiled
def _backward(  # noqa: PLR0913, PLR0917 - as above, and gradients of each
    x: Any,
    weight: Any,
    kept: Any,
    out: Any,
    moments: Any,
    of_out: Any,
    of_x: Any,
    of_weight: Any,
    of_bias: Any,
    is_elu: Any,
    scale: Any,
) -> None:
    n_nodes, width = x.shape
    mean, inverse = moments
    total, total_away = np.zeros((2, width), np.float64)
    for start in range(0, n_nodes, BLOCK):
        stop = min(start + BLOCK, n_nodes)
        values, given, to = out[start:stop].ravel(), of_out[start:stop].ravel(), of_x[start:stop].ravel()
        if is_elu:
            _multiply_bent(given, values, scale, to)
            _keep(to, kept[start:stop].ravel(), ONE)
        else:
            _multiply_cut(given, values, scale, to)
        _add_sums(of_x[start:stop], total)
        _add_products(of_x[start:stop], x[start:stop], mean, total_away)
    origin, slope, flat, steep = np.zeros((4, width), x.dtype)
    for k in range(width):
        of_bias[k], of_weight[k] = total[k], total_away[k] * inverse[k]
        slope[k] = weight[k] * inverse[k]
        flat[k] = -slope[k] * of_bias[k] / n_nodes
        steep[k] = -slope[k] * of_weight[k] * inverse[k] / n_nodes
    for start in range(0, n_nodes, BLOCK):
        stop = min(start + BLOCK, n_nodes)
        _move(of_x[start:stop], origin, slope, flat, of_x[start:stop])
        _add_moved(x[start:stop], mean, steep, of_x[start:stop])


# Small loops, each over few arrays: vector instructions need to know that these do not overlap.


@compiled
def _add_sums(x: Any, total: Any) -> None:
    part = np.zeros(x.shape[1], x.dtype)
    for row in range(len(x)):
        own = x[row]
        for k in range(len(part)):
            part[k] += own[k]
    for k in range(len(part)):
        total[k] += part[k]


@compiled
def _add_squares(x: Any, mean: Any, total: Any) -> None:
    part = np.zeros(x.shape[1], x.dtype)
    for row in range(len(x)):
        own = x[row]
        for k in range(len(part)):
            part[k] += (own[k] - mean[k]) ** 2
    for k in range(len(part)):
        total[k] += part[k]


@compiled
def _add_products(x: Any, y: Any, mean: Any, total: Any) -> None:
    part = np.zeros(x.shape[1], x.dtype)
    for row in range(len(x)):
        left, right = x[row], y[row]
        for k in range(len(part)):
            part[k] += left[k] * (right[k] - mean[k])
    for k in range(len(part)):
        total[k] += part[k]


@compiled
def _move(x: Any, mean: Any, slope: Any, bias: Any, out: Any) -> None:
    for row in range(len(x)):
        own, to = x[row], out[row]
        for k in range(len(mean)):
            to[k] = (own[k] - mean[k]) * slope[k] + bias[k]


@compiled
def _add_moved(x: Any, mean: Any, slope: Any, out: Any) -> None:
    for row in range(len(x)):
        own, to = x[row], out[row]
        for k in range(len(mean)):
            to[k] += (own[k] - mean[k]) * slope[k]


@compiled
def _bend(values: Any) -> None:
    for k in range(len(values)):
        value = values[k]
        bent = exponential(min(value, ZERO)) - 1
        values[k] = value if value > ZERO else bent


@compiled
def _cut(values: Any) -> None:
    for k in range(len(values)):
        value = values[k]
        values[k] = ZERO if value < ZERO else value  # which keeps NaN


@compiled
def _keep(values: Any, kept: Any, scale: Any) -> None:
    for k in range(len(values)):
        values[k] = values[k] * kept[k] * scale


@compiled
def _multiply_bent(given: Any, values: Any, scale: Any, out: Any) -> None:
    for k in range(len(values)):
        value = values[k]
        out[k] = given[k] * (scale if value > ZERO else value + scale)


@compiled
def _multiply_cut(given: Any, values: Any, scale: Any, out: Any) -> None:
    for k in range(len(values)):
        out[k] = given[k] * (scale if values[k] > ZERO else ZERO)
