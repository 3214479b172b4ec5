"""Layers of two real convolutional networks over real pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import resi
from tests.real.conftest import N_IMAGES, REAL, show
from tests.real.networks import efficientnet_lite

pytestmark = REAL
NAME = "python:tests.real.networks:efficientnet_lite"
BATCH = 40
LAYERS = ["conv_stem", *(f"blocks.{number}" for number in range(7)), "conv_head", "output"]
SHORT = ["stem", *(f"blocks.{number}" for number in range(7)), "head", "output"]
PALACE, DAISY = 698, 985
"""Classes of ImageNet that scikit-learn's photographs come close to, of a temple and of a dahlia."""


def extracted(images: Path, options: str) -> resi.Representations:
    return resi.extract(f"{NAME}?{options}", str(images), LAYERS, "mean", BATCH, "cpu")


@pytest.fixture(scope="module")
def real(images: Path) -> resi.Representations:
    return extracted(images, "size=0")


@pytest.fixture(scope="module")
def random(images: Path) -> resi.Representations:
    return extracted(images, "size=0&pretrained=false")


def test_the_network_sees_what_is_in_the_pictures() -> None:
    from PIL import Image
    from sklearn.datasets import load_sample_images

    pictures = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    found = [resi.extract(f"{NAME}?size={size}", pictures, "output", device="cpu")["output"] for size in (0, 1)]
    assert [int(logits[0].argmax()) for logits in found] == [PALACE, PALACE]
    assert int(found[0][1].argmax()) == DAISY


def test_layers_are_those_of_a_forward_pass_by_hand(images: Path, real: resi.Representations) -> None:
    from PIL import Image

    network, transform = efficientnet_lite()
    network.eval()
    paths = sorted(images.iterdir())
    assert list(real.samples) == [path.name for path in paths]
    assert len(paths) == N_IMAGES
    expected: dict[str, list[torch.Tensor]] = {layer: [] for layer in LAYERS}
    for start in range(0, N_IMAGES, BATCH):
        batch = torch.stack([transform(Image.open(path).convert("RGB")) for path in paths[start : start + BATCH]])
        with torch.no_grad():
            state = network.conv_stem(batch)
            found = [state]
            state = network.bn1(state)
            for block in network.blocks:
                state = block(state)
                found.append(state)
            state = network.conv_head(state)
            found.append(state)
            output = network.classifier(network.global_pool(network.bn2(state)))
        for layer, value in zip(LAYERS, [*(each.mean((2, 3)) for each in found), output], strict=True):
            expected[layer].append(value)
    for layer in LAYERS:
        assert torch.equal(real[layer], torch.cat(expected[layer])), layer


def test_layers_of_two_trained_networks_agree_more_than_with_a_random_one(
    images: Path, real: resi.Representations, random: resi.Representations
) -> None:
    other = extracted(images, "size=1")
    within = show("CKA of EfficientNet-Lite0's layers", resi.pairwise(real, diagonal=True), LAYERS, SHORT)
    across = show("CKA of Lite0 (rows) with Lite1 (columns)", resi.pairwise(real, other), LAYERS, SHORT)
    noise = show("CKA of Lite0 (rows) with a random Lite0 (columns)", resi.pairwise(real, random), LAYERS, SHORT)
    assert np.diagonal(within, 1).mean() > np.diagonal(within, 5).mean()
    # The first convolution is nearly linear in the pixels, whatever its weights are.
    assert (np.diag(across)[1:] > np.diag(noise)[1:] + 0.1).all()
    # Each layer is more like one nearby in the other network than like one far from it.
    assert np.abs(across.argmax(1) - np.arange(len(LAYERS))).mean() < 2
