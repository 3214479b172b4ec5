"""Flickr, as PyG has it: found on disk or downloaded, hashed, and read by PyG's own loader."""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
from typing import TYPE_CHECKING, Any

from resi.domains.base import DatasetSpec
from resi.errors import DatasetError
from resi.identity import fingerprint, hash_file
from resi.store import atomic_path, make_folder

if TYPE_CHECKING:
    from pathlib import Path

    from torch_geometric.data import Data

# With the first bytes of each; none is a pickle.
FILES = {"adj_full.npz": b"PK", "feats.npy": b"\x93NUMPY", "class_map.json": b"{", "role.json": b"{"}
# Raise it when the code that turns files into graphs would give another graph.
RECIPE = 1


def locate(root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
    """Find the four raw files in ``root`` or ``root/raw``, or download them through PyG, and hash them."""
    given = root or downloads
    folder = next((found for found in (given / "raw", given) if any((found / name).exists() for name in FILES)), None)
    if root is None and may_download and (folder is None or not all((folder / name).is_file() for name in FILES)):
        folder = _download(downloads / "raw")
    if folder is None and root is None:
        raise DatasetError(
            f"Flickr is not in {downloads} yet; a run downloads it, or reads it from dataset.root=FOLDER"
        )
    if folder is None:
        names = ", ".join(FILES)
        raise DatasetError(f"dataset.root={root} holds no Flickr: expected the files {names} there or in {root}/raw")
    for name in FILES:
        if not (folder / name).is_file():
            raise DatasetError(f"{folder / name} is missing; Flickr needs the files {', '.join(FILES)} in one folder")
    hashes = {name: hash_file(folder / name) for name in FILES}
    return DatasetSpec("flickr", folder, fingerprint({"files": hashes, "recipe": RECIPE}))


def read(folder: Path) -> Data:
    """Read the raw files as PyG does; what PyG writes for itself goes to a temporary folder.

    Raises
    ------
    DatasetError
        If they are not in PyG's format.
    """
    from torch_geometric.datasets import Flickr

    with tempfile.TemporaryDirectory() as temporary:

        class Loaded(Flickr):  # type: ignore[misc]
            raw_dir = str(folder)
            processed_dir = temporary

        try:
            # PyG tells on standard error that it is processing.
            with contextlib.redirect_stderr(io.StringIO()):
                data: Any = Loaded(temporary)[0]
        except (OSError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{folder} cannot be read as Flickr: {error}") from error
    return data


def _download(raw: Path) -> Path:
    """Fetch the files from where PyG has them; each gets its name when it begins as it should."""
    from filelock import FileLock
    from torch_geometric.data import download_google_url
    from torch_geometric.datasets import Flickr

    ids = {name: getattr(Flickr, f"{name.partition('.')[0]}_id") for name in FILES}
    make_folder(raw)
    with FileLock(raw.parent / ".lock"):
        for name, start in FILES.items():
            if (raw / name).is_file():
                continue
            try:
                with atomic_path(raw / name) as temporary:
                    download_google_url(ids[name], str(raw), temporary.name, log=False)
                    with temporary.open("rb") as file:
                        if file.read(len(start)) != start:
                            raise DatasetError(f"what was sent for {name} is another file")
            except Exception as error:  # whatever the network raises, the remedy is the same
                raise DatasetError(
                    f"Flickr is not in {raw.parent} and cannot be downloaded ({type(error).__name__}: {error}). "
                    f"Without a network, put the files {', '.join(FILES)} into {raw}, or name their folder with "
                    "dataset.root."
                ) from error
    return raw
