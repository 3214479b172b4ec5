"""Datasets and networks of this domain by name: the built-in ones, and those that plugins add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi import registry
from resi.domains.lookup import find_dataset, find_family
from resi.domains.vision.datasets.base import ImageDataset
from resi.domains.vision.networks.base import ImageNetwork
from resi.errors import UsageError

if TYPE_CHECKING:
    from resi.domains.vision.datasets.base import Statistics
    from resi.domains.vision.networks.base import ImageArchitecture

DOMAIN = "vision"


def image_dataset(name: str) -> ImageDataset:
    """Return a dataset by name, or raise ``UsageError`` naming what exists."""
    return find_dataset(name, ImageDataset)


def image_datasets() -> list[ImageDataset]:
    """Return all datasets."""
    return [image_dataset(name) for name in registry.datasets(DOMAIN).in_names()]


def image_network(architecture: str) -> ImageNetwork:
    """Return the family of an architecture, or raise ``UsageError`` naming what exists."""
    return find_family(architecture, ImageNetwork)  # type: ignore[type-abstract]


def image_architecture(name: str) -> ImageArchitecture:
    """Return an architecture by name, or raise ``UsageError`` naming what exists."""
    return image_network(name).architecture(name)


def image_architectures() -> list[ImageArchitecture]:
    """Return the architectures of all families."""
    return [image_architecture(name) for name in registry.networks(DOMAIN).in_names()]


def statistics() -> dict[str, Statistics]:
    """Return the statistics of pixels of all datasets by name.

    Raises
    ------
    UsageError
        If two datasets have different ones under the same name.
    """
    found: dict[str, Statistics] = {}
    for dataset in image_datasets():
        published = dataset.published.statistics if dataset.published else None
        for known in (dataset.statistics, published):
            if known is not None and found.setdefault(known.name, known) != known:
                raise UsageError(f"statistics {known.name!r} of dataset={dataset.name} differ from others of that name")
    return found
