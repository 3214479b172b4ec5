"""Published checkpoints: dictionaries of weights saved by several versions of PyG, converted to the current layout."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from resi.domains.graph.lookup import graph_network
from resi.domains.graph.training import measure_accuracies
from resi.specs import Trained
from resi.store.checkpoints import read_weights, same_tensors

if TYPE_CHECKING:
    import torch

    from resi.specs import DatasetSpec, ModelSpec


def read_checkpoint(content: bytes, spec: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
    """Read the content of a checkpoint, and measure its accuracies.

    Raises
    ------
    ArtifactError
        If it is not a dictionary of weights, or does not fit the architecture.
    """
    found = read_weights(io.BytesIO(content))
    state = graph_network(spec.architecture).from_published(found)
    return Trained(state, measure_accuracies(spec, state, dataset, device), sources=same_tensors(found, state))
