"""Shapes of layers as planning knows them are those that a network computes."""

from __future__ import annotations

import pytest
import torch

from resi.domains.vision.hyperparameters import hyperparameters
from resi.domains.vision.lookup import image_network
from resi.extraction.layers import LayerRecorder

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
    family = image_network(architecture)
    values = hyperparameters(architecture, dataset, {})
    size = values["image_size"]
    model = family.build(architecture, values, 10).eval().to("meta")
    with torch.device("meta"):
        recorder = LayerRecorder(model, family.layers(architecture), family.reduce)
        with torch.no_grad():
            model(torch.zeros(1, 3, size, size))
    computed = {layer: tuple(found.shape[1:]) for layer, found in recorder.latest.items()}
    planned = {layer: family.layer_shape(architecture, layer, values) for layer in family.layers(architecture)}
    assert computed == planned
