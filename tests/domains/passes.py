"""A forward pass over a probe set, all of it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from resi.specs import ForwardPass
from resi.testing.pieces import join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from resi.specs import DatasetSpec, Extraction, ModelSpec, ProbeSpec

CPU = torch.device("cpu")
MEMORY = 10**9


def extracted(
    extract: Callable[[ForwardPass], Iterator[Extraction]],
    model: ModelSpec,
    state: Mapping[str, torch.Tensor],
    dataset: DatasetSpec,
    probe: ProbeSpec,
) -> Extraction:
    """Return what a domain extracts on the CPU."""
    return join(extract(ForwardPass(model, state, dataset, probe, CPU, MEMORY)))
