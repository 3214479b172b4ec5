"""Published checkpoints: dictionaries of weights as PyG of several versions saved them, read into today's layout."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import torch

from resi.domains.graph.training import measure_accuracies
from resi.errors import ArtifactError
from resi.specs import DatasetSpec, ModelSpec, Trained
from resi.store.checkpoints import read_weights

if TYPE_CHECKING:
    from torch import Tensor


def read_checkpoint(content: bytes, spec: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
    """Read the content of a checkpoint, and measure its accuracies.

    Raises
    ------
    ArtifactError
        If it is no dictionary of weights, or one that does not fit the architecture.
    """
    state = to_current_keys(read_weights(io.BytesIO(content)))
    return Trained(state, measure_accuracies(spec, state, dataset, device))


def to_current_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights under the names that the models here have.

    - GAT before PyG 2.5 has its linear map as ``lin_src``, and once more as ``lin_dst``; since then it is ``lin``.
    - The published P-GNN has its first layer twice, as ``init_conv`` and as ``convs.0``.

    Raises
    ------
    ArtifactError
        If two names that mean one tensor hold different ones.
    """
    result: dict[str, Tensor] = {}
    for name, tensor in state.items():
        current = name.replace(".lin_src.", ".lin.").replace(".lin_dst.", ".lin.")
        if current.startswith("init_conv."):
            current = current.replace("init_conv.", "convs.0.", 1)
        if current in result and not torch.equal(result[current], tensor):
            raise ArtifactError(f"holds different weights under two names of {current}")
        result[current] = tensor
    return result
