"""Training: a fixed number of epochs of AdamW, the last weights kept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from resi.domains.arithmetic import plain_networks
from resi.errors import TrainingError
from resi.machine.devices import torch_threads
from resi.randomness import forked_torch, generator
from resi.specs import Trained
from resi_tabular.inputs import augmented, load_table, test_rows, training_rows
from resi_tabular.networks import find_network
from resi_tabular.settings import AUGMENTATION, SHORTCUT

if TYPE_CHECKING:
    from torch import Tensor, nn

    from resi.specs import DatasetSpec, ModelSpec
    from resi_tabular.inputs import Rows
    from resi_tabular.table import Table


def train(spec: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
    """Train one model; its seed draws weights, dropout, augmentation and the order of rows.

    Raises
    ------
    TrainingError
        If the loss becomes NaN or infinite.
    """
    table = load_table(dataset)
    # Layers are too small for several threads to be worth it.
    with plain_networks(device), torch_threads(1), forked_torch(device, spec.seed, "tabular training"):
        rows = training_rows(table, spec.setting).to(device)
        family = find_network(spec.architecture)
        model = family.build(spec.hyperparameters, rows.features.shape[1], table.classes).to(device)
        _fit(model, rows, spec)
        state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        return Trained(state, accuracies(model, table, rows, spec))


def _fit(model: nn.Module, rows: Rows, spec: ModelSpec) -> None:
    values, strength = spec.hyperparameters, AUGMENTATION.get(spec.setting)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=values["learning_rate"], weight_decay=values["weight_decay"], fused=True
    )
    model.train()
    for epoch in range(values["epochs"]):
        features = rows.features if strength is None else augmented(rows.features, strength, spec.seed, epoch)
        draws = generator(spec.seed, "tabular order", epoch).permutation(len(features))
        order = torch.from_numpy(draws).to(features.device)
        for batch in torch.split(order, values["batch_size"]):
            loss = cross_entropy(model(features[batch]), rows.labels[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if not math.isfinite(last := loss.item()):
            raise TrainingError(f"training {spec.label} failed in epoch {epoch + 1}: its loss is {last}")


@torch.no_grad()
def accuracies(model: nn.Module, table: Table, rows: Rows, spec: ModelSpec) -> dict[str, float]:
    """Return the accuracies of a trained model.

    ``train`` is by the labels that it was given, ``test`` by the true ones. Where rows have a shortcut, it is as
    reliable in both; ``test_scrambled`` is the accuracy where it names random classes, and ``test_followed`` the share
    of these rows that the model takes for the class that is named.
    """
    model.eval()
    device = rows.labels.device
    test = test_rows(table, spec.setting).to(device)
    found = {"train": _share(model, rows, rows.labels), "test": _share(model, test, test.labels)}
    if spec.setting in SHORTCUT:
        scrambled = test_rows(table, spec.setting, scrambled=True).to(device)
        found["test_scrambled"] = _share(model, scrambled, scrambled.labels)
        found["test_followed"] = _share(model, scrambled, scrambled.named)
    return found


def _share(model: nn.Module, rows: Rows, expected: Tensor) -> float:
    return float((model(rows.features).argmax(1) == expected).double().mean())
