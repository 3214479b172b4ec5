"""Messages weighted by attention, as compiled loops over the edges of one node after another.

Heads stand last in every array, eight at a time: then what is done to an edge is done to eight numbers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
ONE = np.float32(1)
TINY = np.float32(1e-16)
"""What PyG adds to a sum of exponentials."""


def attend(  # noqa: PLR0913, PLR0917
    x: Tensor, to_source: Tensor, to_target: Tensor, senders: Senders, slope: float, kept: Tensor, scale: float
) -> Tensor:
    """Return the sums of messages, each weighted by a softmax over those to the same node.

    Parameters
    ----------
    x : Tensor of shape (n_nodes, groups, channels, 8)
        What each node sends, for eight heads in each group.
    to_source, to_target : Tensor of shape (groups, channels, 8)
        Their products with ``x`` at the source and the target of an edge, summed over channels, are the edge's score.
    slope : float
        Of the leaky rectifier that scores pass.
    kept : Tensor of shape (n_edges, groups, 8)
        Bytes that say which weights are kept after the softmax.
    scale : float
        What those are multiplied with.

    Returns
    -------
    Tensor of shape (n_targets, groups, channels, 8)
    """
    given = (x.float(), to_source.float(), to_target.float())
    result: Tensor = _Attend.apply(*(tensor.contiguous() for tensor in given), senders, slope, kept, scale)
    return result


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917
        ctx: Any,
        x: Tensor,
        to_source: Tensor,
        to_target: Tensor,
        senders: Senders,
        slope: float,
        kept: Tensor,
        scale: float,
    ) -> Tensor:
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
        of_x = torch.zeros_like(x)
        of_scores = x.new_zeros(2, len(x), *x.shape[1:2], LANES)
        found = (of_x, torch.zeros_like(to_source), torch.zeros_like(to_target))
        given = (*ctx.saved_tensors, gradients[0].contiguous(), of_scores, *found)
        _backward(*(tensor.detach().numpy() for tensor in given), *ctx.numbers)
        return (*found, None, None, None, None)


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
def _forward(  # noqa: PLR0913, PLR0917 - inputs and outputs of a loop
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
    _, groups, channels, _ = x.shape
    of_sources, of_targets = scores[0], scores[1]
    _score(x, to_source, of_sources)
    _score(x, to_target, of_targets)
    largest = np.empty(LANES, x.dtype)
    total = np.empty(LANES, x.dtype)
    weight = np.empty(LANES, x.dtype)
    for row in range(len(targets)):
        first, stop = starts[row], starts[row + 1]
        for group in range(groups):
            own = of_targets[targets[row], group]
            largest[:] = -np.inf
            for edge in range(first, stop):
                other, score = of_sources[sources[edge], group], weights[edge, group]
                for k in range(LANES):
                    value = own[k] + other[k]
                    value = value if value > ZERO else slope * value
                    score[k] = value
                    largest[k] = max(largest[k], value)
            total[:] = ZERO
            for edge in range(first, stop):
                score = weights[edge, group]
                for k in range(LANES):
                    score[k] = exponential(score[k] - largest[k])
                    total[k] += score[k]
            for k in range(LANES):
                total[k] = ONE / (total[k] + TINY)
            summed = out[row, group]
            summed[:] = ZERO
            for edge in range(first, stop):
                score, keep, message = weights[edge, group], kept[edge, group], x[sources[edge], group]
                for k in range(LANES):
                    score[k] *= total[k]
                    weight[k] = score[k] * keep[k] * scale
                for channel in range(channels):
                    for k in range(LANES):
                        summed[channel, k] += weight[k] * message[channel, k]


@compiled
def _backward(  # noqa: PLR0913, PLR0917 - as above, and gradients of each
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
    n_nodes, groups, channels, _ = x.shape
    at_sources, at_targets = of_scores[0], of_scores[1]
    most = 0
    for row in range(len(targets)):
        most = max(most, starts[row + 1] - starts[row])
    slopes = np.empty((most, LANES), x.dtype)
    dot = np.empty(LANES, x.dtype)
    weight = np.empty(LANES, x.dtype)
    mean = np.empty(LANES, x.dtype)
    for row in range(len(targets)):
        first, stop = starts[row], starts[row + 1]
        for group in range(groups):
            given = of_out[row, group]
            mean[:] = ZERO
            for edge in range(first, stop):
                source = sources[edge]
                message, to_message = x[source, group], of_x[source, group]
                keep, share, change = kept[edge, group], weights[edge, group], slopes[edge - first]
                for k in range(LANES):
                    weight[k] = share[k] * keep[k] * scale
                dot[:] = ZERO
                for channel in range(channels):
                    for k in range(LANES):
                        dot[k] += given[channel, k] * message[channel, k]
                        to_message[channel, k] += weight[k] * given[channel, k]
                for k in range(LANES):
                    change[k] = dot[k] * keep[k] * scale
                    mean[k] += share[k] * change[k]
            target = targets[row]
            own, to_own = scores[1, target, group], at_targets[target, group]
            for edge in range(first, stop):
                source = sources[edge]
                share, change = weights[edge, group], slopes[edge - first]
                other, to_other = scores[0, source, group], at_sources[source, group]
                for k in range(LANES):
                    value = share[k] * (change[k] - mean[k])
                    value = value if own[k] + other[k] > ZERO else slope * value
                    to_own[k] += value
                    to_other[k] += value
    for node in range(n_nodes):
        for group in range(groups):
            of_source, of_target = at_sources[node, group], at_targets[node, group]
            for channel in range(channels):
                own, to_own = x[node, group, channel], of_x[node, group, channel]
                for k in range(LANES):
                    to_own[k] += of_source[k] * to_source[group, channel, k] + of_target[k] * to_target[group, channel, k]
                    of_to_source[group, channel, k] += of_source[k] * own[k]
                    of_to_target[group, channel, k] += of_target[k] * own[k]
