"""The messages of a P-GNN layer from anchors to nodes, as compiled loops on the CPU.

A layer has one message for each node and set of anchors, 120 times as many numbers as its output has on Cora. The loops
keep none of them; the backward pass makes each again where it needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from resi.domains.graph.compiled.compiling import compiled

if TYPE_CHECKING:
    from torch import Tensor

    from resi.domains.graph.networks.pgnn.anchors import Anchors

ZERO = np.float32(0)


def hear(
    from_nodes: Tensor, from_anchors: Tensor, nearness: Tensor, weight: Tensor, anchors: Anchors
) -> tuple[Tensor, Tensor]:
    """Return all messages ``relu(nearness from_anchors[anchor] + from_nodes)``, mapped to a number each, and averaged.

    Parameters
    ----------
    from_nodes, from_anchors : Tensor of shape (n_nodes, width)
    nearness : Tensor of shape (n_values,)
        By the steps to the anchor.
    weight : Tensor of shape (width,)
        Of the map to one number.

    Returns
    -------
    positions : Tensor of shape (n_nodes, n_sets)
        The numbers.
    structures : Tensor of shape (n_nodes, width)
        Means over sets.
    """
    given = (from_nodes.float(), from_anchors.float(), nearness.float(), weight.float())
    if from_nodes.device.type == "cpu":
        positions, structures = _Hear.apply(*(tensor.contiguous() for tensor in given), anchors.nodes, anchors.steps)
        return positions, structures
    return hear_at_once(*given, anchors)


def hear_at_once(
    from_nodes: Tensor, from_anchors: Tensor, nearness: Tensor, weight: Tensor, anchors: Anchors
) -> tuple[Tensor, Tensor]:
    """Return the same as :func:`hear` with all messages in memory, on any device."""
    messages = (from_nodes.unsqueeze(1) + nearness[anchors.steps].unsqueeze(-1) * from_anchors[anchors.nodes]).relu()
    return messages @ weight, messages.mean(1)


class _Hear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(*given)
        from_nodes, *_, nodes, _ = given
        positions, structures = from_nodes.new_empty(nodes.shape), torch.empty_like(from_nodes)
        _forward(*(tensor.detach().numpy() for tensor in (*given, positions, structures)))
        return positions, structures

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        found = [torch.zeros_like(tensor) for tensor in ctx.saved_tensors[:4]]
        given = (*ctx.saved_tensors, *(gradient.contiguous() for gradient in gradients), *found)
        _backward(*(tensor.detach().numpy() for tensor in given))
        return (*found, None, None)


@compiled
def _forward(  # noqa: PLR0913, PLR0917 - inputs and outputs of a loop
    from_nodes: Any,
    from_anchors: Any,
    nearness: Any,
    weight: Any,
    nodes: Any,
    steps: Any,
    positions: Any,
    structures: Any,
) -> None:
    n_nodes, n_sets = nodes.shape
    width = len(weight)
    total = np.empty(width, np.float32)
    for node in range(n_nodes):
        own = from_nodes[node]
        total[:] = ZERO
        for column in range(n_sets):
            heard, near = from_anchors[nodes[node, column]], nearness[steps[node, column]]
            position = ZERO
            for k in range(width):
                message = own[k] + near * heard[k]
                message = ZERO if message < ZERO else message
                position += message * weight[k]
                total[k] += message
            positions[node, column] = position
        for k in range(width):
            structures[node, k] = total[k] / np.float32(n_sets)


@compiled
def _backward(  # noqa: PLR0913, PLR0917 - as above, and gradients of each
    from_nodes: Any,
    from_anchors: Any,
    nearness: Any,
    weight: Any,
    nodes: Any,
    steps: Any,
    of_positions: Any,
    of_structures: Any,
    to_nodes: Any,
    to_anchors: Any,
    to_nearness: Any,
    to_weight: Any,
) -> None:
    n_nodes, n_sets = nodes.shape
    width = len(weight)
    share, message, gradient, added = np.empty((4, width), np.float32)
    # Small loops, each over few arrays: vector instructions need to know that these do not overlap.
    for node in range(n_nodes):
        own, to_own = from_nodes[node], to_nodes[node]
        for k in range(width):
            share[k] = of_structures[node, k] / np.float32(n_sets)
            added[k] = ZERO
        for column in range(n_sets):
            anchor, step = nodes[node, column], steps[node, column]
            heard, near, of_position = from_anchors[anchor], nearness[step], of_positions[node, column]
            for k in range(width):
                message[k] = own[k] + near * heard[k]
            for k in range(width):
                gradient[k] = share[k] + of_position * weight[k] if message[k] > ZERO else ZERO
            slope = ZERO
            for k in range(width):
                slope += gradient[k] * heard[k]
                to_own[k] += gradient[k]
            to_nearness[step] += slope
            for k in range(width):
                added[k] += of_position * (message[k] if message[k] > ZERO else ZERO)
            to_heard = to_anchors[anchor]
            for k in range(width):
                to_heard[k] += near * gradient[k]
        for k in range(width):
            to_weight[k] += added[k]
