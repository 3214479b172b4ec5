"""Labelled images, read from verified files: in memory if they are small, else one by one from disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from resi.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from PIL.Image import Image

    from resi.domains.vision.cache import ImageCache
    from resi.domains.vision.resampling import Box

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]
    Labels = np.ndarray[Any, np.dtype[np.int64]]


class Source(Protocol):
    """Where the images of a split come from."""

    def __getitem__(self, index: int) -> Image:
        """Return one image, in RGB."""


class Decoded:
    """An image whose pixels stand column after column, so that parts of it are brought to another size fast.

    Parameters
    ----------
    columns : array of shape (width, height, 3)
    """

    def __init__(self, columns: Pixels) -> None:
        self.columns = columns

    @classmethod
    def of(cls, pixels: Pixels) -> Decoded:
        """Return the image whose rows are given, shape (height, width, 3)."""
        from resi.domains.vision.resampling import turned

        return cls(turned(pixels))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.columns.shape[0], self.columns.shape[1]

    def image(self) -> Image:
        """Return the image as Pillow's."""
        from PIL import Image

        return Image.fromarray(self.columns.transpose(1, 0, 2).copy())

    def resized(self, side: int, box: Box | None = None, mirrored: bool = False) -> Pixels:
        """Return a part of the image, or all of it, as a square of shape (side, side, 3), as Pillow makes it.

        Parameters
        ----------
        mirrored : bool
            Whether left and right are exchanged.
        """
        import numpy as np
        from PIL.Image import Resampling

        from resi.domains.vision.resampling import Box, is_as_pillow, resample

        box = box or Box(0, 0, *self.size)
        if is_as_pillow():
            return resample(self.columns, box, side, mirrored)
        part = self.image().crop((box.left, box.top, box.left + box.width, box.top + box.height))
        pixels = np.asarray(part.resize((side, side), Resampling.BILINEAR))
        return pixels[:, ::-1] if mirrored else pixels


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
    cache : ImageCache, optional
        Where decoded images are kept.
    """

    train: Split
    validation: Split
    test: Split
    classes: int
    side: int
    dot_diameter: int
    cache: ImageCache | None = None

    @property
    def splits(self) -> tuple[Split, Split, Split]:
        """All images."""
        return self.train, self.validation, self.test

    def source(self, split: Split, side: int | None) -> Source:
        """Return the source for images that are first resized to a size; None: not resized."""
        return split.source if self.cache is None else self.cache.source(split.source, side)


class InMemory:
    """Images of one size as an array.

    Parameters
    ----------
    pixels : array of shape (n_images, height, width, 3)
        Red, green and blue, from 0 to 255.
    """

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels

    def __getitem__(self, index: int) -> Image:
        """Return one image."""
        from PIL import Image

        return Image.fromarray(self.pixels[index])

    def decoded(self, index: int) -> Pixels:
        """Return the pixels of one image."""
        return self.pixels[index]


class Chosen:
    """Some images of a source."""

    def __init__(self, whole: Source, indices: Labels) -> None:
        self.whole = whole
        self.indices = indices

    def __getitem__(self, index: int) -> Image:
        """Return one of them."""
        return self.whole[int(self.indices[index])]

    def decoded(self, index: int) -> Image | Decoded | Pixels:
        """Return an image, decoded only as far as the source has it."""
        return decoded(self.whole, int(self.indices[index]))


class OnDisk:
    """Image files of any size.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        The path of each image below the folder.
    """

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
            raise unreadable(path, error) from error

    def size(self, index: int) -> tuple[int, int]:
        """Return width and height of one image, for which its first bytes are read."""
        from PIL import Image

        path = self.folder / self.names[index]
        try:
            with Image.open(path) as image:
                return image.size
        except OSError as error:
            raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> DatasetError:
    """Return the error of a damaged image."""
    return DatasetError(f"{path} cannot be read as an image: {error}. Replace it by the original file.")


def decoded(source: Source, index: int) -> Image | Decoded | Pixels:
    """Return an image as stored by its source: Pillow's, or its pixels if they are already decoded."""
    read = getattr(source, "decoded", source.__getitem__)
    return read(index)
