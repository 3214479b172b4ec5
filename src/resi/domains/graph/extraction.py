"""Representations of graph models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from resi.domains.base import DatasetSpec, Extraction, ModelSpec, ProbeSpec
from resi.domains.graph.architectures import build_model, run_model
from resi.domains.graph.data import load_graph
from resi.domains.graph.propagation import Edges
from resi.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn


@torch.no_grad()
def extract(
    spec: ModelSpec, state: Mapping[str, Tensor], dataset: DatasetSpec, probe: ProbeSpec, device: torch.device
) -> Extraction:
    """Run a model once over the whole graph in evaluation mode.

    Layer ``i`` is the raw output of convolution ``i``, before batch norm, activation and dropout; rows are the test
    nodes in the order of their ids.
    """
    graph = load_graph(dataset).to(device)
    model = build_model(spec.architecture, spec.hyperparameters, graph.features.shape[1], graph.classes)
    try:
        model.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        raise ArtifactError(f"the weights of {spec.label} do not fit its architecture: {error}") from error
    model.to(device).eval()

    outputs: dict[str, Tensor] = {}
    for layer in probe.layers:
        model.convs[int(layer)].register_forward_hook(_keep_rows(outputs, layer, graph.test))
    with graph.suitable_threads():
        logits = run_model(model, graph.features, Edges(graph.edges, len(graph.labels)).keep(None))[graph.test]
    accuracy = float((logits.argmax(1) == graph.labels[graph.test]).double().mean())
    samples = [f"{dataset.content} {node}" for node in graph.test.tolist()]
    return Extraction({layer: outputs[layer] for layer in probe.layers}, logits, accuracy, samples)


def _keep_rows(outputs: dict[str, Tensor], layer: str, rows: Tensor) -> Callable[[nn.Module, object, Tensor], None]:
    def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        outputs[layer] = output[rows]

    return hook
