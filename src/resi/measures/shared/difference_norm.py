"""Norms of differences of matrices over pairs of samples that are computed tile by tile and never held.

Every product with such a difference takes all distances of both sides once more, which is nearly all of the time. So it
multiplies many vectors at once, all pairs share the distances of their sides, and few products are needed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from resi.measures.shared.precision import DOUBLE_EPSILON
from resi.measures.shared.tiles import stripes

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    import torch
    from torch import Tensor

    from resi.measures.base import Spread
    from resi.measures.shared.tiled_distances import Tiled
    from resi.measures.shared.tiles import Tile

    Pair = tuple[int, int]
    Search = Generator[Tensor, Tensor, float | None]
else:
    from resi.lazy import torch

VECTORS = 16
"""So many vectors are multiplied at once. More of them save hardly any product."""
MOST_BLOCKS = 12
"""So many blocks of vectors are kept; then those that are nearest to an end of the spectrum stand for them."""
KEPT = 3
MOST_PRODUCTS = 100
TOLERANCE = 1e-13
"""Bound on the relative error at which the search ends."""


def search_bytes(n_samples: int) -> int:
    """Return the bytes of the vectors of one pair, of which mostly half of the blocks are needed."""
    return 8 * n_samples * VECTORS * (MOST_BLOCKS // 2 + 4)


def spectral_norms(sides: Sequence[Tiled], pairs: Sequence[Pair], spread: Spread) -> list[float | None]:
    """Return the largest absolute eigenvalue of the difference of each pair, in the units of the features.

    None where it did not converge in ``MOST_PRODUCTS`` products.

    Notes
    -----
    Block Lanczos iteration with full reorthogonalisation and restarts. A Ritz value θ with residual r is within r, and
    within r² / gap, of an eigenvalue; the iteration stops when the smaller of the two is below 1e-13 |θ| for the end of
    the spectrum with the larger absolute value, and the other end cannot catch up. Where the difference is nearly
    nothing but rounding of the distances, as of a representation and the same one rotated, it stops below what that
    rounding changes.
    """
    values: dict[int, float | None] = {}
    # As many at once as there are pairs of sides that have nothing in common.
    at_once = max(1, len({side for pair in pairs for side in pair}) // 2)
    order = sorted(range(len(pairs)), key=lambda number: sorted(pairs[number], reverse=True))
    for start in range(0, len(order), at_once):
        searches = {number: _search(*(sides[side] for side in pairs[number])) for number in order[start:][:at_once]}
        blocks = {number: next(search) for number, search in searches.items()}
        while blocks:
            products = _products(sides, pairs, blocks, spread)
            blocks = {}
            for number, product in products.items():
                try:
                    blocks[number] = searches[number].send(product)
                except StopIteration as end:
                    values[number] = end.value
    scales = [max(sides[side].scale for side in pair) for pair in pairs]
    found = [values[number] for number in range(len(pairs))]
    return [None if value is None else scale * value for value, scale in zip(found, scales, strict=True)]


def frobenius_norms(sides: Sequence[Tiled], pairs: Sequence[Pair], spread: Spread) -> list[float]:
    """Return the root of the sum of squares of the difference of each pair, in the units of the sides."""

    def of_stripe(stripe: Sequence[Tile]) -> list[list[float]]:
        found = []
        for tile, entries in _tiles(sides, pairs, range(len(pairs)), stripe):
            squares = [_difference(sides, pair, entries).square_().sum() for pair in pairs]
            found.append((torch.stack(squares) * tile.times).tolist())
        return found

    parts = [terms for of_one in spread(of_stripe, stripes(len(sides[0].lengths))) for terms in of_one]
    return [
        max(sides[side].scale for side in pair) * math.sqrt(math.fsum(terms))
        for pair, terms in zip(pairs, zip(*parts, strict=True), strict=True)
    ]


def _tiles(sides: Sequence[Tiled], pairs: Sequence[Pair], chosen: Any, stripe: Sequence[Tile]) -> Any:
    """Yield the tiles of a stripe, with the entries of all sides that the chosen pairs have."""
    members = sorted({side for number in chosen for side in pairs[number]})
    left = {side: sides[side].left(stripe[0].rows) for side in members}
    return ((tile, {side: sides[side].tile(tile, left[side]) for side in members}) for tile in stripe)


def _difference(sides: Sequence[Tiled], pair: Pair, entries: Mapping[int, Tensor]) -> Tensor:
    """Return the difference of a pair, in units of its larger scale."""
    largest = max(sides[side].scale for side in pair)
    first, second = (
        entries[side] if sides[side].scale == largest else entries[side] * (sides[side].scale / largest)
        for side in pair
    )
    return first - second


def _products(
    sides: Sequence[Tiled], pairs: Sequence[Pair], blocks: Mapping[int, Tensor], spread: Spread
) -> dict[int, Tensor]:
    """Return the product of the difference of some pairs with vectors, by the number of the pair."""

    def of_stripe(stripe: Sequence[Tile]) -> dict[int, Tensor]:
        stop = stripe[0].rows.stop
        found = {number: torch.zeros_like(block[:stop]) for number, block in blocks.items()}
        for tile, entries in _tiles(sides, pairs, blocks, stripe):
            for number, block in blocks.items():
                difference = _difference(sides, pairs[number], entries)
                found[number][tile.rows] += difference @ block[tile.columns]
                if tile.times == 2:
                    found[number][tile.columns] += difference.T @ block[tile.rows]
        return found

    totals = {number: torch.zeros_like(block) for number, block in blocks.items()}
    for part in spread(of_stripe, stripes(len(sides[0].lengths))):
        for number, added in part.items():
            totals[number][: len(added)] += added
    return totals


def _search(a: Tiled, b: Tiled) -> Search:
    """Yield vectors, take their products with a symmetric matrix, and return its largest absolute eigenvalue."""
    largest = max(a.scale, b.scale)
    # The norm of a symmetric matrix of so many random numbers is twice the root of that times their deviation.
    sizes = sum(side.typical * (side.scale / largest) for side in (a, b))
    rounding = math.sqrt(len(a.lengths)) * DOUBLE_EPSILON * sizes
    block = _first_block(a.lengths, b.lengths)
    basis, known = block, block.new_zeros((0, 0))
    for _ in range(MOST_PRODUCTS):
        product = yield block
        width = block.shape[1]
        coefficients = basis.T @ product
        product -= basis @ coefficients
        product -= basis @ (basis.T @ product)
        projected = torch.cat((torch.cat((known, coefficients[:-width].T)), coefficients), dim=1)
        projected = (projected + projected.T) / 2
        block, upper = torch.linalg.qr(product)
        values, vectors = torch.linalg.eigh(projected)
        residuals = (upper @ vectors[-width:]).norm(dim=0)
        value = _settled(values, residuals, rounding)
        if value is not None:
            return value
        # Vectors that are nothing but rounding are not orthogonal yet.
        block = torch.linalg.qr(block - basis @ (basis.T @ block)).Q
        known = projected
        if basis.shape[1] >= MOST_BLOCKS * VECTORS:
            kept = torch.cat((values.abs().argsort(descending=True)[: (KEPT - 1) * VECTORS], values.argsort()[[0, -1]]))
            kept = torch.unique(kept)
            basis, known = basis @ vectors[:, kept], values[kept].diag()
        basis = torch.cat((basis, block), dim=1)
    return None


def _first_block(a: Tensor, b: Tensor) -> Tensor:
    """Return orthogonal vectors: what often is near the first eigenvectors, and random ones."""
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn((len(a), VECTORS), dtype=a.dtype, generator=generator).to(a.device)
    guesses = torch.stack((torch.ones_like(a), a, b), dim=1)
    lengths = guesses.norm(dim=0)
    # The random share keeps them apart where they are the same.
    vectors[:, :3] = 1e-3 * vectors[:, :3] / len(a) ** 0.5 + guesses / lengths.where(lengths > 0, 1)
    return torch.linalg.qr(vectors).Q


def _settled(values: Tensor, residuals: Tensor, rounding: float) -> float | None:
    """Return the largest absolute Ritz value if it is accurate enough, or as much as rounding lets it be, else None."""
    numbers, bounds = values.tolist(), residuals.tolist()
    ends = sorted(((abs(numbers[end]), end) for end in (0, -1)), reverse=True)
    winner = ends[0][0]
    if winner == 0:
        return 0.0 if max(bounds) == 0 else None
    for value, end in ends:
        other = 1 if end == 0 else -2
        gap = abs(numbers[end] - numbers[other]) - bounds[other]
        bound = min(bounds[end], bounds[end] ** 2 / gap if gap > 0 else math.inf)
        if bound > max(TOLERANCE * winner, rounding) and (value == winner or value + bounds[end] > winner):
            return None
    return winner
