"""Graph models with stored weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from resi.domains.graph.lookup import graph_network
from resi.domains.graph.weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from resi.domains.graph.data import Graph
    from resi.specs import ModelSpec


def trained_model(spec: ModelSpec, graph: Graph, state: Mapping[str, Tensor]) -> nn.Module:
    """Return the model of a spec with given weights, on the CPU.

    Raises
    ------
    ArtifactError
        If the weights do not fit.
    """
    with torch.random.fork_rng(devices=[]):  # weights that are drawn only to be replaced
        model = graph_network(spec.architecture).build(spec, graph)
    load_weights(model, state)
    return model
