"""ImageNet100 from the layout of its Kaggle archive, in parts, into one folder for training and one for validation."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARTS = {"train.X1": "train", "train.X2": "train", "train.X3": "train", "train.X4": "train", "val.X": "val"}
PLACE: dict[str, Callable[[Path, Path], object]] = {"link": os.link, "move": os.rename, "copy": shutil.copyfile}


def missing_parts(archive: Path) -> list[str]:
    """Return the folders that the unpacked archive lacks."""
    return [part for part in PARTS if not (archive / part).is_dir()]


def place_images(archive: Path, destination: Path, how: str) -> int:
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
