"""The vision domain: image classification with ResNets, VGGs and vision transformers.

A dataset is an :class:`ImageDataset`, a family of networks a subclass of :class:`ImageNetwork`; plugins add theirs
through the hooks ``resi_datasets`` and ``resi_networks``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.vision.datasets.base import ImageDataset, Statistics
from resi.domains.vision.datasets.catalogue import DATASETS
from resi.domains.vision.domain import VisionDomain
from resi.domains.vision.networks.base import ImageArchitecture, ImageNetwork
from resi.domains.vision.networks.catalogue import NETWORKS
from resi.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from resi.domains.base import Domain

__all__ = ["ImageArchitecture", "ImageDataset", "ImageNetwork", "Statistics", "VisionDomain"]


@hookimpl
def resi_domains() -> tuple[type[Domain], ...]:
    """Return the vision domain."""
    return (VisionDomain,)


@hookimpl
def resi_datasets() -> tuple[ImageDataset, ...]:
    """Return the datasets of images."""
    return DATASETS


@hookimpl
def resi_networks() -> tuple[ImageNetwork, ...]:
    """Return the families of networks for images."""
    return NETWORKS
