"""Rows of a representation: of length one, and which of them are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch

BLOCK_ENTRIES = 2**18
"""How many numbers are hashed at a time."""


class Distinct(NamedTuple):
    """Which rows are the same.

    Attributes
    ----------
    first : Tensor of shape (n_distinct,)
        Index of the first row of each kind.
    kind : Tensor of shape (n_samples,)
        ``matrix[first[kind]]`` is the matrix.
    copies, originals : Tensor of shape (n_samples - n_distinct,)
        Index of each row that repeats an earlier one, and of that one.
    """

    first: Tensor
    kind: Tensor
    copies: Tensor
    originals: Tensor


def with_unit_rows(matrix: Tensor) -> Tensor:
    """Return the matrix with rows of length one; all-zero rows stay zero."""
    result = largest_one(matrix)
    norms = result.norm(dim=1, keepdim=True)
    return result.div_(norms.where(norms > 0, 1))


def largest_one(matrix: Tensor) -> Tensor:
    """Return each row divided by its largest absolute entry: rows can be as long or short as floats allow."""
    largest = matrix.abs().amax(1, keepdim=True)
    return matrix / largest.where(largest > 0, 1)


def distinct_rows(x: Features) -> Distinct | None:
    """Return which rows are the same, number for number, or None where all differ."""
    given = x.given
    generator = torch.Generator().manual_seed(0)
    factors = torch.randint(2**62, (given.shape[1],), generator=generator).to(given.device) * 2 + 1
    block = max(1, BLOCK_ENTRIES // given.shape[1])
    parts = [_hashed(given[start : start + block].double(), factors) for start in range(0, len(given), block)]
    keys, kind = torch.unique(torch.cat(parts), return_inverse=True)
    n_samples = len(kind)
    if len(keys) == n_samples:
        return None
    result = _first_of_kind(kind, len(keys))
    if torch.equal(given[result.copies], given[result.originals]):
        return result
    kinds, kind = torch.unique(given.double(), dim=0, return_inverse=True)
    return _first_of_kind(kind, len(kinds)) if len(kinds) < n_samples else None


def _hashed(matrix: Tensor, factors: Tensor) -> Tensor:
    """Return one integer for each row, the same for rows that are the same number for number."""
    # Adding zero makes a positive zero of a negative one.
    bits = (matrix + 0.0).view(torch.int64)
    bits = (bits ^ (bits >> 32)).mul_(0x9E3779B97F4A7C1) ^ (bits >> 17)
    return bits.mul_(factors).sum(1)


def _first_of_kind(kind: Tensor, n_kinds: int) -> Distinct:
    index = torch.arange(len(kind), device=kind.device)
    first = torch.full((n_kinds,), len(kind), device=kind.device).scatter_reduce_(0, kind, index, "amin")
    copies = (first[kind] != index).nonzero().squeeze(1)
    return Distinct(first, kind, copies, first[kind[copies]])
