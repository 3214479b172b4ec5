"""Random decisions for dropout, each by a number of 32 bits that is a function of a key and a position.

The function is Philox-4x32-10, a generator without state: nothing depends on the order in which numbers are drawn, and
they are integers, the same on every processor.

References
----------
.. [1] Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import torch

from resi.domains.graph.compiled.compiling import compiled

if TYPE_CHECKING:
    from torch import Tensor

ROUNDS = 10
BITS = 32
HALF = np.uint64(BITS)
LOW = np.uint64(2**BITS - 1)
FACTOR_A, FACTOR_B = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
STEP_A, STEP_B = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
NONE = np.uint64(0)


def draw_kept(count: int, probability: float, key: int) -> Tensor:
    """Return which of so many numbers are kept where each is dropped with a probability: ones and zeros of a byte.

    The probability is right to 2^-32, and the number of a position does not depend on how many there are.

    Parameters
    ----------
    key : int
        64 bits; other keys give independent decisions.
    """
    kept = torch.empty(count, dtype=torch.uint8)
    _decide(kept.numpy(), np.uint64(key), np.uint64(round((1 - probability) * 2**BITS)))
    return kept


@numba.njit(inline="always")
def numbers(counter: Any, key: Any) -> Any:
    """Return the four numbers of 32 bits of a counter and a key of 64 bits each."""
    a, b, c, d = counter & LOW, counter >> HALF, NONE, NONE
    key_a, key_b = key & LOW, key >> HALF
    for _ in range(ROUNDS):
        left, right = a * FACTOR_A, c * FACTOR_B
        a, b, c, d = (right >> HALF) ^ b ^ key_a, right & LOW, (left >> HALF) ^ d ^ key_b, left & LOW
        key_a, key_b = (key_a + STEP_A) & LOW, (key_b + STEP_B) & LOW
    return a, b, c, d


@compiled
def _decide(kept: Any, key: Any, threshold: Any) -> None:
    """Set each byte to whether its number lies below the threshold."""
    whole = len(kept) // 4
    for block in range(whole):
        a, b, c, d = numbers(np.uint64(block), key)
        kept[4 * block] = a < threshold
        kept[4 * block + 1] = b < threshold
        kept[4 * block + 2] = c < threshold
        kept[4 * block + 3] = d < threshold
    last = numbers(np.uint64(whole), key)
    for place in range(4 * whole, len(kept)):
        kept[place] = last[place - 4 * whole] < threshold
