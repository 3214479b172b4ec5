"""Labelled images, read from checked files: in memory where they are small, else from disk one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from resi.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from PIL.Image import Image

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]
    Labels = np.ndarray[Any, np.dtype[np.int64]]


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
    dot_diameter : int
        Nominal diameter in pixels of the dot that is a shortcut.
    """

    train: Split
    validation: Split
    test: Split
    classes: int
    side: int
    dot_diameter: int


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
        except OSError as error:  # anything that Pillow raises on a damaged file
            raise DatasetError(f"{path} cannot be read as an image: {error}. Put the original file there.") from error
