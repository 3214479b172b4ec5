"""Representations of graph models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from resi.domains.arithmetic import plain_networks
from resi.domains.graph.alterations import shortcut_probe
from resi.domains.graph.building import trained_model
from resi.domains.graph.loading import load_graph
from resi.domains.graph.lookup import graph_network
from resi.domains.graph.propagation import Edges
from resi.domains.graph.settings import OWN_SHORTCUT_PROBE, POST_ACTIVATION, shortcut
from resi.errors import ArtifactError
from resi.extraction.layers import LayerRecorder
from resi.specs import Extraction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.specs import ForwardPass


def extract(run: ForwardPass) -> Iterator[Extraction]:
    """Run a model once over the whole graph in evaluation mode; all comes in one piece.

    Layer ``i`` is the raw output of convolution ``i``, before batch norm, activation and dropout, or with the pooling
    ``post_activation`` what the next convolution sees. Rows are the probe nodes in the order of the dataset.
    """
    with plain_networks(run.device):
        found = _extract(run)
    yield found


@torch.no_grad()
def _extract(run: ForwardPass) -> Extraction:
    spec, probe = run.model, run.probe
    network, graph = graph_network(spec.architecture), load_graph(run.dataset)
    if shortcut(spec.setting) is not None:
        graph = shortcut_probe(graph, spec, own=probe.probe == OWN_SHORTCUT_PROBE)
    with graph.suitable_threads():
        try:
            model = trained_model(spec, graph, run.state)
        except ArtifactError as error:
            raise ArtifactError(f"the weights of {spec.label} {error}") from error
        graph = graph.to(run.device)
        model.to(run.device).eval()
        points = network.layers(spec.hyperparameters)
        # Indexing by the nodes copies their rows, so that no layer stays in memory for all nodes.
        recorder = LayerRecorder(model, {layer: points[layer] for layer in probe.layers}, lambda x: x[graph.probe])
        with recorder:
            logits = network.run(model, graph.features, Edges(graph.edges, len(graph.labels)).keep(None))[graph.probe]
        outputs = recorder.latest
        if probe.pooling == POST_ACTIVATION:
            outputs = {layer: network.next_input(model, layer, output) for layer, output in outputs.items()}
    accuracy = float((logits.argmax(1) == graph.labels[graph.probe]).double().mean())
    samples = [f"{run.dataset.content} {node}" for node in graph.probe.tolist()]
    return Extraction({layer: outputs[layer] for layer in probe.layers}, logits, accuracy, samples)
