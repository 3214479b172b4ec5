"""Images of a dataset that has been located."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from resi.domains.unchanged import check_unchanged
from resi.domains.vision.cache import ImageCache
from resi.domains.vision.lookup import image_dataset

if TYPE_CHECKING:
    from resi.domains.vision.images import Images
    from resi.specs import DatasetSpec


@functools.lru_cache(maxsize=2)
def load_images(dataset: DatasetSpec) -> Images:
    """Read a dataset that has been located.

    Raises
    ------
    DatasetError
        If its files are damaged, or have changed since.
    """
    about = image_dataset(dataset.name)
    images = about.load(dataset)
    if dataset.folder is not None:
        check_unchanged(dataset, about.locate(dataset.folder, dataset.folder, False))
    return images if dataset.cache is None else replace(images, cache=ImageCache(dataset))
