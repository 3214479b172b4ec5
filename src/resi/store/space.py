"""Whether a disk has enough space for planned writes."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DownloadError
from resi.machine.memory import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Step(NamedTuple):
    """A file that is downloaded and unpacked, and the bytes that are deleted afterwards.

    Attributes
    ----------
    place : Path
        Where the file goes; maybe on another disk than its content.
    fetched : int
        Bytes.
    folder : Path
        Where its content goes.
    content : int
        Bytes.
    freed : int
        Bytes of the file that are deleted when its content is there.
    """

    place: Path
    fetched: int
    folder: Path
    content: int = 0
    freed: int = 0


class Need(NamedTuple):
    """The peak space that some steps need on the disk of a folder.

    Attributes
    ----------
    folder : Path
        An existing folder on the disk.
    """

    folder: Path
    needed: int
    free: int


def needs(steps: Iterable[Step]) -> list[Need]:
    """Return the peak space that consecutive steps need on each disk; nothing is written."""
    now: Counter[int] = Counter()
    most: dict[int, Need] = {}
    for step in steps:
        place, folder = existing(step.place), existing(step.folder)
        now[_disk(place)] += step.fetched
        now[_disk(folder)] += step.content
        for one in (folder, place):
            known = most.get(_disk(one))
            needed = max(now[_disk(one)], known.needed if known else 0)
            most[_disk(one)] = Need(known.folder if known else one, needed, shutil.disk_usage(one).free)
        now[_disk(place)] -= step.freed
    return list(most.values())


def check_space(steps: Iterable[Step]) -> None:
    """Check that the disks have enough space for some steps.

    Raises
    ------
    DownloadError
        If a disk has too little space; the message says how much is needed.
    """
    for need in needs(steps):
        if need.free < need.needed:
            raise DownloadError(
                f"{need.folder} has {format_bytes(need.free)} free, but {format_bytes(need.needed)} are needed for "
                "the download and its content; choose another data root with --root"
            )


def existing(path: Path) -> Path:
    """Return a folder, or the nearest one above it that exists."""
    return next(found for found in (path, *path.parents) if found.exists())


def _disk(path: Path) -> int:
    return path.stat().st_dev
