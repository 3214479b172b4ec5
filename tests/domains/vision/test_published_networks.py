"""Our networks compute what the published ones do: golden numbers for weights filled by a rule, no download needed."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from resi.domains.vision.lookup import image_network
from resi.domains.vision.networks.base import MAX_GRID
from resi.domains.vision.networks.resnet import ResNet
from resi.domains.vision.networks.vgg import VGG
from resi.domains.vision.networks.vit import VisionTransformer, from_transformers
from resi.domains.vision.weights import load_weights
from resi.errors import ArtifactError
from resi.extraction.layers import LayerRecorder

CNNS = {"ResNet18": "resnet18", "ResNet34": "resnet34", "ResNet101": "resnet101", "VGG11": "vgg11", "VGG19": "vgg19"}
FAMILIES = ("CIFAR100", "ImageNet100")


def filled(name: str, shape: list[int]) -> torch.Tensor:
    draws = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return torch.tensor(1)
    if name.endswith("running_var"):
        values = draws.uniform(0.5, 1.5, shape)
    elif name.endswith(("running_mean", "bias")):
        values = 0.1 * draws.standard_normal(shape)
    elif len(shape) == 1:
        values = draws.uniform(0.5, 1.5, shape)
    else:
        values = draws.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32))


@pytest.fixture(params=[(cnn, family) for family in FAMILIES for cnn in CNNS], ids="-".join)
def golden(request: pytest.FixtureRequest, data: Path):
    cnn, family = request.param
    return json.loads((data / "vision-networks" / f"{cnn}_{family}.json").read_text())


def hyperparameters(family: str) -> dict[str, object]:
    is_large = family == "ImageNet100"
    return {"early_downsampling": is_large, "head_pooling": "corner" if is_large else "global", "image_size": 224}


@torch.no_grad()
def test_every_layer_and_the_logits_are_the_published_ones(golden) -> None:
    architecture = CNNS[golden["architecture"]]
    family = image_network(architecture)
    model = family.build(architecture, hyperparameters(golden["dataset"]), 100)
    state = {name: filled(name, shape) for name, shape in golden["state_dict"].items()}
    load_weights(model, family.from_published(state), golden["architecture"])
    model.eval()
    whole: dict[str, torch.Tensor] = {}
    for layer, point in family.layers(architecture).items():
        keep_whole(whole, layer, model.get_submodule(point.module), point.at_input)
    recorder = LayerRecorder(model, family.layers(architecture), family.reduce)
    side = 224 if golden["dataset"] == "ImageNet100" else 32
    images = np.random.default_rng([7, side]).standard_normal((2, 3, side, side)).astype(np.float32)
    logits = model(torch.from_numpy(images))

    assert len(golden["layers"]) == len(whole) == len(family.layers(architecture))
    for expected in golden["layers"]:
        found = whole[str(expected["id"])].reshape(expected["shape"])
        agrees(found, expected)
        kept = recorder.latest[str(expected["id"])]
        assert list(kept.shape) == [*expected["shape"][:2], *(min(n, MAX_GRID) for n in expected["shape"][2:])]
        if max(expected["shape"][2:], default=1) <= MAX_GRID:
            assert torch.equal(kept, found)
    agrees(logits, golden["logits"])


def keep_whole(whole: dict[str, torch.Tensor], layer: str, module: torch.nn.Module, at_input: bool) -> None:
    if at_input:
        module.register_forward_pre_hook(lambda _m, inputs: whole.update({layer: inputs[0].clone()}))
    else:
        module.register_forward_hook(lambda _m, _i, output: whole.update({layer: output.clone()}))


def agrees(found: torch.Tensor, expected: dict) -> None:
    tolerance = 1e-4 * expected["std"]
    assert list(found.shape) == expected["shape"]
    assert float(found.double().mean()) == pytest.approx(expected["mean"], abs=tolerance)
    assert float(found.double().std(correction=0)) == pytest.approx(expected["std"], abs=tolerance)
    picked = found.flatten()[expected["index"]].tolist()
    assert picked == pytest.approx(expected["value"], abs=tolerance)


def test_a_checkpoint_under_another_wrapper_or_none_loads_all_the_same() -> None:
    model = ResNet().build("resnet18", hyperparameters("CIFAR100"), 100)
    names = {"net.conv0.weight": "conv1.weight", "layer2.2.bn1.bias": "layer2.1.bn1.bias", "net.linear.bias": "fc.bias"}
    found = ResNet().from_published({name: torch.zeros(1) for name in names})
    assert list(found) == list(names.values())
    assert set(found) <= set(model.state_dict())


def test_weights_that_do_not_fit_are_named() -> None:
    model = VGG().build("vgg11", {}, 100)
    state = dict(model.state_dict())
    state["features.0.weight"] = state["features.0.weight"][:5]
    state["extra"] = state.pop("head.fc.bias")
    with pytest.raises(
        ArtifactError,
        match=r"seed 3 do not fit .*head.fc.bias is missing; extra is not part of the model; features.0.weight has "
        r"shape \(5, 3, 3, 3\) instead of \(64, 3, 3, 3\)",
    ):
        load_weights(model, state, "seed 3")


@pytest.fixture(scope="module")
def plain_vit():
    """Return a small ViT of transformers with random weights."""
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=48, num_hidden_layers=4, num_attention_heads=4, intermediate_size=192, image_size=12, patch_size=4,
        num_labels=10, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    model = transformers.ViTForImageClassification(config).eval()
    for tensor in model.parameters():
        torch.nn.init.normal_(tensor, std=0.2, generator=generator)
    return model


# The names of transformers 4 by those of transformers 5.
OLDER = {
    "vit.layers.": "vit.encoder.layer.",
    ".attention.q_proj.": ".attention.attention.query.",
    ".attention.k_proj.": ".attention.attention.key.",
    ".attention.v_proj.": ".attention.attention.value.",
    ".attention.o_proj.": ".attention.output.dense.",
    ".mlp.fc1.": ".intermediate.dense.",
    ".mlp.fc2.": ".output.dense.",
}


def renamed(state: dict[str, torch.Tensor], names: dict[str, str]) -> dict[str, torch.Tensor]:
    found = {}
    for name, tensor in state.items():
        for new, old in names.items():
            name = name.replace(new, old)  # noqa: PLW2901
        found[name] = tensor
    return found


@pytest.mark.parametrize("style", ["newer", "older"])
@torch.no_grad()
def test_a_vit_of_transformers_loads_and_computes_the_same(plain_vit, style: str) -> None:
    newer = renamed(plain_vit.state_dict(), {old: new for new, old in OLDER.items()})
    state = newer if style == "newer" else renamed(newer, OLDER)
    assert any("encoder.layer" in name for name in state) == (style == "older")
    model = VisionTransformer().build("tiny_vit", {"image_size": 12}, 10)
    load_weights(model, VisionTransformer().from_published({f"model.{name}": t for name, t in state.items()}), style)
    model.eval()
    family = VisionTransformer()
    recorder = LayerRecorder(model, family.layers("tiny_vit"), family.reduce)
    images = torch.randn(3, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    logits = model(images)
    expected = plain_vit(images, output_hidden_states=True)
    for layer in range(4):
        tokens = expected.hidden_states[layer + 1][:, 0]
        torch.testing.assert_close(recorder.latest[str(layer)], tokens, rtol=1e-4, atol=1e-4)
    last = plain_vit.vit.layernorm(expected.hidden_states[4])[:, 0]
    torch.testing.assert_close(recorder.latest["4"], last, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(logits, expected.logits, rtol=1e-4, atol=1e-4)


def test_a_headless_vit_with_a_pooler_gives_all_but_the_head() -> None:
    state = {"embeddings.cls_token": 1, "pooler.dense.weight": 2, "layernorm.bias": 3}
    found = from_transformers({name: torch.tensor(value) for name, value in state.items()})
    assert {name: int(tensor) for name, tensor in found.items()} == {"cls_token": 1, "norm.bias": 3}


@pytest.mark.parametrize(
    ("architecture", "parameters"), [("vit_b32", 87_532_132), ("vit_l32", 305_612_900), ("resnet34", 21_328_292)]
)
def test_full_size_models_have_the_published_number_of_parameters(architecture: str, parameters: int) -> None:
    with torch.device("meta"):
        model = image_network(architecture).build(architecture, hyperparameters("CIFAR100"), 100)
    assert sum(tensor.numel() for tensor in model.parameters()) == parameters
