"""Releases downloaded, verified and unpacked into the folders where runs expect them."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.console import byte_progress, say
from resi.errors import DownloadError, count_of
from resi.machine.memory import format_bytes
from resi.published.choice import Choice, Selection, check_choice
from resi.published.releases import domain_of, releases
from resi.store.archives import is_archive, unpack
from resi.store.downloads import download, download_lock
from resi.store.files import atomic_path
from resi.store.root import Store
from resi.store.space import Step, check_space

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path, PurePosixPath

    from resi.domains.releases import Release
    from resi.published.records import Host, Remote

# Weights hardly compress: an archive that unpacks to many times its size holds something else.
LARGEST_RATIO = 20
UNPACKED_RATIO = 1.1
"""About how many times its size the content of an archive of weights has."""


@dataclass(frozen=True)
class Wanted:
    """The selected part of a release.

    Attributes
    ----------
    name : str
        What ``resi download`` calls it.
    id : str
        Identifier of the part; empty for the whole release.
    """

    name: str
    source: Release
    selection: Selection
    id: str = ""

    def place(self, member: PurePosixPath) -> PurePosixPath | None:
        """Return where a member of an archive goes below the release's folder, None for what is left out."""
        below = place(self.source, member)
        return below if below is not None and self.selection.has(self.source.folder / below) else None


@dataclass(frozen=True)
class Fetching:
    """A selected file of a record, and its local state.

    Attributes
    ----------
    root : Path
        The data root.
    keep_archive : bool
        Whether an archive stays after it is unpacked.
    """

    wanted: Wanted
    remote: Remote
    root: Path
    keep_archive: bool = False

    @property
    def is_packed(self) -> bool:
        """Whether it is an archive."""
        return is_archive(self.remote.name)

    @property
    def folder(self) -> Path:
        """Where its content goes."""
        return self.root / self.wanted.source.folder

    @property
    def path(self) -> Path:
        """Where it is downloaded to."""
        record = self.wanted.source.record or self.wanted.name
        return (Store(self.root).downloads / record if self.is_packed else self.folder) / self.remote.name

    @property
    def is_done(self) -> bool:
        """Whether the content is there; for an archive, a note records what has been unpacked."""
        if not self.is_packed:
            return self.path.is_file()
        return any(self._is_noted(mark) for mark in {"", self.wanted.id})

    @property
    def missing_bytes(self) -> int:
        """How many bytes are still to be downloaded."""
        if self.is_done or self.path.is_file():
            return 0
        part = self.path.with_name(f"{self.path.name}.part")
        return max(0, self.remote.size - (part.stat().st_size if part.is_file() else 0))

    @property
    def content_bytes(self) -> int:
        """About how many bytes unpacking will write."""
        if self.is_done or not self.is_packed:
            return 0
        return int(UNPACKED_RATIO * self.remote.size * self.wanted.selection.share)

    @property
    def step(self) -> Step:
        """What it does to the disk."""
        frees = 0 if self.keep_archive or not self.is_packed else self.missing_bytes
        return Step(self.path.parent, self.missing_bytes, self.folder, self.content_bytes, frees)

    def run(self) -> None:
        """Download and unpack it; existing files are not changed.

        Waits for another process that downloads from the same record.

        Raises
        ------
        DownloadError
            If it cannot be downloaded or unpacked.
        """
        with download_lock(self.path.parent):
            if self.is_packed and self.is_done:
                say(f"{self.remote.name} is unpacked in {self.folder}")
                return
            with byte_progress(self.remote.name, self.remote.size) as advance:
                about = {"checksum": self.remote.checksum, "limit": self.remote.size, "advance": advance}
                download(self.remote.url, self.path, **about)  # type: ignore[arg-type]
            if not self.is_packed:
                say(f"{self.remote.name} is at {self.path}")
                return
            _unpack(self.wanted, self.path, self.root)
            self._mark(self.wanted.id).write_text(self.remote.checksum, encoding="utf-8")
            if not self.keep_archive:
                self.path.unlink()

    def _mark(self, part: str) -> Path:
        """Return the file that notes what has been unpacked: everything, or a part."""
        return self.path.with_name(".".join(filter(None, (self.remote.name, part, "unpacked"))))

    def _is_noted(self, part: str) -> bool:
        mark = self._mark(part)
        return mark.is_file() and mark.read_text(encoding="utf-8") == self.remote.checksum


def wanted_of(name: str, choice: Choice) -> list[Wanted]:
    """Return the selected parts of the releases with a name; releases without selected models are left out.

    Raises
    ------
    UsageError
        If there is nothing of that kind in them.
    """
    sources, domain = releases()[name], domain_of(name)
    check_choice(name, domain, sources, choice)
    found = [Wanted(name, source, Selection(domain, source, choice), choice.id) for source in sources]
    return [wanted for wanted in found if not wanted.selection.is_empty]


def find(wanted: Iterable[Wanted], root: Path, host: Host, keep_archives: bool = False) -> list[Fetching]:
    """Return the files of what is wanted, as a host has them.

    Raises
    ------
    DownloadError, UsageError
        See :meth:`Host.find`.
    """
    found = [Fetching(one, remote, root, keep_archives) for one in wanted for remote in host.find(one.name, one.source)]
    return list({(one.path, one.wanted.id): one for one in found}.values())


def take(wanted: Sequence[Wanted], root: Path, archives: Path) -> None:
    """Unpack the selected content from a folder of archives downloaded by other means.

    Missing archives are reported, existing ones are unpacked.

    Raises
    ------
    DownloadError
        If the folder has none of them, or one is damaged.
    """
    for source, paths in given(wanted, archives):
        if not paths:
            say(f"{archives} does not contain {source.source.title}; left out")
        for path in paths:
            _put(source, path, root)


def given(wanted: Sequence[Wanted], archives: Path) -> list[tuple[Wanted, list[Path]]]:
    """Return which files of what is wanted a folder has.

    Raises
    ------
    DownloadError
        If it has none.
    """
    found = [(one, sorted(_matching(archives, one.source.files))) for one in wanted]
    if not any(paths for _, paths in found):
        names = ", ".join(dict.fromkeys(one.name for one in wanted))
        expected = ", ".join(one.source.title for one in wanted)
        raise DownloadError(f"{archives} contains no archive of {names}: expected {expected}")
    return found


def check_given(found: Sequence[tuple[Wanted, list[Path]]], root: Path) -> None:
    """Raise ``DownloadError`` if the disk lacks the space for the content of archives that are there."""
    check_space(
        Step(root, 0, root / one.source.folder, content_of(one, path)) for one, paths in found for path in paths
    )


def content_of(wanted: Wanted, path: Path) -> int:
    """Return about how many bytes of a file are wanted, unpacked."""
    ratio = UNPACKED_RATIO if is_archive(path.name) else 1
    return int(ratio * path.stat().st_size * wanted.selection.share)


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    return (path for path in folder.glob("*") if re.fullmatch(pattern, path.name))


def _put(wanted: Wanted, path: Path, root: Path) -> None:
    if is_archive(path.name):
        _unpack(wanted, path, root)
        return
    target = root / wanted.source.folder / path.name
    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)
    say(f"{path.name} is at {target}")


def _unpack(wanted: Wanted, path: Path, root: Path) -> None:
    folder = root / wanted.source.folder
    size = path.stat().st_size
    if size > 2**30:
        say(f"unpacking {path.name}, {format_bytes(size)}, into {folder}")
    unpacked = unpack(path, folder, limit=LARGEST_RATIO * size, place=wanted.place)
    if not unpacked:
        what = f"folder {wanted.source.first}" if not wanted.id else "model of those that are asked for"
        raise DownloadError(f"{path} holds no {what} to put into {folder}")
    say(f"{path.name}: {count_of(len(unpacked), 'file')} in {folder}")


def place(source: Release, member: PurePosixPath) -> PurePosixPath | None:
    """Return where a member of an archive goes below the source's folder, None for what is left out."""
    for index, part in enumerate(member.parts[:-1]):
        if re.fullmatch(source.first, part):
            below = type(member)(*member.parts[index:])
            return below if re.fullmatch(source.keep, str(below)) else None
    return None
