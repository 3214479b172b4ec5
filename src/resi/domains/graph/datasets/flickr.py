"""Flickr from PyG: found on disk or downloaded, hashed, and read by PyG's own loader."""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resi.domains.graph.datasets.base import GraphDataset
from resi.domains.graph.datasets.raw_files import RawFiles, fetch_missing
from resi.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from resi.domains.graph.data import Graph

# With the first bytes of each; none is a pickle.
FILES = {"adj_full.npz": b"PK", "feats.npy": b"\x93NUMPY", "class_map.json": b"{", "role.json": b"{"}
DRIVE = "https://drive.usercontent.google.com/download?id={}&confirm=t"
# No checksums are published. The largest file has 0.2 GB.
LIMIT = 2**30


def _read(folder: Path) -> Graph:
    """Read the raw files as PyG does; what PyG writes for itself goes to a temporary folder.

    Raises
    ------
    DatasetError
        If they are not in PyG's format.
    """
    from torch_geometric.datasets import Flickr

    from resi.domains.graph.data import from_pyg

    with tempfile.TemporaryDirectory() as temporary:

        class Loaded(Flickr):  # type: ignore[misc]
            raw_dir = str(folder)
            processed_dir = temporary

        try:
            # PyG prints to standard error that it is processing.
            with contextlib.redirect_stderr(io.StringIO()):
                data: Any = Loaded(temporary)[0]
        except (OSError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{folder} cannot be read as Flickr: {error}") from error
    graph = from_pyg(data)
    return replace(graph, probe=graph.probe.sort().values)


def _download(downloads: Path) -> Path:
    """Download the files from PyG's source; each gets its name after its first bytes are checked."""
    return fetch_missing("Flickr", tuple(FILES), downloads / "raw", downloads, _fetch)


def _fetch(path: Path) -> None:
    """Download one file; not with PyG's function, which trusts any server and has no size limit."""
    from torch_geometric.datasets import Flickr

    from resi.store.downloads import download

    fetched = path.with_name(f"{path.name}.fetched")
    download(DRIVE.format(getattr(Flickr, f"{path.name.partition('.')[0]}_id")), fetched, limit=LIMIT)
    start = FILES[path.name]
    with fetched.open("rb") as file:
        is_right = file.read(len(start)) == start
    if not is_right:
        fetched.unlink()
        raise DatasetError(f"the server sent another file for {path.name}")
    fetched.replace(path)


FLICKR = GraphDataset(
    "flickr",
    "89250 images, 500 tags, edges are shared properties, 7 classes; 10000 of 22313 test nodes",
    "PyG",
    size=250_000_000,
    probe_nodes=10_000,
    features=500,
    classes=7,
    find=RawFiles("Flickr", tuple(FILES), ("raw", ""), _download).find,
    read=_read,
    published_name="flickr",
)
