"""Bring ImageNet100 from the layout of its Kaggle archive (ambityga/imagenet100) into the one that resi reads.

The archive has the training images in train.X1 to train.X4 and the validation images in val.X, a folder a class. They
become SOURCE -> DESTINATION/train and DESTINATION/val; then the 100 classes and the number of images of each are checked.

    python scripts/prepare_imagenet100.py ARCHIVE_FOLDER experiments/datasets/vision/Imagenet100

Run again, it goes on where it was stopped; with a destination alone, it only checks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from resi.domains.vision.files import check_imagenet100, list_imagenet100

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = {"train.X1": "train", "train.X2": "train", "train.X3": "train", "train.X4": "train", "val.X": "val"}
PLACE: dict[str, Callable[[Path, Path], object]] = {"link": os.link, "move": os.rename, "copy": shutil.copyfile}


def main(arguments: list[str] | None = None) -> int:
    """Place the images, and say what is missing; return 0 if nothing is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="the archive's folder, the destination")
    parser.add_argument("--how", choices=PLACE, default="link", help="link takes no space, on one file system")
    given = parser.parse_args(arguments)
    if len(given.folders) > 2:
        parser.error("expected the archive's folder and the destination")
    destination: Path = given.folders[-1]
    if len(given.folders) == 2:
        source = given.folders[0]
        missing = [part for part in PARTS if not (source / part).is_dir()]
        if missing:
            print(f"{source} lacks {', '.join(missing)} of the archive ambityga/imagenet100", file=sys.stderr)
        try:
            placed = sum(place(source / part, destination / PARTS[part], given.how) for part in PARTS)
        except OSError as error:
            print(f"{error}; another way is chosen with --how: {', '.join(PLACE)}", file=sys.stderr)
            return 1
        print(f"{placed} images placed in {destination}")
    return report(destination)


def place(source: Path, target: Path, how: str) -> int:
    """Place the images of one part of the archive; return how many were not there yet."""
    placed = 0
    for folder in sorted(path for path in source.glob("n*") if path.is_dir()):
        (target / folder.name).mkdir(parents=True, exist_ok=True)
        for image in folder.iterdir():
            path = target / folder.name / image.name
            if not path.exists():
                # Under another name first, so that a stopped copy is not taken for the image.
                temporary = path.with_name(f".{path.name}.part")
                temporary.unlink(missing_ok=True)
                PLACE[how](image, temporary)
                temporary.rename(path)
                placed += 1
    return placed


def report(destination: Path) -> int:
    """Print what is missing, one line each; return 0 if nothing is."""
    problems = check_imagenet100(list_imagenet100(destination))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{destination}: {f'{len(problems)} problems' if problems else 'all 100 classes are complete'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
