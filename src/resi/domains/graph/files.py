"""Where graph datasets lie on disk: found, downloaded where missing, and checked before anything is read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from resi.domains.digits import hash_digits
from resi.errors import DatasetError, ResiError
from resi.fingerprints import fingerprint
from resi.specs import DatasetSpec
from resi.store.root import make_folder

if TYPE_CHECKING:
    from pathlib import Path

# sha256 of the Planetoid release of Cora. The files are pickles, so none is opened before its hash is known.
CORA = {
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
CORA_LIMIT = 2**24

# Raise a number when the code that turns files into graphs would give another graph.
CORA_RECIPE = 1
DIGITS_RECIPE = 1


def locate_cora(root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
    """Find the eight raw files of Cora, or download them through PyG.

    They may lie in ``root`` itself or in ``root/raw`` (also ``root/Cora/raw``, as PyG lays them out).
    """
    folder = _find_cora(root or downloads)
    if root is None and folder in (None, downloads / "Cora" / "raw") and may_download:
        folder = _download_cora(downloads)
    if folder is None and root is None:
        raise DatasetError(f"Cora is not in {downloads} yet; a run downloads it, or reads it from dataset.root=FOLDER")
    if folder is None:
        raise DatasetError(
            f"dataset.root={root} holds no Cora: expected the files {', '.join(CORA)} there or in {root}/raw"
        )
    for name in CORA:
        if not (folder / name).is_file():
            raise DatasetError(f"{folder / name} is missing; Cora needs the files {', '.join(CORA)} in one folder")
        read_cora(folder / name)
    return DatasetSpec("cora", folder, fingerprint({"files": CORA, "recipe": CORA_RECIPE}))


def read_cora(path: Path) -> bytes:
    """Return the content of one of Cora's files, which is that of the release."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != CORA[path.name]:
        raise DatasetError(f"{path} is damaged: it differs from the Planetoid release of Cora. Replace it.")
    return content


def locate_digits_knn() -> DatasetSpec:
    """Hash the digits that come with scikit-learn, without importing it."""
    return DatasetSpec("digits_knn", None, fingerprint({"files": hash_digits(), "recipe": DIGITS_RECIPE}))


def _find_cora(root: Path) -> Path | None:
    for folder in (root / "raw", root, root / "Cora" / "raw"):
        if any((folder / name).exists() for name in CORA):
            return folder
    return None


def _download_cora(downloads: Path) -> Path:
    """Fetch the files from where PyG's Planetoid has them; each is checked before it gets its name."""
    from filelock import FileLock
    from torch_geometric.datasets import Planetoid

    from resi.store.downloads import download

    raw = downloads / "Cora" / "raw"
    make_folder(raw)
    with FileLock(downloads / ".lock"):
        for name, expected in CORA.items():
            if (raw / name).is_file():
                continue
            try:
                # Not by PyG's own function, which trusts any server and takes any amount.
                download(f"{Planetoid.url}/{name}", raw / name, checksum=f"sha256:{expected}", limit=CORA_LIMIT)
            except ResiError as error:
                raise DatasetError(
                    f"Cora is not in {downloads} and cannot be downloaded ({error}). Without a "
                    f"network, put the files {', '.join(CORA)} into {raw}, or name their folder with dataset.root."
                ) from error
    return raw
