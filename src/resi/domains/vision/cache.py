"""Cache of decoded images (``dataset.cache=true``), so that images are not decoded again in every epoch.

Models see the same pixels with and without. Training draws parts of images as they are, for which these are kept;
everything else, and dots, begin with images of one size, which are kept in that size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.console import say
from resi.domains.vision.images import Chosen, OnDisk
from resi.domains.vision.lookup import image_dataset
from resi.domains.vision.settings import TEST_IMAGES_WITH_DOTS, alteration
from resi.errors import ArtifactError, StoreError
from resi.store.root import wait_for_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from resi.domains.vision.images import Images, Source
    from resi.domains.vision.kept import KeptFile, KeptImages
    from resi.specs import DatasetSpec, ModelSpec, ProbeSpec

SAMPLED = 100
"""Images of a split whose sizes are read to estimate that of the file."""
DIGITS = 12


class ImageCache:
    """Files of decoded images of a dataset, each made when it is first needed.

    Parameters
    ----------
    dataset : DatasetSpec
        With the folder in which they are kept.
    """

    def __init__(self, dataset: DatasetSpec) -> None:
        self._folder = folder_of(dataset)
        self._content = dataset.content
        self._opened: dict[str, KeptImages | None] = {}

    def source(self, source: Source, side: int | None) -> Source:
        """Return where images of a source are read from; the source itself, with a message, if they cannot be cached.

        Parameters
        ----------
        side : int or None
            Height and width that the reader brings images to before anything else; None: to none.
        """
        if isinstance(source, Chosen):
            return Chosen(self._opened_before(source.whole, side), source.indices)
        if not isinstance(source, OnDisk):
            return source
        file = self._file(source, side)
        if file.key not in self._opened:
            self._opened[file.key] = _open_or_make(file)
        return self._opened[file.key] or source

    def _opened_before(self, source: Source, side: int | None) -> Source:
        """Return where a part of the images is read from: for these alone, no file is made."""
        if not isinstance(source, OnDisk):
            return source
        files = (self._file(source, which) for which in (side, None))
        found = (self._opened.get(file.key) for file in files)
        return next((images for images in found if images is not None), source)

    def _file(self, source: OnDisk, side: int | None) -> KeptFile:
        from resi.domains.vision.kept import KeptFile  # numba takes a moment to import

        return KeptFile.of(self._folder, self._content, source, side)


def folder_of(dataset: DatasetSpec) -> Path:
    """Return the file of a dataset's decoded images."""
    assert dataset.cache is not None  # noqa: S101 - who asks has been told to keep them
    return dataset.cache / f"{dataset.name}-{dataset.content[:DIGITS]}"


def kept_bytes(
    dataset: DatasetSpec, trained: Sequence[ModelSpec], run: Sequence[tuple[ModelSpec, ProbeSpec]]
) -> tuple[int, int] | None:
    """Return about how many bytes decoded images take, and how many exist; None if nothing is cached.

    The images of some files are looked at; see :meth:`resi.domains.base.Domain.cache_bytes`.
    """
    from resi.domains.vision.kept import KeptFile

    images = image_dataset(dataset.name).load(dataset)
    wanted = {needed for model in trained for needed in _needed_for_training(model, images)}
    wanted |= {
        ("test", images.side if probe.probe == TEST_IMAGES_WITH_DOTS else int(model.hyperparameters["image_size"]))
        for model, probe in run
    }
    sources = {name: getattr(images, name).source for name in ("train", "validation", "test")}
    files = [
        KeptFile.of(folder_of(dataset), dataset.content, sources[name], side)
        for name, side in wanted
        if isinstance(sources[name], OnDisk)
    ]
    if not files:
        return None
    found = [(file.estimated_bytes(SAMPLED), file.seal.is_file()) for file in files]
    return sum(size for size, _ in found), sum(size for size, is_there in found if is_there)


def _needed_for_training(model: ModelSpec, images: Images) -> Iterator[tuple[str, int | None]]:
    """Yield the splits that a training reads, and the size in which their images are kept."""
    has_dots = alteration(model.setting).dots is not None
    side = images.side if has_dots else int(model.hyperparameters["image_size"])
    augments = image_dataset(model.dataset).augment(side, alteration(model.setting)) is not None
    yield "train", None if augments and not has_dots else side
    yield "validation", side
    yield "test", side


def _open_or_make(file: KeptFile) -> KeptImages | None:
    """Return decoded images, made if missing; None, with a message, if they cannot be cached."""
    try:
        found = file.open()
    except ArtifactError as error:
        say(f"{error}; it is made again")
    else:
        if found is not None:
            return found
    try:
        with wait_for_lock(file.path.with_suffix(".lock"), "is decoding the same images"):
            return _made_by_another(file) or _make(file)
    except StoreError as error:
        say(f"dataset.cache=true: {error} Images are decoded each time they are read.")
        return None


def _made_by_another(file: KeptFile) -> KeptImages | None:
    """Return images that another process made while this one waited; damaged files are removed."""
    try:
        return file.open()
    except ArtifactError:
        file.remove()
        return None


def _make(file: KeptFile) -> KeptImages | None:
    file.make()
    return file.open()
