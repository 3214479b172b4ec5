"""The order in which a training goes through its rows, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch.utils.data import Sampler

from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

POOL_BATCHES = 8
"""Batches that are filled together, each with rows of like length."""


class RowOrder(Sampler[int]):
    """A new order of rows for every epoch, which depends on the seed and the epoch alone.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each row.
    batch_size : int
        Rows that are padded together.
    by_length : bool
        Whether rows of like length go together, so that little is padded: rows are drawn at random into pools of
        ``POOL_BATCHES`` batches, sorted by length in each, and the batches are put in random order; one that is not
        full comes last.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, by_length: bool) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.by_length = by_length
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.lengths)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; the Trainer calls it at the start of each, also when it resumes after a stop."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        draws = generator(self.seed, "order of rows", self.epoch)
        order = draws.permutation(len(self.lengths))
        if self.by_length:
            size = self.batch_size * POOL_BATCHES
            pools = (order[start : start + size] for start in range(0, len(order), size))
            order = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
            n_full = len(order) // self.batch_size
            full, rest = np.split(order, [n_full * self.batch_size])
            order = np.concatenate([draws.permutation(full.reshape(n_full, self.batch_size)).ravel(), rest])
        yield from order.tolist()
