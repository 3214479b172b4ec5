"""Representations: the hidden layers of a trained model on the test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from resi.domains.arithmetic import plain_networks
from resi.domains.weights import check_fit
from resi.extraction.layers import LayerRecorder
from resi.machine.devices import torch_threads
from resi.specs import Extraction
from resi_tabular.inputs import load_table, test_rows
from resi_tabular.networks import find_network
from resi_tabular.settings import NEXT_INPUT, TEST_ROWS_SCRAMBLED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.specs import ForwardPass


def extract(run: ForwardPass) -> Iterator[Extraction]:
    """Run a model once over the test rows in evaluation mode; they are few, so that all comes in one piece."""
    with plain_networks(run.device), torch_threads(1):
        found = _extract(run)
    yield found


@torch.no_grad()
def _extract(run: ForwardPass) -> Extraction:
    spec, probe, table = run.model, run.probe, load_table(run.dataset)
    rows = test_rows(table, spec.setting, scrambled=probe.probe == TEST_ROWS_SCRAMBLED).to(run.device)
    family = find_network(spec.architecture)
    with torch.random.fork_rng(devices=[]):  # weights that are drawn only to be replaced
        model = family.build(spec.hyperparameters, rows.features.shape[1], table.classes)
    check_fit(model.state_dict(), run.state, spec.label)
    model.load_state_dict(dict(run.state))
    model.to(run.device).eval()
    points = family.layers(spec.hyperparameters, NEXT_INPUT if probe.pooling == "none" else probe.pooling)
    with LayerRecorder(model, {layer: points[layer] for layer in probe.layers}) as recorder:
        logits = model(rows.features)
    return Extraction(
        representations={layer: recorder.latest[layer] for layer in probe.layers},
        logits=logits,
        accuracy=float((logits.argmax(1) == rows.labels).double().mean()),
        samples=[f"{run.dataset.content} {row}" for row in rows.ids],
    )
