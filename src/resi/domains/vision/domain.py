"""The vision domain, as plain data; training and extraction import timm when they are called."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from resi.domains.base import Domain
from resi.domains.groups import split_setting
from resi.domains.vision import published
from resi.domains.vision.hyperparameters import VisionModelConfig, hyperparameters
from resi.domains.vision.lookup import image_architecture, image_dataset, image_network
from resi.domains.vision.settings import FURTHER, LEVELS, SEEDS, SETTINGS, TEST_IMAGES, TEST_IMAGES_WITH_DOTS
from resi.specs import ProbeSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import torch

    from resi.domains.published_models import PublishedModel
    from resi.domains.releases import Release
    from resi.specs import DatasetSpec, Extraction, ForwardPass, ModelSpec, Trained

TRAINING_VERSION = 1
SMALL_IMAGE = 32
"""In height and width."""


class VisionDomain(Domain):
    """Image classification."""

    name = "vision"
    title = "image classification with convolutional networks and vision transformers"
    extra = "vision"
    default_dataset = "digits"
    default_models = ("tiny_resnet", "tiny_vgg", "tiny_vit")
    model_config = VisionModelConfig
    settings_by_test = SETTINGS
    further_settings = FURTHER
    trained_levels = LEVELS
    seeds_by_test = SEEDS
    has_maps = True
    published_prefix = "VISION"
    published_results = published.RESULTS
    published_settings = "Normal|GaussNoise|Randomlabel|Shortcut"

    def requires(self) -> tuple[str, ...]:
        """Return timm and torchvision."""
        return ("timm", "torchvision")

    def own_names(self, trained_on: str, setting: str) -> tuple[str, str]:
        """Return a dataset and a setting that the published results call ``trained_on`` and ``setting``."""
        return published.own_names(trained_on, setting)

    def published_levels(self, test: str, dataset: str) -> dict[str, tuple[int, ...]]:
        """Return the levels with published models on a dataset."""
        return published.levels(test, dataset)

    def published_models(self) -> Iterable[PublishedModel]:
        """Return the published models with their published names and their names here."""
        from resi.domains.vision.published_models import published_models

        return published_models()

    def releases(self) -> dict[str, tuple[Release, ...]]:
        """Return the archives of the models on each dataset."""
        return published.releases()

    def hyperparameters(
        self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the benchmark's hyperparameters for the dataset, with those ``overrides`` that are set.

        The published protocol normalizes CIFAR-100 by the statistics of CIFAR-10, and tosses its coin for dots twice.
        """
        values = hyperparameters(architecture, dataset, overrides)
        about = image_dataset(dataset).published
        if self.protocol.is_published and about is not None:
            if about.statistics is not None and overrides.get("normalization") is None:
                values["normalization"] = about.statistics.name
            if about.coins > 1 and split_setting(setting)[0] == "shortcut":
                values["shortcut_coins"] = about.coins
        return values

    def probe(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], test: str) -> ProbeSpec:
        """Return the test images and the last layer before the output; for layer tests the last five or six.

        The published protocol takes the 13th of the 24 layers of ``vit_l32`` for its last.
        """
        family, about = image_network(architecture), image_architecture(architecture)
        layers = tuple(family.layers(architecture))
        if self.protocol.is_published:
            layers = layers[: about.published_layers]
        count = about.last_layers if test == "layer_monotonicity" else 1
        return ProbeSpec(TEST_IMAGES_WITH_DOTS if test == "shortcut" else TEST_IMAGES, layers[-count:])

    def check_foreign(self, architecture: str, trained_on: str, dataset: str, test: str) -> None:
        """Allow it: images of any dataset are resized for the network, and normalized like its training images."""

    def representation_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return the numbers of test images and of features before the classifier."""
        *_, last = image_network(architecture).layers(architecture)
        found = self.layer_size(architecture, dataset, hyperparameters, last)
        return None if found is None else (found[0], math.prod(found[1:]))

    def layer_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], layer: str
    ) -> tuple[int, ...] | None:
        """Return the number of test images and the shape of a layer's maps or vectors."""
        shape = image_network(architecture).layer_shape(architecture, layer, hyperparameters)
        return None if shape is None else (image_dataset(dataset).test_images, *shape)

    def weight_bytes(self, model: ModelSpec) -> int | None:
        """Return the bytes of a model's weights; of a published one those that are not read where they lie."""
        family = image_network(model.architecture)
        if model.checkpoint:
            return family.stored_bytes(model.architecture)
        return family.weight_bytes(model.architecture, model.hyperparameters, image_dataset(model.dataset).classes)

    def classes_of(self, model: ModelSpec) -> int | None:
        """Return the number of classes of the dataset."""
        return image_dataset(model.dataset).classes

    def repositories(self, model: ModelSpec) -> tuple[str, ...]:
        """Return the source of the initial weights of a training."""
        source = model.hyperparameters.get("pretrained", "none")
        return () if model.checkpoint or source == "none" else (str(source),)

    def locate(self, dataset: str, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find and check a dataset's files."""
        return image_dataset(dataset).locate(root, downloads / self.name, may_download)

    def cache_bytes(
        self, dataset: DatasetSpec, trained: Sequence[ModelSpec], run: Sequence[tuple[ModelSpec, ProbeSpec]]
    ) -> tuple[int, int] | None:
        """Return about how many bytes decoded images take, and how many of them are there."""
        from resi.domains.vision.cache import kept_bytes

        return kept_bytes(dataset, trained, run)

    def train(
        self, spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None = None
    ) -> Trained:
        """Train a model, resuming after the last saved epoch of an interrupted training."""
        from resi.domains.vision.training import train

        return train(spec, dataset, device, unfinished)

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        """Run a model over the test images, and yield what it computes batch by batch."""
        from resi.domains.vision.extraction import extract

        return extract(run)

    def is_small(self, model: ModelSpec) -> bool:
        """Return whether the network is for tiny images alone."""
        return image_architecture(model.architecture).largest_image <= SMALL_IMAGE

    def warm_up(self, dataset: DatasetSpec, architectures: Sequence[str]) -> None:
        """Import timm, and read images that are part of a package."""
        super().warm_up(dataset, architectures)
        from resi.domains.vision import extraction, training  # noqa: F401
        from resi.domains.vision.loading import load_images

        if dataset.folder is None:
            load_images(dataset)

    def published_paths(self, model: ModelSpec) -> tuple[str, ...]:
        """Return the folder of a published model."""
        return (f"{published.FOLDERS[0]}/{published.published_folder(model)}",)

    def checkpoint(self, root: Path, model: ModelSpec) -> Path:
        """Return the file of a published model: ``{setting}__{dataset}__{architecture}/groupid_{seed}/checkpoints``."""
        return published.find_checkpoint(root, model)

    def read_checkpoint(self, content: bytes, model: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
        """Return a published model from its file's content."""
        return published.read_checkpoint(content, model)

    def training_version(self) -> int:
        """Return the version number of the training code."""
        return TRAINING_VERSION
