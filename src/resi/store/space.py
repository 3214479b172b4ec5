"""Whether a disk has the space for what is about to be written."""

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
    """A file that is fetched, its content that is written, and what of it is deleted again.

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
    """What some steps need at most at one time of the disk that a folder is on.

    Attributes
    ----------
    folder : Path
        That exists.
    """

    folder: Path
    needed: int
    free: int


def needs(steps: Iterable[Step]) -> list[Need]:
    """Return what steps, one after another, need of each disk; nothing is written."""
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
    """Check that disks have the space for some steps.

    Raises
    ------
    DownloadError
        If one has not: the message says how much is needed.
    """
    for need in needs(steps):
        if need.free < need.needed:
            raise DownloadError(
                f"{need.folder} has {format_bytes(need.free)} free, but {format_bytes(need.needed)} are needed for "
                "what is to be fetched and its content; use --root"
            )


def existing(path: Path) -> Path:
    """Return a folder, or the nearest one above it that exists."""
    return next(found for found in (path, *path.parents) if found.exists())


def _disk(path: Path) -> int:
    return path.stat().st_dev
