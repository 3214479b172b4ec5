"""Where vision datasets lie on disk: found, downloaded where missing, and checked before anything is read."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from resi.domains.digits import hash_digits
from resi.errors import DatasetError
from resi.fingerprints import fingerprint
from resi.specs import DatasetSpec
from resi.store.root import make_folder

if TYPE_CHECKING:
    from pathlib import Path

# Raise a number when the code that turns files into images, splits or labels would give others.
DIGITS_RECIPE = 1
CIFAR100_RECIPE = 1
IMAGENET100_RECIPE = 1

CIFAR100_FOLDER = "cifar-100-python"
# md5 of the files of the official release. They are pickles, so none is opened before its hash is known.
CIFAR100 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}

WNIDS = tuple(
    """
    n01440764 n01443537 n01484850 n01491361 n01494475 n01496331 n01498041 n01514668 n01514859 n01531178 n01537544
    n01560419 n01582220 n01592084 n01601694 n01608432 n01614925 n01622779 n01630670 n01632458 n01632777 n01644900
    n01664065 n01665541 n01667114 n01667778 n01675722 n01677366 n01685808 n01687978 n01693334 n01695060 n01698640
    n01728572 n01729322 n01729977 n01734418 n01735189 n01739381 n01740131 n01742172 n01749939 n01751748 n01753488
    n01755581 n01756291 n01770081 n01770393 n01773157 n01773549 n01773797 n01774384 n01774750 n01775062 n01776313
    n01795545 n01796340 n01798484 n01806143 n01818515 n01819313 n01820546 n01824575 n01828970 n01829413 n01833805
    n01843383 n01847000 n01855672 n01860187 n01877812 n01883070 n01910747 n01914609 n01924916 n01930112 n01943899
    n01944390 n01950731 n01955084 n01968897 n01978287 n01978455 n01984695 n01985128 n01986214 n02002556 n02006656
    n02007558 n02011460 n02012849 n02013706 n02018207 n02018795 n02027492 n02028035 n02037110 n02051845 n02058221
    n02077923
    """.split()
)
"""The 100 classes of ImageNet100, in the order of their labels."""
IMAGES_PER_CLASS = {"train": 1300, "val": 50}


def locate_digits() -> DatasetSpec:
    """Hash the digits that come with scikit-learn, without importing it."""
    return DatasetSpec("digits", None, fingerprint({"files": hash_digits(), "recipe": DIGITS_RECIPE}))


def locate_cifar100(root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
    """Find the three files of CIFAR-100, or download them through torchvision.

    They lie in ``cifar-100-python`` below ``root``, as the official archive has them.
    """
    base = root or downloads
    folder = base / CIFAR100_FOLDER
    if not folder.is_dir() and base.name == CIFAR100_FOLDER and base.is_dir():
        base, folder = base.parent, base
    if not folder.is_dir() and root is None and may_download:
        _download_cifar100(base)
    if not folder.is_dir():
        raise DatasetError(
            f"CIFAR-100 is not in {base}: expected the folder {CIFAR100_FOLDER} of the official archive "
            "cifar-100-python.tar.gz there; another place is named with dataset.root"
        )
    for name, expected in CIFAR100.items():
        path = folder / name
        if not path.is_file():
            raise DatasetError(f"{path} is missing; unpack cifar-100-python.tar.gz again into {base}")
        if _md5(path) != expected:
            raise DatasetError(f"{path} is damaged: it differs from the official release of CIFAR-100. Replace it.")
    return DatasetSpec("cifar100", base, fingerprint({"files": CIFAR100, "recipe": CIFAR100_RECIPE}))


def locate_imagenet100(root: Path | None, downloads: Path) -> DatasetSpec:
    """Find ImageNet100 as ``resi prepare imagenet100`` lays it out: ``train`` and ``val``, a folder a class.

    Its content is known by names and sizes of all files: reading 16 GB for a hash would take longer than many a run.
    """
    folder = root or downloads
    if not (folder / "train").is_dir() or not (folder / "val").is_dir():
        raise DatasetError(
            f"ImageNet100 is not in {folder}: expected the folders train and val there. Download the archive "
            "ambityga/imagenet100 from Kaggle, unpack it, and run resi prepare imagenet100 ARCHIVE_FOLDER --to "
            f"{folder}; another place is named with dataset.root"
        )
    listing = list_imagenet100(folder)
    problems = check_imagenet100(listing)
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise DatasetError(f"{folder} is not ImageNet100: {'; '.join(problems[:3])}{more}")
    digest = hashlib.sha256()
    for name in (name for part in listing.values() for names in part.values() for name in names):
        digest.update(f"{name} {(folder / name).stat().st_size}\n".encode())
    content = {"files": digest.hexdigest(), "recipe": IMAGENET100_RECIPE}
    return DatasetSpec("imagenet100", folder, fingerprint(content))


def list_imagenet100(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Return the images by part and class, sorted, as paths relative to the folder."""
    return {
        part: {wnid: _images(folder, f"{part}/{wnid}") for wnid in _folders(folder / part)} for part in IMAGES_PER_CLASS
    }


def check_imagenet100(listing: dict[str, dict[str, list[str]]]) -> list[str]:
    """Return what a listing lacks of ImageNet100, one phrase each; nothing if it is whole."""
    problems = []
    for part, expected in IMAGES_PER_CLASS.items():
        found = listing[part]
        problems += [f"{part}/{wnid} is missing" for wnid in WNIDS if wnid not in found]
        problems += [f"{part}/{name} is no class of ImageNet100" for name in found if name not in WNIDS]
        problems += [
            f"{part}/{wnid} holds {len(names)} images instead of {expected}"
            for wnid, names in found.items()
            if wnid in WNIDS and len(names) != expected
        ]
    return problems


def _folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _images(folder: Path, inside: str) -> list[str]:
    with os.scandir(folder / inside) as entries:
        return sorted(f"{inside}/{entry.name}" for entry in entries if entry.name.upper().endswith(".JPEG"))


def _download_cifar100(base: Path) -> None:
    from filelock import FileLock
    from torchvision import datasets

    make_folder(base)
    with FileLock(base / ".lock"):
        if (base / CIFAR100_FOLDER).is_dir():
            return
        try:
            datasets.CIFAR100(str(base), download=True)
        except Exception as error:  # whatever the network raises, the remedy is the same
            raise DatasetError(
                f"CIFAR-100 is not in {base} and cannot be downloaded ({type(error).__name__}: {error}). Without a "
                f"network, unpack cifar-100-python.tar.gz into {base}, or name its folder with dataset.root."
            ) from error


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
