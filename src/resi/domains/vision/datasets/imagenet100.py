"""ImageNet100: 100 classes of ImageNet, from the layout of its Kaggle archive into the one that is read."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING, Any

from resi.domains.vision.datasets.base import ImageDataset, PublishedImages, Statistics, image_release
from resi.errors import DatasetError
from resi.fingerprints import fingerprint
from resi.specs import Archive, DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from resi.domains.vision.images import Images
    from resi.domains.vision.settings import Alteration

# Raised when the code that turns files into images, splits or labels would give others.
RECIPE = 1
FOLDER = "Imagenet100"
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

PARTS = {"train.X1": "train", "train.X2": "train", "train.X3": "train", "train.X4": "train", "val.X": "val"}
"""Folders of the archive, and where their images go."""
PLACE: dict[str, Callable[[Path, Path], object]] = {"link": os.link, "move": os.rename, "copy": shutil.copyfile}


def locate(root: Path | None, downloads: Path, may_download: bool) -> DatasetSpec:
    """Find ImageNet100 as ``resi prepare imagenet100`` lays it out: ``train`` and ``val``, one folder per class.

    Its content is known by names and sizes of all files: reading 16 GB for a hash would take longer than many a run.
    """
    del may_download  # Kaggle asks for an account
    folder = root or downloads / FOLDER
    if not (folder / "train").is_dir() or not (folder / "val").is_dir():
        raise DatasetError(
            f"ImageNet100 is not in {folder}: expected the folders train and val there. Download the archive "
            "ambityga/imagenet100 from Kaggle, unpack it, and run resi prepare imagenet100 ARCHIVE_FOLDER --to "
            f"{folder}; another place is named with dataset.root"
        )
    listing = list_images(folder)
    problems = check_listing(listing)
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise DatasetError(f"{folder} is not ImageNet100: {'; '.join(problems[:3])}{more}")
    digest = hashlib.sha256()
    for name in (name for part in listing.values() for names in part.values() for name in names):
        digest.update(f"{name} {(folder / name).stat().st_size}\n".encode())
    content = {"files": digest.hexdigest(), "recipe": RECIPE}
    return DatasetSpec("imagenet100", folder, fingerprint(content))


def list_images(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Return the images by part and class, sorted, as paths relative to the folder."""
    return {
        part: {wnid: _images(folder, f"{part}/{wnid}") for wnid in _folders(folder / part)} for part in IMAGES_PER_CLASS
    }


def check_listing(listing: dict[str, dict[str, list[str]]]) -> list[str]:
    """Return what a listing lacks of ImageNet100, one phrase each; nothing if it is whole."""
    problems = []
    for part, expected in IMAGES_PER_CLASS.items():
        found = listing[part]
        problems += [f"{part}/{wnid} is missing" for wnid in WNIDS if wnid not in found]
        problems += [f"{part}/{name} is not a class of ImageNet100" for name in found if name not in WNIDS]
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


def load(dataset: DatasetSpec) -> Images:
    """List the images: the first tenth of every class's training images, sorted by name, is for validation.

    Test images are shuffled once for all, so that a part of them holds all classes.
    """
    import numpy as np

    from resi.domains.vision.images import OnDisk, Split
    from resi.randomness import generator

    folder = dataset.folder
    assert folder is not None  # noqa: S101 - locate() found it
    listing = list_images(folder)
    validation, train = [], []
    for names in listing["train"].values():
        cut = len(names) // 10
        validation += names[:cut]
        train += names[cut:]
    test = [name for names in listing["val"].values() for name in names]
    generator(0, "imagenet100 test order").shuffle(test)
    classes = {wnid: label for label, wnid in enumerate(listing["train"])}

    def split(names: list[str]) -> Split:
        labels = np.array([classes[name.split("/")[1]] for name in names], dtype=np.int64)
        return Split(names, labels, OnDisk(folder, names))

    return IMAGENET100.images(split(train), split(validation), split(test), classes=len(classes))


def augment(image_size: int, alteration: Alteration) -> Any:
    """Return random resized crops, flips and AutoAugment; mild crops and flips where the augmentation is to be mild."""
    from resi.domains.vision.transforms import RandomResizedCropAndFlip, augmented

    mild = {} if alteration.strong else {"scale": (0.75, 1.0)}
    return augmented([RandomResizedCropAndFlip(image_size, **mild)], "IMAGENET", strong=alteration.strong)


def _missing_parts(archive: Path) -> list[str]:
    """Return the folders that the unpacked archive lacks."""
    return [part for part in PARTS if not (archive / part).is_dir()]


def _place_images(archive: Path, destination: Path, how: str) -> int:
    """Place the images of the archive; return how many were not there yet.

    Parameters
    ----------
    how : {"link", "move", "copy"}
    """
    return sum(_place_part(archive / part, destination / target, PLACE[how]) for part, target in PARTS.items())


def _place_part(source: Path, target: Path, put: Callable[[Path, Path], object]) -> int:
    placed = 0
    for folder in sorted(path for path in source.glob("n*") if path.is_dir()):
        (target / folder.name).mkdir(parents=True, exist_ok=True)
        for image in folder.iterdir():
            path = target / folder.name / image.name
            if not path.exists():
                # Under another name first, so that a stopped copy is not taken for the image.
                temporary = path.with_name(f".{path.name}.part")
                temporary.unlink(missing_ok=True)
                put(image, temporary)
                temporary.rename(path)
                placed += 1
    return placed


IMAGENET100 = ImageDataset(
    "imagenet100",
    "100 classes of ImageNet, 130000 training images; 5000 test images",
    "Kaggle, ambityga/imagenet100",
    size=16_000_000_000,
    by_hand="Kaggle asks for an account: download ambityga/imagenet100 there, unpack it, and run resi prepare "
    "imagenet100 ARCHIVE_FOLDER",
    image_size=224,
    classes=100,
    test_images=5000,
    statistics=Statistics("imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    dot_diameter=5,
    locate=locate,
    load=load,
    augment=augment,
    published=PublishedImages(
        names={
            "standard": "ImageNet100",
            "augmentation": "ImageNet100DataModule",
            "shortcut": "ImageNet100DataModule",
            "label_randomization": "IN100_DataModule",
        },
        global_average_pooling=5,
        releases=(
            image_release("11544180", "normal_imagenet100.zip", "standard", "imagenet100"),
            image_release("11544180", "shortcut_imagenet100.zip", "shortcut", "imagenet100"),
            image_release("11548523", "augment_imagenet100.zip", "augmentation", "imagenet100"),
            image_release("11548523", "randomlabel_imagenet100.zip", "label_randomization", "imagenet100"),
        ),
    ),
    archive=Archive(
        name="ambityga/imagenet100",
        about="ImageNet100 from the layout of its Kaggle archive (ambityga/imagenet100: train.X1 to train.X4 and "
        "val.X, one folder per class) to the one that resi reads (train and val)",
        folder=FOLDER,
        missing=_missing_parts,
        place=_place_images,
        problems=lambda folder: check_listing(list_images(folder)),
        files="images",
        complete=f"all {len(WNIDS)} classes are complete",
    ),
)
