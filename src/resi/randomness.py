"""Random draws keyed by (seed, purpose, item), so that nothing depends on order, caching or how jobs are split."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import torch
else:
    from resi.lazy import numpy as np
    from resi.lazy import torch


def key_to_int(seed: int, purpose: str, *items: object) -> int:
    """Return a 128-bit number for a key."""
    digest = hashlib.sha256(repr((int(seed), purpose, *items)).encode()).digest()
    return int.from_bytes(digest[:16], "little")


def generator(seed: int, purpose: str, *items: object) -> np.random.Generator:
    """Return the numpy generator of a key."""
    return np.random.default_rng(key_to_int(seed, purpose, *items))


def torch_generator(device: torch.device, seed: int, purpose: str, *items: object) -> torch.Generator:
    """Return the torch generator of a key on a device."""
    return torch.Generator(device).manual_seed(key_to_int(seed, purpose, *items) % 2**63)


@contextlib.contextmanager
def forked_torch(device: torch.device, seed: int, purpose: str, *items: object) -> Iterator[None]:
    """Key torch's own generators for a while, and restore their state afterwards.

    Layers such as dropout draw from them and do not accept a generator.
    """
    devices = [torch.device("cuda", device.index or 0)] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        key = seed_torch(seed, purpose, *items)
        for cuda in devices:
            torch.cuda.default_generators[cuda.index].manual_seed(key)
        yield


def seed_torch(seed: int, purpose: str, *items: object) -> int:
    """Key torch's own generator on the CPU, whose state the caller restores; return the number it is keyed by."""
    # Not torch.manual_seed, which would seed the generators of all devices.
    key = key_to_int(seed, purpose, *items) % 2**63
    torch.default_generator.manual_seed(key)
    return key
