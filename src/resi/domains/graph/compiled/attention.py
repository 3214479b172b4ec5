"""Messages weighted by attention, as compiled loops over the edges of one node after another.

Heads stand last in every array, eight at a time: then what is done to an edge is done to eight numbers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from resi.domains.graph.compiled.compiling import compiled
from resi.domains.graph.compiled.exponential import exponential

if TYPE_CHECKING:
    from torch import Tensor

    from resi.domains.graph.propagation import Senders

LANES = 8
ZERO = np.float32(0)
TINY = np.float32(1e-16)
"""What PyG adds to a sum of exponentials."""


class Attention(NamedTuple):
    """What is done to scores of edges.

    Attributes
    ----------
    slope : float
        Of the leaky rectifier that they pass.
    kept : Tensor of shape (n_edges, groups, 8)
        Bytes that say which weights are kept after the softmax.
    scale : float
        What those are multiplied with.
    """

    slope: float
    kept: Tensor
    scale: float


def attend(x: Tensor, to_source: Tensor, to_target: Tensor, senders: Senders, attention: Attention) -> Tensor:
    """Return the sums of messages, each weighted by a softmax over those to the same node.

    Parameters
    ----------
    x : Tensor of shape (n_nodes, groups, channels, 8)
        What each node sends, for eight heads in each group.
    to_source, to_target : Tensor of shape (groups, channels, 8)
        Their products with ``x`` at the source and the target of an edge, summed over channels, are the edge's score.

    Returns
    -------
    Tensor of shape (n_targets, groups, channels, 8)
    """
    given = (x.float(), to_source.float(), to_target.float())
    result: Tensor = _Attend.apply(*(tensor.contiguous() for tensor in given), senders, attention)
    return result


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, to_source: Tensor, to_target: Tensor, senders: Senders, attention: Attention
    ) -> Tensor:
        slope, kept, scale = attention
        _, groups, _, lanes = x.shape
        scores = x.new_empty(2, len(x), groups, lanes)
        weights = x.new_empty(kept.shape)
        out = x.new_empty(len(senders.targets), *x.shape[1:])
        given = (x, to_source, to_target, *senders, kept, scores, weights)
        ctx.save_for_backward(*given)
        ctx.numbers = (np.float32(slope), np.float32(scale))
        _forward(*(tensor.detach().numpy() for tensor in given), out.numpy(), *ctx.numbers)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, to_source, to_target, *_ = ctx.saved_tensors
        of_scores = x.new_zeros(2, *x.shape[:2], LANES)
        found = (torch.zeros_like(x), torch.zeros_like(to_source), torch.zeros_like(to_target))
        given = (*ctx.saved_tensors, gradients[0].contiguous(), of_scores, *found)
        _backward(*(tensor.detach().numpy() for tensor in given), *ctx.numbers)
        return (*found, None, None)


# What follows are loops over inputs and outputs, which take as many arguments as there are arrays.


@compiled
def _forward(  # noqa: PLR0913, PLR0917
    x: Any,
    to_source: Any,
    to_target: Any,
    targets: Any,
    starts: Any,
    sources: Any,
    kept: Any,
    scores: Any,
    weights: Any,
    out: Any,
    slope: Any,
    scale: Any,
) -> None:
    _score(x, to_source, scores[0])
    _score(x, to_target, scores[1])
    _weigh(scores, targets, starts, sources, weights, slope)
    _sum_messages(x, starts, sources, kept, weights, out, scale)


@compiled
def _backward(  # noqa: PLR0913, PLR0917
    x: Any,
    to_source: Any,
    to_target: Any,
    targets: Any,
    starts: Any,
    sources: Any,
    kept: Any,
    scores: Any,
    weights: Any,
    of_out: Any,
    of_scores: Any,
    of_x: Any,
    of_to_source: Any,
    of_to_target: Any,
    slope: Any,
    scale: Any,
) -> None:
    of_weights = np.empty_like(weights)
    _return_messages(x, starts, sources, kept, weights, of_out, of_x, of_weights, scale)
    _return_weights(scores, targets, starts, sources, weights, of_weights, of_scores, slope)
    _return_scores(x, to_source, of_scores[0], of_x, of_to_source)
    _return_scores(x, to_target, of_scores[1], of_x, of_to_target)


@compiled
def _score(x: Any, towards: Any, scores: Any) -> None:
    n_nodes, groups, channels, _ = x.shape
    total = np.empty(LANES, x.dtype)
    for node in range(n_nodes):
        for group in range(groups):
            total[:] = ZERO
            for channel in range(channels):
                for k in range(LANES):
                    total[k] += x[node, group, channel, k] * towards[group, channel, k]
            for k in range(LANES):
                scores[node, group, k] = total[k]


@compiled
def _weigh(scores: Any, targets: Any, starts: Any, sources: Any, weights: Any, slope: Any) -> None:
    """Set the softmax of the scores of the edges to each target."""
    of_sources, of_targets = scores
    largest, total = np.empty((2, LANES), weights.dtype)
    for row in range(len(targets)):
        first, stop = starts[row], starts[row + 1]
        for group in range(weights.shape[1]):
            own = of_targets[targets[row], group]
            largest[:] = -np.inf
            for edge in range(first, stop):
                other, score = of_sources[sources[edge], group], weights[edge, group]
                for k in range(LANES):
                    value = own[k] + other[k]
                    value = value if value > ZERO else slope * value
                    score[k] = value
                    largest[k] = max(largest[k], value)
            total[:] = TINY
            for edge in range(first, stop):
                score = weights[edge, group]
                for k in range(LANES):
                    score[k] = exponential(score[k] - largest[k])
                    total[k] += score[k]
            for edge in range(first, stop):
                for k in range(LANES):
                    weights[edge, group, k] /= total[k]


@compiled
def _sum_messages(  # noqa: PLR0913, PLR0917
    x: Any, starts: Any, sources: Any, kept: Any, weights: Any, out: Any, scale: Any
) -> None:
    n_targets, groups, channels, _ = out.shape
    weight = np.empty(LANES, x.dtype)
    for row in range(n_targets):
        for group in range(groups):
            summed = out[row, group]
            summed[:] = ZERO
            for edge in range(starts[row], starts[row + 1]):
                share, keep, message = weights[edge, group], kept[edge, group], x[sources[edge], group]
                for k in range(LANES):
                    weight[k] = share[k] * keep[k] * scale
                for channel in range(channels):
                    for k in range(LANES):
                        summed[channel, k] += weight[k] * message[channel, k]


@compiled
def _return_messages(  # noqa: PLR0913, PLR0917
    x: Any,
    starts: Any,
    sources: Any,
    kept: Any,
    weights: Any,
    of_out: Any,
    of_x: Any,
    of_weights: Any,
    scale: Any,
) -> None:
    """Add what messages pass on to ``x``, and set the gradients of the weights, before dropout."""
    n_targets, groups, channels, _ = of_out.shape
    weight, dot = np.empty((2, LANES), x.dtype)
    for row in range(n_targets):
        for group in range(groups):
            given = of_out[row, group]
            for edge in range(starts[row], starts[row + 1]):
                message, to_message = x[sources[edge], group], of_x[sources[edge], group]
                share, keep, change = weights[edge, group], kept[edge, group], of_weights[edge, group]
                for k in range(LANES):
                    weight[k] = share[k] * keep[k] * scale
                    dot[k] = ZERO
                for channel in range(channels):
                    for k in range(LANES):
                        dot[k] += given[channel, k] * message[channel, k]
                        to_message[channel, k] += weight[k] * given[channel, k]
                for k in range(LANES):
                    change[k] = dot[k] * keep[k] * scale


@compiled
def _return_weights(  # noqa: PLR0913, PLR0917
    scores: Any,
    targets: Any,
    starts: Any,
    sources: Any,
    weights: Any,
    of_weights: Any,
    of_scores: Any,
    slope: Any,
) -> None:
    """Add the gradients of the softmax to those of the scores of sources and targets."""
    mean = np.empty(LANES, weights.dtype)
    for row in range(len(targets)):
        for group in range(weights.shape[1]):
            mean[:] = ZERO
            for edge in range(starts[row], starts[row + 1]):
                for k in range(LANES):
                    mean[k] += weights[edge, group, k] * of_weights[edge, group, k]
            own, to_own = scores[1, targets[row], group], of_scores[1, targets[row], group]
            for edge in range(starts[row], starts[row + 1]):
                share, change = weights[edge, group], of_weights[edge, group]
                other, to_other = scores[0, sources[edge], group], of_scores[0, sources[edge], group]
                for k in range(LANES):
                    value = share[k] * (change[k] - mean[k])
                    value = value if own[k] + other[k] > ZERO else slope * value
                    to_own[k] += value
                    to_other[k] += value


@compiled
def _return_scores(x: Any, towards: Any, of_scores: Any, of_x: Any, of_towards: Any) -> None:
    n_nodes, groups, channels, _ = x.shape
    for node in range(n_nodes):
        for group in range(groups):
            given = of_scores[node, group]
            for channel in range(channels):
                own, to_own = x[node, group, channel], of_x[node, group, channel]
                for k in range(LANES):
                    to_own[k] += given[k] * towards[group, channel, k]
                    of_towards[group, channel, k] += given[k] * own[k]
