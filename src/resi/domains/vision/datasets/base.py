"""A dataset of images: one object with all facts about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from resi.domains.releases import Holding, Release
from resi.specs import DatasetInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from resi.domains.vision.images import Images, Split
    from resi.domains.vision.settings import Alteration
    from resi.specs import DatasetSpec

PUBLISHED_NETWORKS = ("resnet18", "resnet34", "resnet101", "vgg11", "vgg19", "vit_b32", "vit_l32")
"""The architectures of the published models."""


class Statistics(NamedTuple):
    """Mean and standard deviation of the pixels, by which they are normalized.

    Attributes
    ----------
    name : str
        The value of the hyperparameter ``normalization``.
    mean, deviation : tuple of float
        Of red, green and blue, on a scale of 0 to 1.
    """

    name: str
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class PublishedImages:
    """Facts about a dataset in the published benchmark's models and results.

    Attributes
    ----------
    names : mapping from kind of setting to str
        What stands for the dataset in the names of the published models and results.
    global_average_pooling : int
        Cells of the last map of ResNets, in height and width, that reach the classifier.
    statistics : Statistics, optional
        Those used for the published models, if they are not the dataset's own.
    coins : int
        How many coins of a shortcut's probability have to agree before a dot has its class's colour.
    releases : tuple of Release
        The archives of the models.
    """

    names: Mapping[str, str]
    global_average_pooling: int
    statistics: Statistics | None = None
    coins: int = 1
    releases: tuple[Release, ...] = ()

    @property
    def aliases(self) -> frozenset[str]:
        """The names without what only says how the published code read the data."""
        return frozenset(name.removesuffix("DataModule").removesuffix("_") for name in self.names.values())


def image_release(record: str, named: str, kind: str, dataset: str, size: int = 0) -> Release:
    """Return an archive of published models in one kind of settings; beside these, logs lie in it.

    Parameters
    ----------
    size : int
        Bytes of the archive; 0 where they are not known.
    """
    return Release(
        record,
        re.escape(named),
        folder="models/vision/vision_models_simbench",
        first=r"[A-Za-z]+.*__.+__.+",
        keep=r".+/(checkpoints/final\.ckpt|output\.json)",
        size=size,
        kinds=(kind,),
        holdings=(Holding(PUBLISHED_NETWORKS, (dataset,)),),
    )


def no_augmentation(_image_size: int, _alteration: Alteration) -> None:
    """Return no augmentation."""


@dataclass(frozen=True, kw_only=True)
class ImageDataset(DatasetInfo):
    """A dataset of labelled images, and how it is found and read.

    Attributes
    ----------
    image_size : int
        Height and width to which all images are resized before anything is drawn on them.
    classes, test_images : int
    statistics : Statistics
        By which pixels are normalized by default.
    dot_diameter : int
        Nominal diameter in pixels of the dot that is a shortcut; a dot is about two pixels wider.
    locate : callable
        Takes the folder that the user gives (``dataset.root``, or None), that of this domain's datasets in the data
        root, and whether files may be downloaded. Returns a ``DatasetSpec`` with the hash of all files and of the
        recipe that turns them into images, splits and labels, or raises ``DatasetError``, whose message names what is
        missing and where it goes.
    load : callable
        Takes what ``locate`` returned; returns the images, or raises ``DatasetError``.
    augment : callable
        Takes the height and width that a model takes, and what a setting does; returns the random augmentation of
        training images, of Pillow's to Pillow's, or None.
    published : PublishedImages, optional
        Of a dataset of the published benchmark.
    hyperparameters : mapping from architecture to mapping
        Hyperparameters that differ on this dataset from those of a network on datasets it does not know. Without them,
        the networks that come with resi train as the benchmark does on CIFAR-100: 200 epochs of SGD.
    """

    domain: ClassVar[str] = "vision"

    image_size: int
    classes: int
    test_images: int
    statistics: Statistics
    dot_diameter: int
    locate: Callable[[Path | None, Path, bool], DatasetSpec]
    load: Callable[[DatasetSpec], Images]
    augment: Callable[[int, Alteration], Any] = no_augmentation
    published: PublishedImages | None = None
    hyperparameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)

    def images(self, train: Split, validation: Split, test: Split, classes: int | None = None) -> Images:
        """Return the splits with what is known of the dataset.

        Parameters
        ----------
        classes : int, optional
            If the files decide it, the number of classes in them.
        """
        from resi.domains.vision.images import Images

        return Images(train, validation, test, classes or self.classes, self.image_size, self.dot_diameter)
