"""What a process has one of: global generators and flags, which neither a training nor a measure may change."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch
else:
    from resi.lazy import torch


GENERATORS = ("the generator of torch", "the generator of numpy", "the generator of Python")


def process_state() -> Mapping[str, Any]:
    """Return the global generators and flags, by name."""
    cudnn = torch.backends.cudnn
    return {
        **dict(zip(GENERATORS, _generators(), strict=True)),
        "the default type of torch": torch.get_default_dtype(),
        "the number of threads": torch.get_num_threads(),
        "torch's deterministic algorithms": torch.get_deterministic_debug_mode(),
        "torch's precision of products": torch.get_float32_matmul_precision(),
        "whether torch records gradients": torch.is_grad_enabled(),
        "the flags of cuDNN": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        "numpy's treatment of errors": np.geterr(),
    }


def _generators() -> tuple[object, ...]:
    return torch.get_rng_state().numpy().tobytes(), repr(np.random.get_state()), random.getstate()


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of what is not as it was."""
    return [name for name in before if before[name] != after[name]]


@contextlib.contextmanager
def generators_put_back() -> Iterator[None]:
    """Restore the global generators."""
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])


def draw_from_generators() -> None:
    """Leave the global generators in another state."""
    torch.manual_seed(1 + torch.initial_seed() % 1000)  # some code asks for the seed alone
    np.random.random()
    random.random()  # noqa: S311 - drawn to be thrown away
