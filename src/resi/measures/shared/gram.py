"""Inner products of the Gram matrices of many representations, each matrix computed once and never held as a whole.

``‖AᵀB‖F² = <AAᵀ, BBᵀ>``: the left side costs one product for every pair of representations, the right side one for
every representation and a cheap inner product for every pair. All pairs of 15 representations of 5000 x 512 take two
thirds of the operations that way, those of 45 a fifth.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from resi.measures.base import Spread
else:
    from resi.lazy import torch

BLOCK_ROWS = 256
"""Gram matrices are computed in blocks of so many rows; little is computed twice where they meet the diagonal."""
BLOCK_COLUMNS = 512
"""The most columns of a block. A square of 256 reaches five sixths of the speed of this shape."""
GROUP = 16
"""Fixed number of representations in one product: a value's last bits depend on the shape of that
product, and must not depend on which other representations are compared."""
CHUNK = 1024
"""So many numbers are added up in the precision of the factors; their sums are added in double precision."""
MAX_ROWS_PER_FEATURE = 10
"""With so many rows for each feature both ways cost the same for as many representations."""


def gram_is_cheaper(n_samples: int, n_features: int) -> bool:
    """Return whether to compare representations of this shape by their Gram matrices.

    With N > M D, M the number of representations, products of pairs need fewer operations. Benchmarks have 10 to 25
    models in a group of comparisons. The choice rests on the shape alone, so that a value is the same to the last bit
    independent of the other pairs compared with it.
    """
    return n_samples <= MAX_ROWS_PER_FEATURE * n_features


def block_entries(n_samples: int) -> int:
    """Return the most entries of a block of a Gram matrix."""
    n_rows = min(n_samples, BLOCK_ROWS)
    last_top = (n_samples - 1) // BLOCK_ROWS * BLOCK_ROWS
    return n_rows * max(n_rows, min(last_top, BLOCK_COLUMNS))


def gram_bytes(n_samples: int, itemsize: int) -> int:
    """Return the bytes that a block of the Gram matrices of a group takes, twice, as factors of their products."""
    return 2 * GROUP * (block_entries(n_samples) + CHUNK) * itemsize


def gram_products(factors: Sequence[Tensor], spread: Spread = map) -> Tensor:
    """Return the inner products of the Gram matrices ``F Fᵀ`` of all factors with each other.

    Parameters
    ----------
    factors : sequence of M tensors of shape (n_samples, any number of columns)
        All of one dtype, on one device.
    spread : callable
        ``map``, or what does the same on several threads.

    Returns
    -------
    Tensor of shape (M, M), float64
        Only entries on and below the diagonal are filled.
    """
    tops = range(0, len(factors[0]), BLOCK_ROWS)
    # Added up in their order, independent of the thread they come from.
    total = sum(
        spread(lambda top: _products_of_rows(factors, top), tops), factors[0].new_zeros((), dtype=torch.float64)
    )
    return total[: len(factors), : len(factors)]


def _products_of_rows(factors: Sequence[Tensor], top: int) -> Tensor:
    """Return what a block of rows of all Gram matrices adds to their inner products, its mirror image included."""
    n_groups = -(-len(factors) // GROUP)
    total = torch.zeros((n_groups * GROUP,) * 2, dtype=torch.float64, device=factors[0].device)
    n_samples = len(factors[0])
    n_rows = min(BLOCK_ROWS, n_samples - top)
    lefts = [*range(0, top, BLOCK_COLUMNS), top]
    storage = factors[0].new_zeros(n_groups * GROUP * (block_entries(n_samples) + CHUNK))
    for left, right in zip(lefts, [*lefts[1:], top + n_rows], strict=True):
        size = n_rows * (right - left)
        n_chunks = -(-size // CHUNK)
        chunks = storage[: n_groups * GROUP * n_chunks * CHUNK].view(n_groups, GROUP, n_chunks, CHUNK)
        blocks = chunks.view(n_groups * GROUP, -1)
        blocks[:, size:] = 0
        for factor, block in zip(factors, blocks, strict=False):
            torch.mm(factor[top : top + n_rows], factor[left:right].T, out=block[:size].view(n_rows, right - left))
        for one, other in combinations_with_replacement(range(n_groups), 2):
            products = torch.bmm(chunks[other].transpose(0, 1), chunks[one].permute(1, 2, 0))
            added = products.sum(0, dtype=torch.float64) * (1 if left == top else 2)
            total[other * GROUP : (other + 1) * GROUP, one * GROUP : (one + 1) * GROUP] += added
    return total
