"""Linear maps of features that may be sparse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor


def linear_map(x: Tensor, columns: Tensor) -> Tensor:
    """Return ``x @ columns`` with gradients for the columns; x is dense, or in CSR layout and constant."""
    if x.layout == torch.sparse_csr and x.device.type == "cpu":
        result: Tensor = _SparseMap.apply(x, columns.contiguous())
        return result
    return x @ columns


class _SparseMap(torch.autograd.Function):
    """``x @ columns``; torch's own gradient would transpose x each time."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, columns: Tensor) -> Tensor:
        ctx.x = x
        return x @ columns

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        from resi.domains.graph.compiled.rows import Rows, transposed_product

        x = ctx.x
        starts, columns, values = (tensor.numpy() for tensor in (x.crow_indices(), x.col_indices(), x.values()))
        return None, transposed_product(Rows(starts, columns, values, x.shape[1]), gradients[0])
