"""Flickr, as PyG has it: found on disk or downloaded, hashed, and read by PyG's own loader."""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
from typing import TYPE_CHECKING, Any

from resi.errors import DatasetError, ResiError
from resi.fingerprints import fingerprint, hash_file
from resi.specs import DatasetSpec
from resi.store.root import make_folder

if TYPE_CHECKING:
    from pathlib import Path

    from torch_geometric.data import Data

# With the first bytes of each; none is a pickle.
FILES = {"adj_full.npz": b"PK", "feats.npy": b"\x93NUMPY", "class_map.json": b"{", "role.json": b"{"}
DRIVE = "https://drive.usercontent.google.com/download?id={}&confirm=t"
# No checksums are published. The largest file has 0.2 GB.
LIMIT = 2**30
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

    make_folder(raw)
    with FileLock(raw.parent / ".lock"):
        for name in FILES:
            if (raw / name).is_file():
                continue
            try:
                _fetch(raw / name)
            except ResiError as error:
                raise DatasetError(
                    f"Flickr is not in {raw.parent} and cannot be downloaded ({error}). "
                    f"Without a network, put the files {', '.join(FILES)} into {raw}, or name their folder with "
                    "dataset.root."
                ) from error
    return raw


def _fetch(path: Path) -> None:
    """Fetch one file; not by PyG's own function, which trusts any server and takes any amount."""
    from torch_geometric.datasets import Flickr

    from resi.store.downloads import download

    fetched = path.with_name(f"{path.name}.fetched")
    download(DRIVE.format(getattr(Flickr, f"{path.name.partition('.')[0]}_id")), fetched, limit=LIMIT)
    start = FILES[path.name]
    with fetched.open("rb") as file:
        is_right = file.read(len(start)) == start
    if not is_right:
        fetched.unlink()
        raise DatasetError(f"what was sent for {path.name} is another file")
    fetched.replace(path)
