"""What the vision domain offers, as plain data; training and extraction load timm when they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.domains.base import Domain
from resi.domains.vision import files, published
from resi.domains.vision.designs import DESIGNS, layer_names
from resi.domains.vision.hyperparameters import VisionModelConfig, hyperparameters
from resi.domains.vision.settings import SEEDS, SETTINGS, TEST_IMAGES, TEST_IMAGES_WITH_DOTS
from resi.specs import (
    ArchitectureInfo,
    DatasetInfo,
    DatasetSpec,
    Extraction,
    ForwardPass,
    ModelSpec,
    ProbeSpec,
    Trained,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import torch

TRAINING_VERSION = 1
TEST_SIZES = {"cifar100": 10_000, "digits": 500, "imagenet100": 5000}
PUBLISHED_VIT_L32_LAYERS = 13

RESNET = "He et al., CVPR 2016"
VGG = "Simonyan & Zisserman, ICLR 2015"
VIT = "Dosovitskiy et al., ICLR 2021"
ARCHITECTURES = (
    ArchitectureInfo("resnet18", "18 layers, 3x3 stem, no max-pooling", "ResNet18", RESNET),
    ArchitectureInfo("resnet34", "34 layers, 3x3 stem, no max-pooling", "ResNet34", RESNET),
    ArchitectureInfo("resnet101", "101 layers, 3x3 stem, no max-pooling", "ResNet101", RESNET),
    ArchitectureInfo("vgg11", "11 layers, batch norm, one linear layer", "VGG11", VGG),
    ArchitectureInfo("vgg19", "19 layers, batch norm, one linear layer", "VGG19", VGG),
    ArchitectureInfo("vit_b32", "12 layers, patches of 32, pre-trained on ImageNet-21k", "ViT_B32", VIT),
    ArchitectureInfo("vit_l32", "24 layers, patches of 32, pre-trained on ImageNet-21k", "ViT_L32", VIT),
    ArchitectureInfo("tiny_resnet", "4 residual blocks, for digits", "", RESNET),
    ArchitectureInfo("tiny_vgg", "4 convolutions, for digits", "", VGG),
    ArchitectureInfo("tiny_vit", "4 layers, patches of 4, for digits", "", VIT),
)


class VisionDomain(Domain):
    """Image classification."""

    name = "vision"
    title = "image classification with convolutional networks and vision transformers"
    extra = "vision"
    default_dataset = "digits"
    default_models = ("tiny_resnet", "tiny_vgg", "tiny_vit")
    model_config = VisionModelConfig
    settings_by_test = SETTINGS
    seeds_by_test = SEEDS
    has_maps = True

    def requires(self) -> tuple[str, ...]:
        """Return timm and torchvision."""
        return ("timm", "torchvision")

    def datasets(self) -> tuple[DatasetInfo, ...]:
        """Return the datasets."""
        return (
            DatasetInfo("cifar100", "60000 images of 32 x 32 pixels, 100 classes; 10000 test images", "torchvision"),
            DatasetInfo(
                "digits",
                "1797 handwritten digits, enlarged to 12 x 12 pixels, 10 classes; 500 test images",
                "scikit-learn",
                embedded=True,
            ),
            DatasetInfo(
                "imagenet100",
                "100 classes of ImageNet, 130000 training images; 5000 test images",
                "Kaggle, ambityga/imagenet100",
            ),
        )

    def architectures(self) -> tuple[ArchitectureInfo, ...]:
        """Return the architectures."""
        return ARCHITECTURES

    def hyperparameters(
        self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the benchmark's hyperparameters for the dataset, with those ``overrides`` that are set.

        The published protocol normalizes CIFAR-100 by the statistics of CIFAR-10, and tosses its coin for dots twice.
        """
        values = hyperparameters(architecture, dataset, overrides)
        if self.protocol == "published" and dataset == "cifar100":
            if overrides.get("normalization") is None:
                values["normalization"] = "cifar10"
            if setting.startswith("shortcut"):
                values["shortcut_coins"] = 2
        return values

    def probe(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], test: str) -> ProbeSpec:
        """Return the test images and the last layer before the output; for layer tests the last five or six.

        The published protocol takes the 13th of the 24 layers of ``vit_l32`` for its last.
        """
        layers = layer_names(architecture)
        if self.protocol == "published" and architecture == "vit_l32":
            layers = layers[:PUBLISHED_VIT_L32_LAYERS]
        count = DESIGNS[architecture].last_layers if test == "layer_monotonicity" else 1
        return ProbeSpec(TEST_IMAGES_WITH_DOTS if test == "shortcut" else TEST_IMAGES, layers[-count:])

    def representation_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return the numbers of test images and of features before the classifier."""
        del hyperparameters
        return TEST_SIZES[dataset], DESIGNS[architecture].features

    def layer_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], layer: str
    ) -> tuple[int, ...] | None:
        """Return the number of test images and the shape of a layer's maps or vectors."""
        return TEST_SIZES[dataset], *DESIGNS[architecture].layer_shape(int(layer), hyperparameters)

    def locate(self, dataset: str, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find and check a dataset's files."""
        if dataset == "cifar100":
            return files.locate_cifar100(root, downloads / "vision" / "CIFAR100", may_download)
        if dataset == "imagenet100":
            return files.locate_imagenet100(root, downloads / "vision" / "Imagenet100")
        return files.locate_digits()

    def train(
        self, spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None = None
    ) -> Trained:
        """Train a model, going on after the last epoch of a training that was stopped."""
        from resi.domains.vision.training import train

        return train(spec, dataset, device, unfinished)

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        """Run a model over the test images, and yield what it computes batch by batch."""
        from resi.domains.vision.extraction import extract

        return extract(run)

    def checkpoint(self, root: Path, model: ModelSpec) -> Path:
        """Return the file of a published model: ``{setting}__{dataset}__{architecture}/groupid_{seed}/checkpoints``."""
        architecture = next(item for item in ARCHITECTURES if item.name == model.architecture)
        return published.find_checkpoint(root, model, architecture.published_name)

    def read_checkpoint(self, content: bytes, model: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
        """Return a published model from its file's content."""
        return published.read_checkpoint(content, model)

    def training_version(self) -> int:
        """Return the version number of the training code."""
        return TRAINING_VERSION
