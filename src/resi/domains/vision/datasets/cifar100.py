"""CIFAR-100: small photos in 100 classes, read from the official archive, which torchvision downloads."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from resi.domains.vision.datasets.base import ImageDataset, PublishedImages, Statistics, image_release
from resi.errors import DatasetError
from resi.fingerprints import fingerprint
from resi.specs import DatasetSpec

if TYPE_CHECKING:
    from pathlib import Path

    from resi.domains.vision.images import Images, Split
    from resi.domains.vision.settings import Alteration

# Raised when the code that turns files into images, splits or labels would give others.
RECIPE = 1
FOLDER = "cifar-100-python"
# md5 of the files of the official release. They are pickles, so none is opened before its hash is known.
FILES = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}
VALIDATION = 10_000


def locate(root: Path | None, downloads: Path, may_download: bool) -> DatasetSpec:
    """Find the three files, or download them through torchvision.

    They lie in ``cifar-100-python`` below ``root``, as the official archive has them.
    """
    base = root or downloads / "CIFAR100"
    folder = base / FOLDER
    if not folder.is_dir() and base.name == FOLDER and base.is_dir():
        base, folder = base.parent, base
    if not folder.is_dir() and root is None and may_download:
        _download(base)
    if not folder.is_dir():
        raise DatasetError(
            f"CIFAR-100 is not in {base}: expected the folder {FOLDER} of the official archive "
            "cifar-100-python.tar.gz there; another place is named with dataset.root"
        )
    for name, expected in FILES.items():
        path = folder / name
        if not path.is_file():
            raise DatasetError(f"{path} is missing; unpack cifar-100-python.tar.gz again into {base}")
        if _md5(path) != expected:
            raise DatasetError(f"{path} is damaged: it differs from the official release of CIFAR-100. Replace it.")
    return DatasetSpec("cifar100", base, fingerprint({"files": FILES, "recipe": RECIPE}))


def _download(base: Path) -> None:
    from torchvision import datasets

    from resi.store.downloads import download_lock

    with download_lock(base):
        if (base / FOLDER).is_dir():
            return
        try:
            datasets.CIFAR100(str(base), download=True)
        except Exception as error:  # for every error of the network, the remedy is the same
            raise DatasetError(
                f"CIFAR-100 is not in {base} and cannot be downloaded ({type(error).__name__}: {error}). Without a "
                f"network, unpack cifar-100-python.tar.gz into {base}, or name its folder with dataset.root."
            ) from error


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def load(dataset: DatasetSpec) -> Images:
    """Read the images through torchvision; the last fifth of the training images is for validation."""
    from torchvision import datasets

    root = str(dataset.folder)
    try:
        train, test = (datasets.CIFAR100(root, train=is_train, download=False) for is_train in (True, False))
    except RuntimeError as error:  # of a file that is not the release's any more
        raise DatasetError(f"CIFAR-100 in {root} cannot be read: {error}") from error
    cut = len(train.targets) - min(VALIDATION, len(train.targets) // 5)
    return CIFAR100.images(
        train=_split(train, "train", 0, cut),
        validation=_split(train, "train", cut, len(train.targets)),
        test=_split(test, "test", 0, len(test.targets)),
    )


def _split(data: Any, name: str, start: int, stop: int) -> Split:
    import numpy as np

    from resi.domains.vision.images import InMemory, Split

    ids = [f"{name} {index}" for index in range(start, stop)]
    return Split(ids, np.array(data.targets[start:stop], dtype=np.int64), InMemory(data.data[start:stop]))


def augment(image_size: int, alteration: Alteration) -> Any:
    """Return shifts, flips, AutoAugment and a cut-out square; flips alone where the augmentation is to be mild."""
    from torchvision.transforms import v2

    from resi.domains.vision.transforms import GREY, Cutout, augmented

    crops: list[Any] = [v2.Resize((image_size, image_size))]
    if alteration.strong:
        crops.append(v2.RandomCrop(image_size, padding=4, fill=GREY))
    crops.append(v2.RandomHorizontalFlip())
    # A square could hide the dot.
    after = [] if alteration.dots is not None else [Cutout()]
    return augmented(crops, "CIFAR10", strong=alteration.strong, after=after)


CIFAR100 = ImageDataset(
    "cifar100",
    "60000 images of 32 x 32 pixels, 100 classes; 10000 test images",
    "torchvision",
    size=355_000_000,
    image_size=32,
    classes=100,
    test_images=10_000,
    statistics=Statistics("cifar100", (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    dot_diameter=3,
    locate=locate,
    load=load,
    augment=augment,
    published=PublishedImages(
        names={
            "standard": "CIFAR100",
            "augmentation": "CIFAR100DataModule",
            "shortcut": "C100DataModule",
            "label_randomization": "C100_DataModule",
        },
        global_average_pooling=4,
        statistics=Statistics("cifar10", (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
        # Two are tossed, so that there are fewer dots of their class's colour than the levels say.
        coins=2,
        releases=(
            image_release("15148773", "normal_c100.tar.gz", "standard", "cifar100", 19_400_000_000),
            image_release("15148777", "shortcut_c100.tar.gz", "shortcut", "cifar100", 48_600_000_000),
            image_release("15148781", "randomlabel_c100.tar.gz", "label_randomization", "cifar100", 38_800_000_000),
            image_release("15148783", "augment_c100.tar.gz", "augmentation", "cifar100", 48_700_000_000),
        ),
    ),
)
