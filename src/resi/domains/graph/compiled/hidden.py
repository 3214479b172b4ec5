"""What stands between two layers as compiled loops: batch norm, activation and dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def normalize(x: Tensor, norm: nn.BatchNorm1d, is_elu: bool, kept: Tensor, scale: float) -> Tensor:
    """Return a batch-normalised, activated and partly dropped layer, as in training; the norm's statistics follow.

    Parameters
    ----------
    x : Tensor of shape (n_nodes, width)
    is_elu : bool
        Whether the activation is ELU; else it is ReLU.
    kept : Tensor of shape (n_nodes, width)
        Bytes that say which numbers are kept.
    scale : float
        What those are multiplied with.
    """
    result: Tensor = _Normalize.apply(x.float().contiguous(), norm.weight, norm.bias, norm, is_elu, kept, scale)
    return result


class _Normalize(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        norm: nn.BatchNorm1d,
        is_elu: bool,
        kept: Tensor,
        scale: float,
    ) -> Tensor:
        out = torch.empty_like(x)
        moments = x.new_empty(2, x.shape[1])
        _forward(
            *(tensor.detach().numpy() for tensor in (x, weight, bias, kept, out, moments)),
            np.float32(norm.eps),
            is_elu,
            np.float32(scale),
        )
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
        return (*found, None, None, None, None)


def _follow(norm: nn.BatchNorm1d, count: int, moments: Tensor) -> None:
    """Move a norm's statistics towards the mean and the variance of a batch."""
    norm.num_batches_tracked.add_(1)
    norm.running_mean.lerp_(moments[0], norm.momentum)
    norm.running_var.lerp_(moments[1] * (count / (count - 1)), norm.momentum)


@compiled
def _forward(  # noqa: PLR0913, PLR0917 - inputs and outputs of a loop
    x: Any, weight: Any, bias: Any, kept: Any, out: Any, moments: Any, eps: Any, is_elu: Any, scale: Any
) -> None:
    n_nodes, width = x.shape
    mean, variance = moments
    part = np.empty(width, x.dtype)
    total = np.zeros(width, np.float64)
    for start in range(0, n_nodes, BLOCK):
        part[:] = ZERO
        for node in range(start, min(start + BLOCK, n_nodes)):
            for k in range(width):
                part[k] += x[node, k]
        for k in range(width):
            total[k] += part[k]
    for k in range(width):
        mean[k] = total[k] / n_nodes
        total[k] = 0.0
    for start in range(0, n_nodes, BLOCK):
        part[:] = ZERO
        for node in range(start, min(start + BLOCK, n_nodes)):
            for k in range(width):
                away = x[node, k] - mean[k]
                part[k] += away * away
        for k in range(width):
            total[k] += part[k]
    slope = np.empty(width, x.dtype)
    for k in range(width):
        variance[k] = total[k] / n_nodes
        slope[k] = weight[k] / np.sqrt(variance[k] + eps)
    if is_elu:
        for node in range(n_nodes):
            for k in range(width):
                value = (x[node, k] - mean[k]) * slope[k] + bias[k]
                bent = exponential(min(value, ZERO)) - 1
                out[node, k] = (value if value > ZERO else bent) * kept[node, k] * scale
    else:
        for node in range(n_nodes):
            for k in range(width):
                value = (x[node, k] - mean[k]) * slope[k] + bias[k]
                out[node, k] = (value if value > ZERO else ZERO) * kept[node, k] * scale


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
    part, part_away = np.empty((2, width), x.dtype)
    total, total_away = np.zeros((2, width), np.float64)
    level = ONE / scale if is_elu else ZERO
    for start in range(0, n_nodes, BLOCK):
        part[:] = ZERO
        part_away[:] = ZERO
        for node in range(start, min(start + BLOCK, n_nodes)):
            for k in range(width):
                value = out[node, k]
                gradient = of_out[node, k] * kept[node, k]
                if is_elu:
                    gradient *= scale if value > ZERO else value + scale
                else:
                    gradient *= scale if value > ZERO else ZERO
                of_x[node, k] = gradient
                part[k] += gradient
                part_away[k] += gradient * ((x[node, k] - mean[k]) * inverse[k])
        for k in range(width):
            total[k] += part[k]
            total_away[k] += part_away[k]
    slope = np.empty(width, x.dtype)
    for k in range(width):
        of_bias[k] = total[k]
        of_weight[k] = total_away[k]
        part[k] = total[k] / n_nodes
        part_away[k] = total_away[k] / n_nodes
        slope[k] = weight[k] * inverse[k]
    for node in range(n_nodes):
        for k in range(width):
            away = (x[node, k] - mean[k]) * inverse[k]
            of_x[node, k] = slope[k] * (of_x[node, k] - part[k] - away * part_away[k])
