"""Things removed from a data root beside running processes: what one of them works on, or may read, is kept.

A thing is removed while its locks are held, after a look at whether it is still what was listed. Files go one by one,
each at once, and of a run the manifest first: whenever this process is killed, what is left is whole, or counts as left
over. A run that begins at the very moment in which a file goes makes it again.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import StoreError
from resi.results.manifests import MANIFEST
from resi.results.stored import SHARD_NAME
from resi.store.locks import note_of, seems_held
from resi.store.root import Store, try_lock
from resi.sweeps import records
from resi.upkeep.finders import files_of, measured
from resi.upkeep.items import NEVER_REMOVED, Item

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ANY = ""
QUIET_SECONDS = 7 * 86400.0
"""A sweep whose jobs have not all ended counts as dead when none has written for so long."""
LOOK_SECONDS = 1.0
IN_USE = "a process is working on it"


class Outcome(NamedTuple):
    """What became of an item.

    Attributes
    ----------
    freed : int
        Bytes; those of files that have another name elsewhere are not freed.
    kept : str
        Why it was not removed; empty where it was.
    """

    item: Item
    freed: int = 0
    kept: str = ""


class Remover:
    """Removes items of one data root.

    Parameters
    ----------
    root : Path
        The data root.
    """

    def __init__(self, root: Path) -> None:
        self._store = Store(root)
        self._seen: set[str] = set()
        self._looked = -LOOK_SECONDS
        self._busy: set[str] = set()

    def why_kept(self, item: Item) -> str:
        """Return why an item must not be removed now; empty if it may."""
        if item.kind == NEVER_REMOVED:
            return "it is not of resi"
        if item.kind == "sweeps" and not _has_ended(item):
            return "its jobs have not all ended"
        if item.kind == "leftovers" and not item.reason:
            return IN_USE
        if any(seems_held(lock) for lock in item.locks):
            return IN_USE
        busy = self._running()
        if item.domain is not None and busy and (ANY in (item.domain, *busy) or item.domain in busy):
            return "a run is going on that may read it"
        return ""

    def _running(self) -> set[str]:
        """Return the domains of which runs are going on.

        All locks are looked at again when one that was not there has come, with the note on its holder, and every
        second, as on a full disk there is no note.
        """
        names: set[str] = set()
        with contextlib.suppress(FileNotFoundError):
            names.update(os.listdir(self._store.locks))  # noqa: PTH208 - thousands of names, for every item
        if not names <= self._seen or time.monotonic() - self._looked > LOOK_SECONDS:
            self._busy = {_domain(lock.stem) for lock in self._store.lock_files() if seems_held(lock)}
            self._looked = time.monotonic()
        self._seen = names
        return self._busy

    def remove(self, items: Iterable[Item]) -> Iterator[Outcome]:
        """Remove items that no process works on; yield what became of each.

        Raises
        ------
        StoreError
            If a file cannot be removed.
        """
        for item in items:
            if kept := self.why_kept(item):
                yield Outcome(item, kept=kept)
                continue
            with contextlib.ExitStack() as stack:
                if not all(stack.enter_context(try_lock(lock)) for lock in item.locks):
                    yield Outcome(item, kept=IN_USE)
                    continue
                yield self._remove(item)

    def _remove(self, item: Item) -> Outcome:
        """Remove an item whose locks are held."""
        if item.kind == "locks":
            for path in (note_of(item.path), item.path):
                _unlink(path)
            return Outcome(item, item.size)  # without the note of this process
        now = measured(item.kind, item.path)
        if now is None:
            return Outcome(item, kept="it is gone")
        if now.changed > item.changed:
            return Outcome(item, kept="it has changed meanwhile")
        freed = _remove_all(item.path)
        for lock in item.locks:
            if lock.parent == self._store.locks:
                freed += _unlink(lock)
        return Outcome(item, freed)


def _domain(lock: str) -> str:
    """Return the domain of a run by its lock; of other locks any: who makes one model may read another."""
    found = SHARD_NAME.fullmatch(lock)
    return found["domain"] if found else ANY


def _has_ended(item: Item) -> bool:
    if time.time() - item.changed > QUIET_SECONDS:
        return True
    try:
        jobs = records.read_jobs(item.path)
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return bool(jobs) and all(job["outcome"] not in (records.STARTED, records.NOT_RUN) for job in jobs)


def _remove_all(path: Path) -> int:
    """Remove a file, or a folder with all that is in it; return the bytes that are freed."""
    if path.is_symlink() or not path.is_dir():
        return _unlink(path)
    files = sorted(files_of(path), key=lambda file: (file.suffix == ".lock", file.name != MANIFEST, file))
    freed = sum(map(_unlink, files))
    for folder, _, _ in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):  # something was written there meanwhile
            os.rmdir(folder)  # noqa: PTH106 - a text, as os.walk gives it
    return freed


def _unlink(path: Path) -> int:
    try:
        state = path.lstat()
        path.unlink()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreError(
            f"cannot remove {path}: {error.strerror or error}. Who may write to the data root can remove it."
        ) from error
    return state.st_size if state.st_nlink == 1 else 0
