"""A family of networks for images: building, layers, training, and published weights."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from resi.domains.base import NetworkFamily
from resi.specs import ArchitectureInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor, nn

    from resi.domains.vision.datasets.base import ImageDataset
    from resi.extraction.layers import HookPoint

FLOAT_BYTES = 4
MAX_GRID = 7
"""Maps larger than this in height or width are pooled to it."""


@dataclass(frozen=True, kw_only=True)
class ImageArchitecture(ArchitectureInfo):
    """One architecture of a family; each family has a subclass with the sizes that it needs.

    Attributes
    ----------
    last_layers : int
        How many layers, the last one included, ``layer_monotonicity`` looks at.
    published_layers : int, optional
        How many layers the published results count, where it is not all of them.
    smallest_image : int
        Height and width of the smallest images that it is for.
    largest_image : float
        Of the largest ones.
    """

    last_layers: int = 6
    published_layers: int | None = None
    smallest_image: int = 1
    largest_image: float = math.inf


Architecture = TypeVar("Architecture", bound=ImageArchitecture)


def by_name(architectures: Iterable[Architecture], name: str) -> Architecture:
    """Return the architecture of that name."""
    return next(architecture for architecture in architectures if architecture.name == name)


class ImageNetwork(NetworkFamily):
    """Networks of one kind that classify images.

    Layers are named by their numbers in the order of the network, from 0.
    """

    domain: ClassVar[str] = "vision"
    architectures: ClassVar[tuple[ImageArchitecture, ...]]
    hyperparameters_on: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """By the datasets on which it has hyperparameters of its own: what differs from :func:`common_recipe`."""
    choices: ClassVar[Mapping[str, Sequence[str]]] = {}
    """The values that hyperparameters of this family alone may have."""

    def architecture(self, name: str) -> ImageArchitecture:
        """Return one of the architectures."""
        return by_name(self.architectures, name)

    def recipe(self, architecture: str, dataset: ImageDataset) -> dict[str, Any]:
        """Return the hyperparameters of training that a user may change, those of :func:`common_recipe` at least.

        Those that the dataset brings, ``ImageDataset.hyperparameters``, replace them afterwards.
        """
        del architecture
        return common_recipe(**self.hyperparameters_on.get(dataset.name, {}), normalization=dataset.statistics.name)

    @abstractmethod
    def build(self, architecture: str, hyperparameters: Mapping[str, Any], classes: int) -> nn.Module:
        """Return an untrained network; its weights are drawn from torch's own generator.

        It takes images of shape (n_images, 3, image_size, image_size) and returns logits of shape (n_images, classes).
        """

    @abstractmethod
    def layers(self, architecture: str) -> dict[str, HookPoint]:
        """Return where each layer is read, in the order of the network; the last is the classifier's input."""

    def reduce(self, activation: Tensor) -> Tensor:
        """Return what is kept of a layer: of tokens the class token, of maps 7 x 7 cells at most; always a copy."""
        return reduce(activation)

    def layer_shape(self, architecture: str, layer: str, hyperparameters: Mapping[str, Any]) -> tuple[int, ...] | None:
        """Return what :meth:`reduce` makes of a layer of one image: (channels, height, width) or (features,).

        Plans estimate from it what comparisons take. None if it is not known before a network has run.
        """
        del architecture, layer, hyperparameters
        return None

    def weight_bytes(self, architecture: str, hyperparameters: Mapping[str, Any], classes: int) -> int | None:
        """Return how many bytes a network's weights take, by which plans estimate disk; None if it is not known."""
        del architecture, hyperparameters, classes
        return None

    def derived(self, architecture: str, dataset: ImageDataset, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hyperparameters that follow from the dataset and from the others: ``image_size`` at least.

        Raises
        ------
        UsageError
            If a value does not go with the dataset.
        """
        del architecture, values
        return {"image_size": dataset.image_size}

    def too_small(self, architecture: str, dataset: ImageDataset) -> str:
        """Return why an architecture does not take the images of a dataset, which are too small, for a message."""
        del architecture
        return f"does not take images of dataset={dataset.name}"

    def load_pretrained(self, model: nn.Module, hyperparameters: Mapping[str, Any]) -> None:
        """Load the weights that training starts from, where these are not those drawn by :meth:`build`."""
        del model, hyperparameters

    def from_published(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of a published checkpoint under the names of the networks that are built here."""
        return dict(state)

    def stored_bytes(self, architecture: str) -> int:
        """Return how many bytes of a published network's weights are made by :meth:`from_published`: none here.

        The others are read where they lie.
        """
        del architecture
        return 0

    def published_hyperparameters(self, dataset: ImageDataset) -> dict[str, Any]:
        """Return the hyperparameters in which the published networks differ from those that are built here."""
        del dataset
        return {}

    def built_from(self, dataset: ImageDataset) -> dict[str, Any]:
        """Return what the ``output.json`` beside a published checkpoint has to say."""
        return {"n_cls": dataset.classes}


def common_recipe(**changes: Any) -> dict[str, Any]:
    """Return the hyperparameters of training that all families have, the benchmark's on CIFAR-100 but for changes."""
    common = {
        "epochs": 200,
        "batch_size": 128,
        "accumulation": 1,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "weight_decay": 5e-4,
        "warmup_epochs": 0,
        "label_smoothing": 0.0,
        "clip_gradient_norm": 0.0,
    }
    return {**common, **changes}


def numbered(points: Iterable[HookPoint]) -> dict[str, HookPoint]:
    """Return layers by their numbers."""
    return {str(number): point for number, point in enumerate(points)}


def normed(channels: int) -> int:
    """Return the bytes of a batch norm: four numbers of each channel, and how many batches it has seen."""
    return 4 * FLOAT_BYTES * channels + 8


def pooled_map(channels: int, width: int) -> tuple[int, int, int]:
    """Return what is kept of a map with as many rows as columns: channels, height and width."""
    return channels, min(width, MAX_GRID), min(width, MAX_GRID)


def reduce(activation: Tensor) -> Tensor:
    """Return the class token of tokens, a map of at most 7 x 7 cells of a map, a vector unchanged; always a copy.

    What follows a layer may write into its output.
    """
    from torch.nn.functional import adaptive_avg_pool2d

    if activation.ndim == 3:
        return activation[:, 0].clone()
    if activation.ndim == 4:
        grid = (min(activation.shape[2], MAX_GRID), min(activation.shape[3], MAX_GRID))
        if grid != tuple(activation.shape[2:]):
            return adaptive_avg_pool2d(activation, grid)
    return activation.clone()


def draw_weights(model: Any) -> None:
    """Draw torch's default weights for all modules of one of timm's networks; residual blocks begin as the identity."""
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        if hasattr(module, "zero_init_last"):
            module.zero_init_last()
