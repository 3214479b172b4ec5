"""``resi prepare``: datasets whose archives do not have the layout that resi reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from resi.console import say, write
from resi.errors import UsageError

HOW = ("link", "move", "copy")


def main(words: list[str]) -> int:
    """Place the images, and say what is missing; return 0 if nothing is."""
    from resi.domains.vision.lookup import DOMAIN, image_dataset
    from resi.store.root import Store, default_root

    given = _parser().parse_args(words)
    dataset = image_dataset(given.dataset)
    archive = dataset.archive
    assert archive is not None  # noqa: S101 - the parser knows no others
    destination: Path = given.to or Store(default_root()).datasets / DOMAIN / dataset.folder
    if given.archive:
        if missing := archive.missing(given.archive):
            say(f"{given.archive} lacks {', '.join(missing)} of the archive {archive.name}")
        try:
            placed = archive.place(given.archive, destination, given.how)
        except OSError as error:
            say(f"resi prepare: {error}; another way is chosen with --how: {', '.join(HOW)}")
            return 1
        write(f"{placed} images placed in {destination}\n")
    if not destination.is_dir():
        raise UsageError(f"{destination} is not there; name the unpacked archive: resi prepare {dataset.name} FOLDER")
    problems = archive.problems(destination)
    for problem in problems:
        say(problem)
    found = f"{len(problems)} problems" if problems else f"all {dataset.classes} classes are complete"
    write(f"{destination}: {found}\n")
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    from resi.domains.vision.lookup import DOMAIN, image_datasets

    archives = {dataset.name: dataset.archive for dataset in image_datasets() if dataset.archive}
    about = "; ".join(archive.about for archive in archives.values())
    folders = [f"datasets/{DOMAIN}/{dataset.folder}" for dataset in image_datasets() if dataset.archive]
    parser = argparse.ArgumentParser(
        prog="resi prepare",
        description=f"Convert {about}, and check that every class has all its images. If "
        "interrupted, the same command resumes it.",
    )
    parser.add_argument("dataset", choices=list(archives))
    parser.add_argument(
        "archive", nargs="?", type=Path, metavar="FOLDER", help="the unpacked archive; without it, only check"
    )
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help=f"destination; default: {', '.join(folders)} of the data root"
    )
    parser.add_argument("--how", choices=HOW, default="link", help="link takes no space, on one file system")
    return parser
