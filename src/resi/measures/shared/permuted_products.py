"""Inner products ``Σ_ij A_ij B_o(i)o(j)`` of the symmetric matrices of many pairs, for many orders of the samples.

Several measures are such a product of matrices over pairs of samples: of centred Gram matrices, of ranked correlations,
of centred distances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from torch import Tensor

    from resi.measures.base import Measure, Spread
else:
    from resi.lazy import torch

STACK_BYTES = 2**27
"""The most that the interleaved matrices of 16 representations may take; two times as much is held at a time."""
LANES = 16
FILLED_ENTRIES = 2**16
"""So many entries of each matrix are computed at a time while they are interleaved."""
ORDERS_AT_A_TIME = 50
NEAR = 1e-6
"""Products of matrices of norm one are known to about 1e-8 in single precision. Those that are nearer than this to the
product of the pair as it is are computed once more, so that it is certain whether they are equal."""


class Tile(NamedTuple):
    """Up to 16 first and up to 16 second sides, and the pairs among them by their number."""

    firsts: list[int]
    seconds: list[int]
    pairs: list[int]


def fits(n_samples: int, device: torch.device) -> bool:
    """Return whether matrices over pairs of samples can be interleaved."""
    return device.type == "cpu" and 4 * LANES * n_samples**2 <= STACK_BYTES


def tiles(pairs: Sequence[tuple[int, int]]) -> list[Tile]:
    """Return the pairs in tiles of a few sides each."""
    firsts, seconds = sorted({one for one, _ in pairs}), sorted({other for _, other in pairs})
    if set(firsts) & set(seconds):
        firsts = seconds = sorted({*firsts, *seconds})
    found: dict[tuple[int, int], list[int]] = {}
    for number, (one, other) in enumerate(pairs):
        place = firsts.index(one) // LANES, seconds.index(other) // LANES
        found.setdefault(place, []).append(number)
    return [
        Tile(firsts[a * LANES : (a + 1) * LANES], seconds[b * LANES : (b + 1) * LANES], numbers)
        for (a, b), numbers in sorted(found.items())
    ]


def permuted_products(
    rows_of: Mapping[int, Callable[[slice], Tensor]],
    pairs: Sequence[tuple[int, int]],
    chosen: Sequence[Tile],
    orders: Tensor,
    spread: Spread,
) -> dict[int, Tensor]:
    """Return the products of all pairs in tiles.

    Parameters
    ----------
    rows_of : mapping
        For each side a function that returns some rows of its matrix, shape (n_rows, n_samples).
    pairs : sequence of (int, int)
        Which sides belong together; the samples of the second are permuted.
    chosen : sequence of Tile
        Some tiles of these pairs.
    orders : Tensor of shape (n_orders, n_samples)

    Returns
    -------
    dict from int to Tensor of shape (n_orders + 1,), float64
        By the number of the pair; the last one is for the samples as they are.
    """
    from resi.measures.shared.compiled_products import products_in_orders

    n_samples = orders.shape[1]
    places = torch.cat((orders, torch.arange(n_samples).unsqueeze(0))).to(torch.int32)
    inverse = places.argsort(1).to(torch.int32)
    parts = [slice(start, start + ORDERS_AT_A_TIME) for start in range(0, len(places), ORDERS_AT_A_TIME)]
    found: dict[int, Tensor] = {}
    left: tuple[list[int], Any] = ([], None)
    right: tuple[list[int], Any] = ([], None)
    for tile in chosen:
        if left[0] != tile.firsts:
            left = ([], None)  # before the next one is made
            left = (tile.firsts, _interleaved([rows_of[one] for one in tile.firsts], n_samples))
        if right[0] != tile.seconds:
            right = ([], None)
            same = tile.seconds == tile.firsts
            right = left if same else (tile.seconds, _interleaved([rows_of[n] for n in tile.seconds], n_samples))
        lefts, rights = left[1].numpy(), right[1].numpy()

        def products(part: slice, lefts: Any = lefts, rights: Any = rights) -> Tensor:
            out = torch.zeros((len(places[part]), LANES, LANES), dtype=torch.float64)
            products_in_orders(lefts, rights, places[part].numpy(), inverse[part].numpy(), out.numpy())
            return out

        values = torch.cat(list(spread(products, parts)))
        for number in tile.pairs:
            one, other = pairs[number]
            found[number] = values[:, tile.firsts.index(one), tile.seconds.index(other)].clone()
    return found


def of_states(
    states: Sequence[Any],
    pairs: Sequence[tuple[int, int]],
    orders: Tensor,
    rows_of: Callable[[Any], Callable[[slice], Tensor]],
    spread: Spread,
) -> dict[int, Tensor]:
    """Return the products of two matrices in many orders, by the number of the pair; none of too many samples.

    Parameters
    ----------
    rows_of : callable
        Returns what computes some rows of the matrix, of norm one, that belongs to a state.
    """
    if not fits(orders.shape[1], orders.device):
        return {}
    sides = {index: rows_of(state) for index, state in enumerate(states)}
    return permuted_products(sides, pairs, tiles(pairs), orders, spread)


def _interleaved(sides: Sequence[Callable[[slice], Tensor]], n_samples: int) -> Tensor:
    """Return matrices as one of shape (n_samples, n_samples, 16), float32; there are zeros in place of missing ones."""
    result = torch.zeros((n_samples, n_samples, LANES), dtype=torch.float32)
    step = max(1, FILLED_ENTRIES // n_samples)
    for start in range(0, n_samples, step):
        part = slice(start, min(start + step, n_samples))
        block = torch.stack([rows(part).float() for rows in sides])
        result[part, :, : len(sides)] = block.permute(1, 2, 0)
    return result


def settled(measure: Measure, states: tuple[Any, Any], orders: Tensor, values: Tensor) -> Tensor:
    """Return values of single precision, with those near the value of the pair as it is computed once more.

    Parameters
    ----------
    states : pair
        Both sides, prepared.
    values : Tensor of shape (n_orders + 1,)
        The last one is for the samples as they are; it is left out of the result.
    """
    result, found = values[:-1].clone(), values[-1]
    for number in ((result - found).abs() <= NEAR).nonzero().flatten().tolist():
        result[number] = measure.compare(states[0], measure.permuted(states[1], orders[number]))
    return result
