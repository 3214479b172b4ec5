"""Random draws that depend on what they are for, and on nothing else.

There is no global state: the same key gives the same numbers whatever was drawn before, in whichever process.
"""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, purpose: str, *items: object) -> np.random.Generator:
    """Return the generator of the key ``(seed, purpose, *items)``; the items must have a stable ``repr``."""
    digest = hashlib.sha256(repr((seed, purpose, *items)).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(int.from_bytes(digest, "little")))
