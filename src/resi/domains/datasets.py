"""A dataset as two functions: one finds its files when a run is planned, the other reads them during the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from resi.domains.unchanged import check_unchanged
from resi.errors import DatasetError
from resi.fingerprints import fingerprint
from resi.specs import DatasetInfo, DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Content = TypeVar("Content")


class Found(NamedTuple):
    """Files of a dataset that have been found.

    Attributes
    ----------
    folder : Path or None
        Their folder; None for embedded data.
    hashes : str or mapping from name to str
        Hashes of the files: other files are another dataset.
    """

    folder: Path | None
    hashes: str | Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class FoundDataset(DatasetInfo, Generic[Content]):
    """A dataset that is found and read by functions; a domain derives its own class, which states its ``domain``.

    Attributes
    ----------
    find : callable
        Takes the folder given by ``dataset.root`` or None, the folder for downloads, and whether missing files may be
        downloaded; returns a :class:`Found`, or raises ``DatasetError``. It is called when a run is planned, so
        it must not import torch or other large packages unless files are missing.
    read : callable
        Takes the folder (None for embedded data), and returns the content.
    recipe : int
        Version of the code that converts files to the content; increase it when the result changes.
    """

    find: Callable[[Path | None, Path, bool], Found]
    read: Callable[[Any], Content]
    recipe: int = 1

    def locate(self, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find the files, download them where they are missing, and hash them; see :meth:`Domain.locate`."""
        folder, hashes = self.find(root, downloads, may_download)
        return DatasetSpec(self.name, folder, fingerprint({"files": hashes, "recipe": self.recipe}))

    def load(self, dataset: DatasetSpec) -> Content:
        """Read the dataset that :meth:`locate` has found.

        Raises
        ------
        DatasetError
            If its files are damaged, or have changed since.
        """
        if self.embedded:
            return self.read(None)
        folder = dataset.folder
        if folder is None:
            raise DatasetError(f"dataset={self.name} was not located: its folder is not known")
        content = self.read(folder)
        check_unchanged(dataset, self.locate(folder, folder, may_download=False))
        return content
