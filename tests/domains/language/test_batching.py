"""The order of training rows: every row once an epoch, another order each, and little padding where asked for."""

from __future__ import annotations

import numpy as np
import pytest

from resi.domains.language.batching import RowOrder

LENGTHS = np.random.default_rng(0).integers(4, 60, 1003).tolist()
BATCH = 16


def order_of(seed: int, by_length: bool, epoch: int = 0) -> list[int]:
    order = RowOrder(LENGTHS, BATCH, seed, by_length)
    order.set_epoch(epoch)
    return list(order)


def tokens_computed(order: list[int]) -> int:
    """Return the tokens of all batches, each padded to its longest row."""
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    return sum(len(batch) * max(LENGTHS[row] for row in batch) for batch in batches)


@pytest.mark.parametrize("by_length", [False, True])
def test_every_row_comes_once_an_epoch_in_an_order_of_seed_and_epoch(by_length: bool) -> None:
    orders = [order_of(seed, by_length, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(len(LENGTHS))) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert order_of(0, by_length, 1) == orders[1]


def test_rows_of_like_length_are_hardly_padded() -> None:
    """A batch spans an eighth of the 56 lengths, and pads by half of that on average: 3.5 tokens on 32, a ninth."""
    assert tokens_computed(order_of(0, by_length=True)) < (1 + 1 / 8) * sum(LENGTHS)
    assert tokens_computed(order_of(0, by_length=False)) > 1.5 * sum(LENGTHS)


def test_batches_of_like_length_come_in_no_order_of_length() -> None:
    """Else models would see short rows first and long ones last."""
    order = order_of(0, by_length=True)
    means = [np.mean([LENGTHS[row] for row in order[start : start + BATCH]]) for start in range(0, 992, BATCH)]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


def test_a_row_is_batched_with_other_rows_in_another_epoch() -> None:
    neighbours = []
    for epoch in (0, 1):
        order = order_of(0, by_length=True, epoch=epoch)
        start = order.index(7) // BATCH * BATCH
        neighbours.append(set(order[start : start + BATCH]))
    assert len(neighbours[0] & neighbours[1]) < BATCH // 2
