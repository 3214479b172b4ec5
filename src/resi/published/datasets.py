"""Datasets that ``resi download`` downloads, and those that must be downloaded by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi import registry
from resi.console import say
from resi.domains.given import GivenDomain
from resi.errors import DatasetError, UsageError
from resi.store.root import Store
from resi.store.space import Step

if TYPE_CHECKING:
    from pathlib import Path

    from resi.domains.base import Domain
    from resi.specs import DatasetInfo, DatasetSpec


@dataclass(frozen=True)
class Source:
    """A dataset that is not embedded, and its domain."""

    domain: Domain
    dataset: DatasetInfo

    def locate(self, root: Path, may_download: bool = False) -> DatasetSpec:
        """Find it in a data root, see :meth:`Domain.locate`."""
        return self.domain.locate(self.dataset.name, None, Store(root).datasets, may_download)

    def is_here(self, root: Path) -> bool:
        """Return whether all its files are in a data root, and whole."""
        try:
            self.locate(root)
        except DatasetError:
            return False
        return True

    def step(self, root: Path) -> Step:
        """Return the approximate disk space for downloading it."""
        folder = Store(root).datasets / self.domain.name
        return Step(folder, 0, folder, 0 if self.dataset.by_hand or self.is_here(root) else self.dataset.size)

    def check(self, root: Path) -> None:
        """Raise ``UsageError`` if it must be downloaded by hand, or needs a missing package."""
        if self.dataset.by_hand and not self.is_here(root):
            raise UsageError(f"resi cannot download {self.dataset.name}: {self.dataset.by_hand}")
        self.domain.check_installed()

    def fetch(self, root: Path) -> None:
        """Download the missing files.

        Raises
        ------
        DatasetError
            If it cannot be downloaded; the message says where to put its files.
        """
        is_here = self.is_here(root)
        if not is_here:
            say(f"downloading {self.dataset.name} from {self.dataset.source}")
        say(f"{self.dataset.name} is in {self.locate(root, may_download=True).folder}")


def dataset_sources() -> dict[str, Source]:
    """Return the datasets of all domains that are not embedded, by name."""
    return {
        dataset.name: Source(domain, dataset)
        for domain in registry.usable_domains()
        if not isinstance(domain, GivenDomain)
        for dataset in domain.datasets()
        if not dataset.embedded
    }
