"""Synthetic data in the formats that domains read: a plugin's datasets, graphs, and folders of pre-trained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import resi
from resi.domains.graph.data import Graph
from resi.domains.language import PromptStyle, TextDataset
from resi.domains.vision import ImageDataset, Statistics
from resi.domains.vision.images import Images, InMemory, Split
from resi.registry import names
from resi.registry.discovery import PluginInfo, load_plugins
from resi.specs import DatasetSpec

if TYPE_CHECKING:
    from pathlib import Path

    from resi.domains.language.lookup import TextNetwork
    from resi.specs import DatasetInfo

CLASSES = 100
ANSWERS = ("positive", "negative")
WORDS = [f"{first}{second}" for first in "bdfgklmnprst" for second in ("a", "eno", "ima", "ol", "ure", "y")]


def register(images: ImageDataset, texts: TextDataset) -> None:
    """Let resi know datasets as those of a plugin."""

    class Plugin:
        @staticmethod
        @resi.hookimpl
        def resi_datasets() -> tuple[DatasetInfo, ...]:
            return images, texts

    plugins = load_plugins()
    info = PluginInfo("noise", "noise", "1")
    plugins.manager.register(Plugin, name=info.key)
    plugins.add(info)
    names._of_domains.cache_clear()
    names.usable_domains.cache_clear()


def image_dataset(side: int, train: int, test: int, **hyperparameters: Any) -> ImageDataset:
    """Return a dataset of noise, each class with its own shade."""

    def locate(_root: Path | None, _downloads: Path, _may_download: bool) -> DatasetSpec:
        return DatasetSpec("noise", None, f"noise of {side} pixels")

    def load(_dataset: DatasetSpec) -> Images:
        parts = (
            noisy_images(name, count, side) for name, count in (("train", train), ("validation", 32), ("test", test))
        )
        return Images(*parts, classes=CLASSES, side=side, dot_diameter=3)

    return ImageDataset(
        "noise", "noise", "drawn", embedded=True, image_size=side, classes=CLASSES, test_images=test,
        statistics=Statistics("noise", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)), dot_diameter=3, locate=locate, load=load,
        hyperparameters=hyperparameters,
    )  # fmt: skip


def noisy_images(name: str, count: int, side: int) -> Split:
    """Return images of noise with labels."""
    draws = np.random.default_rng(len(name))
    labels = np.arange(count, dtype=np.int64) % CLASSES
    pixels = draws.integers(0, 156, (count, side, side, 3), dtype=np.uint8) + labels[:, None, None, None].astype(
        np.uint8
    )
    return Split([f"{name} {number}" for number in range(count)], labels, InMemory(pixels))


def text_dataset(folder: Path, train: int, test: int) -> TextDataset:
    """Write sentences of random words, and return their dataset."""
    draws = np.random.default_rng(0)
    for name, count in (("train", train), ("validation", test)):
        lines = [f"{' '.join(draws.choice(WORDS, draws.integers(4, 40)))}\t{row % 2}" for row in range(count)]
        (folder / f"{name}.tsv").write_text("sentence\tlabel\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return TextDataset(
        "noise_texts", "sentences of random words", "drawn", columns=("sentence",), classes=ANSWERS,
        splits={"train": ("train",), "validation": ("validation",)}, probe_split="validation", probe_size=test,
        shortcut_rates={0: 0.5, 25: 0.6, 50: 0.75, 75: 0.9, 100: 1.0},
        prompt=PromptStyle("You judge: is it positive or negative.", ("Sentence",), ANSWERS, "BACDEFG"),
        folder=folder, fine_tuning={"epochs": 1, "batch_size": 32, "max_length": 64},
    )  # fmt: skip


def pretrained(family: TextNetwork, name: str, folder: Path, device: torch.device) -> None:
    """Write random weights of full size, in half precision, and a tokenizer, as a repository on the hub holds them."""
    corpus = [" ".join(WORDS), *(f" {answer}" for answer in ANSWERS), *[" positive negative"] * 50]
    tokenizer = family.train_tokenizer(corpus, 2000)
    architecture = family.architecture(name)
    config = family.config(name, architecture.vocabulary, len(ANSWERS))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.device(device):
        network = family.build(config)
    network.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))


def graph(n_nodes: int, n_pairs: int, n_features: int, n_classes: int, within: float = 0.7) -> Graph:
    """Return a graph most of whose edges are within classes, with features that say little about them by themselves."""
    draws = torch.Generator().manual_seed(0)
    labels = torch.randint(0, n_classes, (n_nodes,), generator=draws)
    source = torch.randint(0, n_nodes, (n_pairs,), generator=draws)
    by_class = [(labels == label).nonzero().squeeze(1) for label in range(n_classes)]
    target = torch.randint(0, n_nodes, (n_pairs,), generator=draws)
    inside = torch.rand(n_pairs, generator=draws) < within
    for label, members in enumerate(by_class):
        chosen = inside & (labels[source] == label)
        picked = torch.randint(0, len(members), (int(chosen.sum()),), generator=draws)
        target[chosen] = members[picked]
    pairs = torch.stack([source, target])
    centres = torch.randn(n_classes, n_features, generator=draws)
    features = 2 / n_features**0.5 * centres[labels] + torch.randn(n_nodes, n_features, generator=draws)
    nodes = torch.randperm(n_nodes, generator=draws)
    cut = n_nodes // 2
    return Graph(
        features=features, edges=torch.cat([pairs, pairs.flip(0)], dim=1), labels=labels, train=nodes[:cut],
        validation=nodes[cut : cut + cut // 2], test=nodes[cut + cut // 2 :], probe=nodes[cut + cut // 2 :],
        classes=n_classes,
    )  # fmt: skip
