"""Products of two centred matrices with resampled rows, for all draws at once.

Which rows are drawn, and how often, are weights of the rows. With means of the weighted rows taken off, ``‖RᵀWS‖F²`` is
a quadratic form in the weights: one matrix product gives it for all draws, instead of centring and multiplying for each
draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.measures.shared import intermediates
from resi.measures.shared.intermediates import BLOCK_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch


def cross_squares(a: Features, b: Features, counts: Tensor) -> Tensor:
    """Return ``‖RcᵀSc‖F²`` of the rows in each draw, shape (n_draws,).

    Parameters
    ----------
    counts : Tensor of shape (n_draws, n_rows), float64
        How often each row is in a draw.

    Notes
    -----
    With weights w of sum m, Gram matrices K and L of rows that are centred over all samples, and k = K w, l = L w:
    ``Σ_ij w_i w_j K_ij L_ij - 2/m Σ_i w_i k_i l_i + (wᵀk)(wᵀl) / m²``. Of few features, it is the sum of
    the squares of the products of features.
    """
    first, second = (x.shared(intermediates.centred_compact) for x in (a, b))
    sums_a, sums_b = counts @ first, counts @ second
    totals = counts.sum(1)
    n_rows, n_products = len(first), first.shape[1] * second.shape[1]
    if n_products < n_rows:
        products = torch.zeros(len(counts), n_products, dtype=counts.dtype, device=counts.device)
        for part in _blocks(n_rows, n_products):
            of_rows = (first[part].unsqueeze(2) * second[part].unsqueeze(1)).flatten(1)
            products.addmm_(counts[:, part], of_rows)
        means = (sums_a.unsqueeze(2) * sums_b.unsqueeze(1)).flatten(1) / totals.unsqueeze(1)
        return (products - means).square().sum(1)
    found = (sums_a.square().sum(1) * sums_b.square().sum(1)) / totals.square()
    for part in _blocks(n_rows, max(n_rows, len(counts))):
        both = (first[part] @ first.T) * (second[part] @ second.T)
        of_draws = counts @ both.T
        of_draws -= (2 / totals).unsqueeze(1) * (sums_a @ first[part].T) * (sums_b @ second[part].T)
        found += (counts[:, part] * of_draws).sum(1)
    return found


def _blocks(n_rows: int, width: int) -> Iterator[slice]:
    step = max(1, BLOCK_ENTRIES // width)
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))
