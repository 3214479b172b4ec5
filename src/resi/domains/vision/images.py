"""Labelled images, read from checked files: in memory where they are small, else from disk one by one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from resi.domains.unchanged import check_unchanged
from resi.domains.vision import files
from resi.errors import DatasetError
from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL.Image import Image

    from resi.specs import DatasetSpec

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]
    Labels = np.ndarray[Any, np.dtype[np.int64]]

DIGITS_SIDE = 12
# Dim, so that a shortcut's dot outshines them: digits are too easy to learn for a shortcut to be needed.
DIGITS_WHITE = 40
DIGITS_TEST = 500
DIGITS_VALIDATION = 200
CIFAR_VALIDATION = 10_000


class Source(Protocol):
    """Where the images of a split come from."""

    def __getitem__(self, index: int) -> Image:
        """Return one image, in RGB."""


@dataclass(frozen=True)
class Split:
    """Images with labels.

    Attributes
    ----------
    ids : sequence of str
        What names an image, and keys all draws about it.
    labels : array of shape (n_images,)
    source : Source
    """

    ids: Sequence[str]
    labels: Labels
    source: Source

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.ids)


@dataclass(frozen=True)
class Images:
    """A dataset of images in three splits.

    Attributes
    ----------
    side : int
        Height and width that all images have, or are brought to before anything is drawn on them.
    """

    train: Split
    validation: Split
    test: Split
    classes: int
    side: int


class InMemory:
    """Images of one size as an array of shape (n_images, height, width, 3)."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels

    def __getitem__(self, index: int) -> Image:
        """Return one image."""
        from PIL import Image

        return Image.fromarray(self.pixels[index])


class OnDisk:
    """Image files of any size."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder = folder
        self.names = names

    def __getitem__(self, index: int) -> Image:
        """Read one image."""
        from PIL import Image

        path = self.folder / self.names[index]
        try:
            with Image.open(path) as image:
                return image.convert("RGB")
        except OSError as error:  # whatever Pillow meets in a damaged file
            raise DatasetError(f"{path} cannot be read as an image: {error}. Put the original file there.") from error


@functools.lru_cache(maxsize=2)
def load_images(dataset: DatasetSpec) -> Images:
    """Read a dataset that has been located.

    Raises
    ------
    DatasetError
        If its files are damaged, or have changed since.
    """
    if dataset.folder is None:
        return _load_digits()
    if dataset.name == "cifar100":
        images = _load_cifar100(dataset)
        found = files.locate_cifar100(dataset.folder, dataset.folder, may_download=False)
    else:
        images = _load_imagenet100(dataset)
        found = files.locate_imagenet100(dataset.folder, dataset.folder)
    check_unchanged(dataset, found)
    return images


def _load_digits() -> Images:
    """Read scikit-learn's 8 x 8 digits, enlarged to 12 x 12 and as three equal colours."""
    from PIL import Image
    from sklearn.datasets import load_digits

    grey, labels = load_digits(return_X_y=True)
    grey = np.rint(grey.reshape(-1, 8, 8) * (DIGITS_WHITE / 16)).astype(np.uint8)
    size = (DIGITS_SIDE, DIGITS_SIDE)
    enlarged = np.stack([np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)) for image in grey])
    pixels = np.repeat(enlarged[..., None], 3, axis=3)
    order = generator(0, "digits split").permutation(len(labels))
    parts = np.split(order, [DIGITS_TEST, DIGITS_TEST + DIGITS_VALIDATION])
    test, validation, train = (
        Split(
            [f"digit {i}" for i in np.sort(part)],
            labels[np.sort(part)].astype(np.int64),
            InMemory(pixels[np.sort(part)]),
        )
        for part in parts
    )
    return Images(train, validation, test, classes=10, side=DIGITS_SIDE)


def _load_cifar100(dataset: DatasetSpec) -> Images:
    """Read CIFAR-100 through torchvision; the last fifth of its training images is for validation."""
    from torchvision.datasets import CIFAR100

    assert dataset.folder is not None  # noqa: S101 - locate() found it
    root = str(dataset.folder)
    try:
        train, test = (CIFAR100(root, train=is_train, download=False) for is_train in (True, False))
    except RuntimeError as error:  # of a file that is not the release's any more
        raise DatasetError(f"CIFAR-100 in {root} cannot be read: {error}") from error
    cut = len(train.targets) - min(CIFAR_VALIDATION, len(train.targets) // 5)

    def split(data: CIFAR100, name: str, start: int, stop: int) -> Split:
        ids = [f"{name} {index}" for index in range(start, stop)]
        return Split(ids, np.array(data.targets[start:stop], dtype=np.int64), InMemory(data.data[start:stop]))

    return Images(
        train=split(train, "train", 0, cut),
        validation=split(train, "train", cut, len(train.targets)),
        test=split(test, "test", 0, len(test.targets)),
        classes=100,
        side=32,
    )


def _load_imagenet100(dataset: DatasetSpec) -> Images:
    """List ImageNet100: the first tenth of every class's training images, sorted by name, is for validation.

    Test images are shuffled once for all, so that a part of them holds all classes.
    """
    assert dataset.folder is not None  # noqa: S101 - locate() found it
    listing = files.list_imagenet100(dataset.folder)
    validation, train = [], []
    for names in listing["train"].values():
        cut = len(names) // 10
        validation += names[:cut]
        train += names[cut:]
    test = [name for names in listing["val"].values() for name in names]
    generator(0, "imagenet100 test order").shuffle(test)
    classes = {wnid: label for label, wnid in enumerate(listing["train"])}

    def split(names: list[str]) -> Split:
        labels = np.array([classes[name.split("/")[1]] for name in names], dtype=np.int64)
        return Split(names, labels, OnDisk(dataset.folder, names))  # type: ignore[arg-type]

    return Images(split(train), split(validation), split(test), classes=len(classes), side=224)
