"""A dataset and a network from outside are used like those that come with resi."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import resi
from resi import registry
from resi.config.register import own_store
from resi.domains.vision import ImageArchitecture, ImageDataset, ImageNetwork, Statistics, VisionDomain
from resi.domains.vision.images import Images, InMemory, Split
from resi.domains.vision.networks.base import common_recipe
from resi.errors import UsageError
from resi.extraction.layers import HookPoint
from resi.registry import names
from resi.registry.discovery import PluginInfo, load_plugins
from resi.specs import DatasetSpec, ModelSpec

SIDE = 14


def locate(_root: Path | None, _downloads: Path, _may_download: bool) -> DatasetSpec:
    return DatasetSpec("bars", None, "bars, first version")


def load(_dataset: DatasetSpec) -> Images:
    """Draw bars that lie or stand."""

    def split(name: str, count: int) -> Split:
        draws = np.random.default_rng(len(name))
        pixels = draws.integers(0, 40, (count, SIDE, SIDE, 3), dtype=np.uint8)
        for number, image in enumerate(pixels):
            (image if number % 2 else image.transpose(1, 0, 2))[draws.integers(SIDE)] = 90
        return Split([f"{name} {i}" for i in range(count)], np.arange(count, dtype=np.int64) % 2, InMemory(pixels))

    return Images(split("train", 80), split("validation", 20), split("test", 30), classes=2, side=SIDE, dot_diameter=3)


BARS = ImageDataset(
    "bars",
    "bars that lie or stand",
    "drawn",
    embedded=True,
    image_size=SIDE,
    classes=2,
    test_images=30,
    statistics=Statistics("bars", (0.1, 0.1, 0.1), (0.1, 0.1, 0.1)),
    dot_diameter=3,
    locate=locate,
    load=load,
    hyperparameters={"resnet34": {"epochs": 5}, "resnet101": {"epoch": 5}, "perceptron": {"learning_rate": 0.01}},
)


class Perceptron(ImageNetwork):
    """Two linear layers."""

    architectures = (ImageArchitecture("perceptron", "two linear layers", "", "this file", last_layers=2),)

    def recipe(self, architecture: str, dataset: ImageDataset) -> dict[str, Any]:
        return common_recipe(epochs=1, batch_size=16, normalization=dataset.statistics.name)

    def build(self, architecture: str, hyperparameters: Any, classes: int) -> Any:
        from torch import nn

        pixels = 3 * hyperparameters["image_size"] ** 2
        return nn.Sequential(nn.Flatten(), nn.Linear(pixels, 12), nn.ReLU(), nn.Linear(12, classes))

    def layers(self, architecture: str) -> dict[str, HookPoint]:
        return {"0": HookPoint("1"), "1": HookPoint("3", at_input=True)}


class Plugin:
    """A module of a plugin's, by its hooks."""

    @staticmethod
    @resi.hookimpl
    def resi_datasets() -> tuple[ImageDataset, ...]:
        return (BARS,)

    @staticmethod
    @resi.hookimpl
    def resi_networks() -> tuple[ImageNetwork, ...]:
        return (Perceptron(),)


@pytest.fixture
def plugin() -> Iterator[None]:
    """Load the plugin, and forget it afterwards."""
    plugins = load_plugins()
    info = PluginInfo("outside", "outside", "1")
    forget()
    plugins.manager.register(Plugin, name=info.key)
    plugins.add(info)
    try:
        yield
    finally:
        plugins.manager.unregister(Plugin)
        del plugins._records[info.key]
        forget()


def forget() -> None:
    """Let what exists be looked up once more."""
    for cached in (names._of_domains, names.usable_domains, own_store):
        cached.cache_clear()


def test_a_whole_test_runs_on_them(plugin: None, tmp_path: Path) -> None:
    result = resi.run([
        "domain=vision", "dataset=bars", "model=[perceptron,tiny_vgg]", "model.tiny_vgg.epochs=1", "test=shortcut",
        "groups=2", "seeds=[0,1]", "measure=cka", "compare.threads=1", f"root={tmp_path}",
    ])  # fmt: skip
    assert set(result.comparisons["status"]) == {"ok"}
    assert set(result.comparisons["architecture"]) == {"perceptron", "tiny_vgg"}
    assert "auprc" in set(result.scores["metric"])


def test_models_of_two_datasets_are_told_apart_on_one(plugin: None, tmp_path: Path) -> None:
    result = resi.run([
        "domain=vision", "model=perceptron", "by=dataset", "trained_on=[bars,digits]", "dataset=bars", "seeds=[0,1]",
        "measure=cka", "compare.threads=1", "workers=1", f"root={tmp_path}",
    ])  # fmt: skip
    assert set(result.comparisons["status"]) == {"ok"}
    assert set(result.comparisons["dataset"]) == {"bars", "digits@bars", "bars+digits@bars"}
    assert set(result.scores["settings"]) == {"bars, digits"}
    model, probe = next(found for found in result.plan.models if found[0].dataset == "digits")
    state = result.plan.model_store.load(model)
    # The bars at the size and with the statistics of the digits.
    bars = load(locate(None, tmp_path, False)).test.source
    resized = [np.asarray(bars[row].resize((12, 12), Image.Resampling.BILINEAR)) for row in range(30)]
    inputs = (np.stack(resized).transpose(0, 3, 1, 2) / 255 - 0.0482) / 0.0508
    expected = inputs.reshape(30, -1) @ state["1.weight"].numpy().T + state["1.bias"].numpy()
    found = result.plan.representations.open(model, probe, "1").load()
    assert np.abs(found.numpy() - expected.clip(0)).max() < 1e-4


def test_they_are_listed_and_planned_with(plugin: None) -> None:
    domain = VisionDomain()
    assert "bars" in {item.name for item in domain.datasets()}
    assert "perceptron" in {item.name for item in domain.architectures()}
    values = domain.hyperparameters("perceptron", "bars", "standard", {"epochs": 3})
    assert (values["epochs"], values["normalization"], values["image_size"]) == (3, "bars", SIDE)
    assert domain.probe("perceptron", "bars", values, "layer_monotonicity").layers == ("0", "1")
    # The shape of a layer need not be known before a network has run.
    assert domain.representation_size("perceptron", "bars", values) is None
    assert domain.layer_size("tiny_vgg", "bars", values, "4") == (30, 64)
    assert values["learning_rate"] == 0.01
    # resi's networks have the benchmark's common recipe on it, unless it brings other values.
    assert domain.hyperparameters("resnet18", "bars", "standard", {})["epochs"] == 200
    assert domain.hyperparameters("resnet34", "bars", "standard", {})["epochs"] == 5
    assert domain.hyperparameters("resnet34", "bars", "standard", {"epochs": 4})["epochs"] == 4
    with pytest.raises(UsageError, match="dataset=bars sets the hyperparameter epoch of resnet101, which has none"):
        domain.hyperparameters("resnet101", "bars", "standard", {})
    with pytest.raises(UsageError, match="vgg11 halves images five times, bars have 14 pixels; choose tiny_vgg"):
        domain.hyperparameters("vgg11", "bars", "standard", {})
    with pytest.raises(UsageError, match="tiny_vgg is for dataset=digits, bars; on cifar100 choose from resnet18"):
        domain.hyperparameters("tiny_vgg", "cifar100", "standard", {})
    with pytest.raises(UsageError, match="no perceptron on dataset=bars is published, but resnet18"):
        domain.checkpoint(Path("zoo"), ModelSpec("vision", "bars", "content", "perceptron", "standard", 0, values, 1))


def test_afterwards_they_are_gone() -> None:
    assert "bars" not in registry.datasets("vision")
    assert "perceptron" not in registry.networks("vision")
