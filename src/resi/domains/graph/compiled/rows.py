"""Sums over the neighbours of each node, and other products with sparse matrices stored by rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from resi.domains.graph.compiled.compiling import compiled

if TYPE_CHECKING:
    from torch import Tensor

ZERO = np.float32(0)


class Rows(NamedTuple):
    """A sparse matrix: the entries of row i stand from ``starts[i]`` to ``starts[i + 1]``."""

    starts: Any
    columns: Any
    values: Any
    width: int

    def only(self, rows: Any) -> Rows:
        """Return some of the rows."""
        counts = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(counts)])
        chosen = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], counts)
        return Rows(starts, self.columns[chosen], self.values[chosen], self.width)


def product(matrix: Rows, x: Tensor) -> Tensor:
    """Return ``matrix @ x`` with gradients for x."""
    result: Tensor = _Product.apply(x, matrix)
    return result


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Rows) -> Tensor:
        ctx.matrix = matrix
        out = x.new_empty(len(matrix.starts) - 1, x.shape[1])
        _gather(*matrix[:3], x.detach().contiguous().numpy(), out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return transposed_product(ctx.matrix, gradients[0]), None


def transposed_product(matrix: Rows, x: Tensor) -> Tensor:
    """Return ``matrix.T @ x``."""
    out = x.new_zeros(matrix.width, x.shape[1])
    _scatter(*matrix[:3], x.detach().contiguous().numpy(), out.numpy())
    return out


@compiled
def _gather(starts: Any, columns: Any, values: Any, x: Any, out: Any) -> None:
    width = x.shape[1]
    for row in range(len(starts) - 1):
        to = out[row]
        to[:] = ZERO
        for entry in range(starts[row], starts[row + 1]):
            value, given = values[entry], x[columns[entry]]
            for k in range(width):
                to[k] += value * given[k]


@compiled
def _scatter(starts: Any, columns: Any, values: Any, x: Any, out: Any) -> None:
    width = x.shape[1]
    for row in range(len(starts) - 1):
        given = x[row]
        for entry in range(starts[row], starts[row + 1]):
            value, to = values[entry], out[columns[entry]]
            for k in range(width):
                to[k] += value * given[k]
