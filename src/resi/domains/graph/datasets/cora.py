"""Cora from the Planetoid release: found on disk or downloaded, and verified before it is read."""

from __future__ import annotations

import hashlib
import pickle
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from resi.domains.graph.datasets.base import GraphDataset
from resi.domains.graph.datasets.raw_files import RawFiles, fetch_missing
from resi.errors import DatasetError

if TYPE_CHECKING:
    from resi.domains.graph.data import Graph

# sha256 of the Planetoid release. The files are pickles, so none is opened before its hash is known.
FILES = {
    "ind.cora.allx": "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543",
    "ind.cora.ally": "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71",
    "ind.cora.graph": "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d",
    "ind.cora.test.index": "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875",
    "ind.cora.tx": "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a",
    "ind.cora.ty": "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad",
    "ind.cora.x": "23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab",
    "ind.cora.y": "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1",
}

# Bytes of its largest file: 0.6 MB.
LIMIT = 2**24


def read_checked(path: Path) -> bytes:
    """Return the verified content of one of the files of the release.

    Raises
    ------
    DatasetError
        If it differs from the release.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != FILES[path.name]:
        raise DatasetError(f"{path} is damaged: it differs from the Planetoid release of Cora. Replace it.")
    return content


def _read(folder: Path) -> Graph:
    from torch_geometric.io import read_planetoid_data
    from torch_geometric.transforms import NormalizeFeatures

    from resi.domains.graph.data import from_pyg

    try:
        # PyG reads pickles by their names: it gets copies, so that what is opened is what was hashed.
        with tempfile.TemporaryDirectory() as copies:
            for name in FILES:
                (Path(copies) / name).write_bytes(read_checked(folder / name))
            data = NormalizeFeatures()(read_planetoid_data(copies, "cora"))
    except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DatasetError(f"{folder} cannot be read as Cora: {error}") from error
    return from_pyg(data)


def _hash(path: Path) -> str:
    read_checked(path)
    return FILES[path.name]


def _download(downloads: Path) -> Path:
    """Download the files from the source of PyG's Planetoid; each is verified before it gets its name."""
    return fetch_missing("Cora", tuple(FILES), downloads / "Cora" / "raw", downloads, _fetch)


def _fetch(path: Path) -> None:
    """Download one file; not with PyG's function, which trusts any server and has no size limit."""
    from torch_geometric.datasets import Planetoid

    from resi.store.downloads import download

    download(f"{Planetoid.url}/{path.name}", path, checksum=f"sha256:{FILES[path.name]}", limit=LIMIT)


CORA = GraphDataset(
    "cora",
    "2708 papers, 1433 words, edges are citations, 7 fields; 1000 test nodes",
    "PyG",
    size=1_200_000,
    probe_nodes=1000,
    features=1433,
    classes=7,
    # The last one is where PyG has them.
    find=RawFiles("Cora", tuple(FILES), ("raw", "", "Cora/raw"), _download, _hash).find,
    read=_read,
    published_name="cora",
)
