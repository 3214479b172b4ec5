"""Image files and decoded images, as tensors by a network's own transform."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.console import say
from resi.errors import DatasetError, UsageError, count_of
from resi.extraction.inputs.rows import Images
from resi.lazy import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL.Image import Image
    from torch import Tensor

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


class ImageFiles:
    """Image files, read one by one.

    Parameters
    ----------
    paths : sequence of Path
    samples : sequence of str
        Their ids.
    """

    kind = "image files"

    def __init__(self, paths: Sequence[Path], samples: Sequence[str]) -> None:
        self.paths = paths
        self.samples = samples

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, first: int, stop: int) -> Images:
        """Return the bytes of some of the files."""
        paths = self.paths[first:stop]
        return Images(
            [content_of(path) for path in paths], [str(path) for path in paths], list(self.samples[first:stop])
        )


def images_of_folder(folder: Path) -> ImageFiles:
    """Return all images in and below a folder in the order of their relative paths, which are their ids.

    Raises
    ------
    DatasetError
        If there is none.
    """
    found: list[Path] = []
    others: list[Path] = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                path = Path(parent, name)
                (found if path.suffix.lower() in SUFFIXES else others).append(path.relative_to(folder))
    if not found:
        held = f"it holds {len(others)} other files, such as {min(others)}" if others else "it holds no files"
        raise DatasetError(f"data={folder} is a folder without images ({' '.join(SUFFIXES)}): {held}")
    if others:
        counted = count_of(len(others), "file")
        say(f"left out: {counted} in {folder} that no suffix marks as an image, such as {min(others)}")
    found.sort(key=lambda path: path.parts)
    return ImageFiles([folder / path for path in found], [path.as_posix() for path in found])


def to_tensors(images: Images, processor: Any, first: int) -> Tensor | dict[str, Tensor]:
    """Return images as inputs of a network, in RGB.

    Parameters
    ----------
    processor : callable or transformers image processor
        A callable takes one PIL image and returns a tensor; an image processor takes a list and returns a dictionary.
    first : int
        Number of the first row, for messages.

    Raises
    ------
    DatasetError
        If a file is damaged: it names the file and its row.
    UsageError
        If the transform returns no tensors, or tensors of several shapes.
    """
    decoded = [
        _decoded(value, f"{name} (row {first + number})")
        for number, (value, name) in enumerate(zip(images.values, images.names, strict=True))
    ]
    if is_image_processor(processor):
        return dict(processor(images=decoded, return_tensors="pt"))
    return _stacked(decoded, processor, images.names)


def is_image_processor(processor: Any) -> bool:
    """Return whether it is an image processor of transformers, which takes several images at once."""
    return hasattr(processor, "preprocess") and hasattr(processor, "from_pretrained")


def _stacked(decoded: Sequence[Image], transform: Callable[[Image], Any], names: Sequence[str]) -> Tensor:
    found = [transform(image) for image in decoded]
    for tensor, name in zip(found, names, strict=True):
        if not isinstance(tensor, torch.Tensor):
            raise UsageError(f"the transform returns {type(tensor).__name__} for {name}: expected a tensor")
        if tensor.shape != found[0].shape:
            raise UsageError(
                f"the transform returns a tensor of shape {tuple(tensor.shape)} for {name}, but "
                f"{tuple(found[0].shape)} for {names[0]}: it must resize all images to one size"
            )
    return torch.stack(found)


def _decoded(value: bytes | Image, name: str) -> Image:
    from PIL import Image

    if not isinstance(value, bytes):
        return _rgb(value, name)
    try:
        with Image.open(io.BytesIO(value)) as image:
            return _rgb(image, name)
    except (OSError, SyntaxError, ValueError) as error:  # whatever Pillow raises on a damaged file
        raise DatasetError(
            f"{name} cannot be read as an image ({type(error).__name__}): replace or remove the file"
        ) from error


def _rgb(image: Image, name: str) -> Image:
    if image.mode.startswith(("I", "F")):
        raise UsageError(
            f"{name} has pixels of mode {image.mode}, which 8-bit RGB would truncate: convert them to 8 bits, or "
            "pass tensors"
        )
    return image.convert("RGB")


def content_of(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    DatasetError
        If it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
