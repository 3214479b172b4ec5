"""What small trained networks, and large ones with made-up weights, compute; in the form in which it is frozen.

The last bits of these numbers depend on the processor and on the libraries, so that they are compared within
``TOLERANCE``. Other draws, data, layers or operations change the pattern of a layer by far more than that.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tests.domains.passes import extracted
from tests.unchanged.golden import digest
from tests.unchanged.subject import CPU, example, hyperparameters, network, own_domains, run_vision

TOLERANCE = 0.1
"""Gradients that are nothing but rounding make Adam take whole steps, so that short trainings need this much."""
SHORT = {
    "graph": {"epochs": 1, "learning_rate": 0.001},
    "vision": {"epochs": 1, "batch_size": 2000},
    "language": {"max_steps": 2},
}
"""One step or two: after more of them rounding would have grown."""
TRAINED = (
    "graph gcn layer_monotonicity conv_output",
    "graph gcn augmentation post_activation",
    "graph gcn label_randomization conv_output",
    "graph graphsage shortcut conv_output",
    "graph gat layer_monotonicity conv_output",
    "graph pgnn shortcut conv_output",
    "vision tiny_vgg augmentation default",
    "vision tiny_resnet label_randomization default",
    "vision tiny_vit shortcut default",
    "language bert_tiny augmentation mean",
    "language albert_tiny label_randomization cls",
    "language smollm2_tiny shortcut last",
)
"""Domain, architecture, test and representation; of the test's models the most altered one."""
PERIOD = 65_537
"""Of made-up weights; a prime, so that no two rows of a matrix are alike."""
FILLED = {"vgg11 cifar100": 32, "resnet18 imagenet100": 128, "resnet101 cifar100": 32}
"""Architectures of vision with the dataset, and the pixels of the images they are run on."""


def trained(case: str) -> dict[str, Any]:
    """Return what a model of a short training computes, by layer."""
    name, architecture, test, representation = case.split()
    domain, dataset, model = example(name, representation)
    setting = domain.settings(test, 2)[-1]
    values = domain.hyperparameters(architecture, dataset.name, setting, SHORT[name])
    model = replace(model, architecture=architecture, setting=setting, seed=3, hyperparameters=values)
    probe = domain.probe(architecture, dataset.name, values, test)
    probe = replace(probe, layers=domain.probe(architecture, dataset.name, values, "layer_monotonicity").layers)
    found = domain.train(model, dataset, CPU)
    taken = extracted(domain.extract, model, found.state, dataset, probe)
    return {
        "setting": model.setting,
        "accuracies": dict(found.accuracies),
        "accuracy on the probe set": taken.accuracy,
        "weights": {"names": digest(found.state), "all": summary(_together(found.state))},
        "samples": digest(taken.samples),
        "layout": taken.layout,
        "layers": {layer: summary(values) for layer, values in taken.representations.items()},
        "logits": summary(taken.logits),
    }


def filled(case: str) -> dict[str, Any]:
    """Return what the layers of a large network with made-up weights compute."""
    architecture, dataset = case.split()
    domain = own_domains()["vision"]
    values = hyperparameters(domain, architecture, dataset, "standard")
    assert values is not None
    model = network("vision", architecture, dataset, values)
    assert model is not None
    size = FILLED[case]
    images = _made_up("images", torch.Size((2, 3, size, size)))
    return {layer: summary(found) for layer, found in run_vision(architecture, fill(model), images).items()}


def summary(values: Tensor) -> dict[str, Any]:
    """Return the shape of a tensor, its size, and a pattern of some of its values and of all of them."""
    flat = values.detach().double().flatten()
    size = float(flat.square().mean().sqrt())
    steps = torch.arange(len(flat), dtype=torch.float64)
    whole = float((flat * torch.cos(1.7 * steps)).sum()) / math.sqrt(len(flat))
    some = flat[[0, len(flat) // 3, len(flat) // 2, -1]].tolist()
    pattern = [round(value / size, 4) if size else 0.0 for value in (*some, whole)]
    return {"shape": list(values.shape), "size": float(f"{size:.5g}"), "pattern": pattern}


def fill(model: nn.Module) -> nn.Module:
    """Give a network made-up weights, which depend on nothing but their names and shapes."""
    model = model.to_empty(device="cpu")
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            tensor.zero_()
        elif tensor.ndim > 1:
            tensor.copy_(_made_up(name, tensor.shape) * math.sqrt(3 * tensor.shape[0] / tensor.numel()))
        else:
            around = 1.0 if name.endswith(("weight", "var")) else 0.0
            tensor.copy_(_made_up(name, tensor.shape) / 4 + around)
    return model


def _made_up(name: str, shape: torch.Size) -> Tensor:
    """Return numbers from -1 to 1 that look random."""
    number, start = math.prod(shape), zlib.crc32(name.encode()) % PERIOD
    steps = torch.arange(PERIOD, dtype=torch.int64)
    numbers = (steps * steps * 7919 + steps * 104_729) % PERIOD / ((PERIOD - 1) / 2) - 1
    return numbers.float().repeat((start + number) // PERIOD + 1)[start : start + number].view(shape)


def _together(state: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([tensor.flatten().double() for tensor in state.values() if tensor.is_floating_point()])
