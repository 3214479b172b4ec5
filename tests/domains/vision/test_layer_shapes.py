"""Shapes of layers as planning knows them are those that a network computes."""

from __future__ import annotations

import pytest
import torch

from resi.domains.vision.architectures import build_model
from resi.domains.vision.designs import DESIGNS, layer_names
from resi.domains.vision.hyperparameters import hyperparameters
from resi.domains.vision.taps import Recorder

SIZES = [
    ("tiny_resnet", "digits"),
    ("tiny_vgg", "digits"),
    ("tiny_vit", "digits"),
    ("resnet18", "cifar100"),
    ("resnet101", "imagenet100"),
    ("vgg11", "cifar100"),
    ("vgg11", "imagenet100"),
]


@pytest.mark.parametrize(("architecture", "dataset"), SIZES)
def test_a_network_computes_the_shapes_that_are_planned_with(architecture: str, dataset: str) -> None:
    values = hyperparameters(architecture, dataset, {})
    size = values["image_size"]
    model = build_model(architecture, values, 10).eval().to("meta")
    with torch.device("meta"):
        recorder = Recorder(architecture, model, layer_names(architecture))
        with torch.no_grad():
            model(torch.zeros(1, 3, size, size))
    computed = {layer: tuple(found.shape[1:]) for layer, found in recorder.latest.items()}
    planned = {layer: DESIGNS[architecture].layer_shape(int(layer), values) for layer in layer_names(architecture)}
    assert computed == planned
