"""``resi prepare``: datasets whose archives do not have the layout that resi reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from resi.console import say, write
from resi.errors import UsageError

HOW = ("link", "move", "copy")


def main(words: list[str]) -> int:
    """Place the images, and say what is missing; return 0 if nothing is."""
    from resi.domains.vision.files import check_imagenet100, list_imagenet100
    from resi.domains.vision.imagenet100 import missing_parts, place_images
    from resi.store.root import Store, default_root

    parser = argparse.ArgumentParser(
        prog="resi prepare",
        description="Bring ImageNet100 from the layout of its Kaggle archive (ambityga/imagenet100: train.X1 to "
        "train.X4 and val.X, a folder a class) into the one that resi reads (train and val), and check that every "
        "class has all its images. Run again, it goes on where it was stopped.",
    )
    parser.add_argument("dataset", choices=["imagenet100"])
    parser.add_argument(
        "archive", nargs="?", type=Path, metavar="FOLDER", help="the unpacked archive; none: check alone"
    )
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help="destination; default: datasets/vision/Imagenet100 of the data root"
    )
    parser.add_argument("--how", choices=HOW, default="link", help="link takes no space, on one file system")
    given = parser.parse_args(words)
    destination: Path = given.to or Store(default_root()).datasets / "vision" / "Imagenet100"
    if given.archive:
        if missing := missing_parts(given.archive):
            say(f"{given.archive} lacks {', '.join(missing)} of the archive ambityga/imagenet100")
        try:
            placed = place_images(given.archive, destination, given.how)
        except OSError as error:
            say(f"resi prepare: {error}; another way is chosen with --how: {', '.join(HOW)}")
            return 1
        write(f"{placed} images placed in {destination}\n")
    if not destination.is_dir():
        raise UsageError(f"{destination} is not there; name the unpacked archive: resi prepare imagenet100 FOLDER")
    problems = check_imagenet100(list_imagenet100(destination))
    for problem in problems:
        say(problem)
    found = f"{len(problems)} problems" if problems else "all 100 classes are complete"
    write(f"{destination}: {found}\n")
    return 1 if problems else 0
