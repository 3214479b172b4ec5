"""Raw files of a dataset: found in the folders where users have them, downloaded where missing, and hashed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.domains.graph.datasets.base import Found
from resi.errors import DatasetError, ResiError
from resi.fingerprints import hash_file
from resi.store.files import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class RawFiles:
    """The files that a dataset consists of.

    Attributes
    ----------
    label : str
        The dataset's name in messages.
    names : tuple of str
        Names of the files, relative to their folder.
    folders : tuple of str
        Possible locations of that folder below the given one, in the order in which they are tried.
    download : callable
        Fetches what is missing below the folder for downloads, and returns the folder that holds the files.
    hash_file : callable
        Returns the hash of one file; it raises ``DatasetError`` if the file is known to be damaged.
    """

    label: str
    names: tuple[str, ...]
    folders: tuple[str, ...]
    download: Callable[[Path], Path]
    hash_file: Callable[[Path], str] = hash_file

    def find(self, root: Path | None, downloads: Path, may_download: bool) -> Found:
        """Find the files in ``root`` or else in ``downloads``, where missing ones may be downloaded, and hash them.

        Raises
        ------
        DatasetError
            If a file is missing or damaged: the message names it and where to put it.
        """
        given = root or downloads
        folder = next((found for found in map(given.joinpath, self.folders) if any(self._present(found))), None)
        if root is None and may_download and (folder is None or not all(self._present(folder))):
            folder = self.download(downloads)
        listing = ", ".join(self.names)
        if folder is None and root is None:
            raise DatasetError(
                f"{self.label} is not in {downloads} yet; a run downloads it, or reads it from dataset.root=FOLDER"
            )
        if folder is None:
            below = next(name for name in self.folders if name)
            raise DatasetError(
                f"dataset.root={root} holds no {self.label}: expected the files {listing} there or in {root}/{below}"
            )
        for name, is_present in zip(self.names, self._present(folder), strict=True):
            if not is_present:
                raise DatasetError(f"{folder / name} is missing; {self.label} needs the files {listing} in {folder}")
        return Found(folder, {name: self.hash_file(folder / name) for name in self.names})

    def _present(self, folder: Path) -> list[bool]:
        return [(folder / name).is_file() for name in self.names]


def fetch_missing(
    label: str, names: Sequence[str], folder: Path, downloads: Path, fetch: Callable[[Path], None]
) -> Path:
    """Fetch those files of a dataset that are not in ``folder`` yet, and return the folder.

    Parameters
    ----------
    label : str
        The dataset's name in messages.
    downloads : Path
        The folder that one process at a time downloads to.
    fetch : callable
        Fetches one file.

    Raises
    ------
    DatasetError
        If one cannot be downloaded: the message says where to put the files.
    """
    from resi.store.downloads import download_lock

    make_folder(folder)
    with download_lock(downloads):
        for name in names:
            if (folder / name).is_file():
                continue
            try:
                fetch(folder / name)
            except ResiError as error:
                raise DatasetError(
                    f"{label} is not in {downloads} and cannot be downloaded ({error}). Without a network, put the "
                    f"files {', '.join(names)} into {folder}, or name their folder with dataset.root."
                ) from error
    return folder
