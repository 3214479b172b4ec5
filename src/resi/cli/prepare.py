"""``resi prepare``: datasets whose archives do not have the layout that resi reads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from resi.console import say, write
from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi.specs import Archive

HOW = ("link", "move", "copy")


def main(words: list[str]) -> int:
    """Place the files, and say what is missing; return 0 if nothing is."""
    from resi.store.root import Store, default_root

    known = _archives()
    given = _parser(known).parse_args(words)
    domain, archive = known[given.dataset]
    destination: Path = given.to or Store(default_root()).datasets / domain / archive.folder
    if given.archive:
        if missing := archive.missing(given.archive):
            say(f"{given.archive} lacks {', '.join(missing)} of the archive {archive.name}")
        try:
            placed = archive.place(given.archive, destination, given.how)
        except OSError as error:
            say(f"resi prepare: {error}; another way is chosen with --how: {', '.join(HOW)}")
            return 1
        write(f"{placed} {archive.files} placed in {destination}\n")
    if not destination.is_dir():
        raise UsageError(f"{destination} is not there; name the unpacked archive: resi prepare {given.dataset} FOLDER")
    problems = archive.problems(destination)
    for problem in problems:
        say(problem)
    found = f"{len(problems)} problems" if problems else archive.complete
    write(f"{destination}: {found}\n")
    return 1 if problems else 0


def _archives() -> dict[str, tuple[str, Archive]]:
    """Return the archives of the datasets of all domains, each with the name of the domain."""
    from resi import registry

    return {
        dataset.name: (domain.name, dataset.archive)
        for domain in registry.usable_domains()
        for dataset in domain.datasets()
        if dataset.archive
    }


def _parser(known: Mapping[str, tuple[str, Archive]]) -> argparse.ArgumentParser:
    about = "; ".join(archive.about for _, archive in known.values())
    folders = [f"datasets/{domain}/{archive.folder}" for domain, archive in known.values()]
    parser = argparse.ArgumentParser(
        prog="resi prepare",
        description=f"Convert {about}, and check that nothing is missing. If interrupted, the same command resumes it.",
    )
    parser.add_argument("dataset", choices=list(known), help="the dataset of the archive")
    parser.add_argument(
        "archive", nargs="?", type=Path, metavar="FOLDER", help="the unpacked archive; without it, only check"
    )
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help=f"destination; default: {', '.join(folders)} of the data root"
    )
    parser.add_argument("--how", choices=HOW, default="link", help="link takes no space, on one file system")
    return parser
