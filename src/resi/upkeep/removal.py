"""Removing items from a data root while other processes run: items they use or may read are kept.

An item is removed while its locks are held, after checking that it is unchanged since it was listed. Files are removed
one by one, for a run the manifest first: whenever this process is killed, what remains is complete or counts as a
leftover. A run that starts at the moment a file is removed recreates it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import StoreError
from resi.results.manifests import MANIFEST
from resi.results.stored import SHARD_NAME
from resi.store.locks import is_forsaken, lease_of, note_of, seems_held
from resi.store.root import Store, try_lock
from resi.sweeps import records
from resi.upkeep import forms
from resi.upkeep.finders import measured
from resi.upkeep.items import NEVER_REMOVED, Item

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ANY = ""
QUIET_SECONDS = 7 * 86400.0
"""An unfinished sweep counts as dead if none of its jobs has written for this long."""
LOOK_SECONDS = 1.0
IN_USE = "a process is working on it"


class Outcome(NamedTuple):
    """The outcome for an item.

    Attributes
    ----------
    freed : int
        Bytes; files with another hard link elsewhere do not count.
    kept : str
        Why it was not removed; empty if it was.
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
        """Return why an item must not be removed now; empty if it may be."""
        if refused := self._why_refused(item):
            return refused
        if item.kind == "sweeps" and not _has_ended(item):
            return "some of its jobs have not ended"
        if item.kind == "leftovers" and not item.reason:
            return IN_USE
        if any(seems_held(lock) for lock in item.locks):
            return IN_USE
        busy = self._running()
        if item.domain is not None and busy and (ANY in (item.domain, *busy) or item.domain in busy):
            return "a running run may read it"
        return ""

    def _why_refused(self, item: Item) -> str:
        """Return why a path is not removed whatever asks for it; empty if it has the form of its kind."""
        if item.kind == NEVER_REMOVED:
            return "it was not created by resi"
        if forms.is_link(item.path):
            return "it is a link, and links are never removed"
        if item.path.exists() and not forms.is_of(item.kind, item.path, self._store.root):
            return "it does not have the form of what resi creates"
        if item.kind in forms.BESIDE_LINKS and forms.behind_link(item.path, self._store.root):
            return "it lies behind a link, where only what resi names is removed"
        return ""

    def _running(self) -> set[str]:
        """Return the domains of running runs.

        All locks are checked again when a new lock or note on its holder appears, and every second, because on a full
        disk there is no note.
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
        """Remove items that no process is working on; yield the outcome for each.

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
                for lock in item.locks:
                    if is_forsaken(lease_of(lock)):
                        _unlink(lease_of(lock))
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
            return Outcome(item, kept="it has changed since it was listed")
        freed = _remove_all(item.kind, item.path)
        for lock in item.locks:
            if lock.parent == self._store.locks:
                _unlink(lock)
        return Outcome(item, freed)


def _domain(lock: str) -> str:
    """Return the domain of a run from its lock; any domain for other locks, as making one model may read another."""
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


def _remove_all(kind: str, path: Path) -> int:
    """Remove a file, or what resi has created of a folder; return the freed bytes, without those of locks."""
    files = sorted(forms.own_files(kind, path), key=lambda file: (file.suffix == ".lock", file.name != MANIFEST, file))
    freed = {file: _unlink(file) for file in files}
    for folder in forms.own_folders(kind, path, files):
        with contextlib.suppress(OSError):  # a link, or not empty: it has files of others, or has just been written to
            folder.rmdir()
    return sum(size for file, size in freed.items() if not file.name.endswith(forms.OF_LOCKS))


def _unlink(path: Path) -> int:
    try:
        state = path.lstat()
        if stat.S_ISLNK(state.st_mode):
            return 0
        path.unlink()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreError(
            f"cannot remove {path}: {error.strerror or error}. Run again as a user who may write to the data root."
        ) from error
    return state.st_size if state.st_nlink == 1 else 0
