"""The items of each kind in a data root, found without changing or locking anything."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError
from resi.pipeline.begun import stale_notes
from resi.results.output import LOCK as MERGE_LOCK
from resi.results.output import SCRATCH
from resi.results.shards import PARTS, Shard, is_shard
from resi.store.files import is_left_over, is_temporary, list_files
from resi.store.known_files import KnownFiles
from resi.store.locks import lease_of, note_of, seems_held
from resi.store.tensors import read_metadata
from resi.upkeep.items import Item

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from resi.store.root import Store

STORED_NAME = re.compile(r".+-s\d+-[0-9a-f]{12}\.safetensors")
SET_ASIDE = ".damaged"
OF_LOCKS = (".lock", ".lease", ".owner.json")
"""Lock files beside items; changes to them do not count as changes of the item."""


def measured(kind: str, path: Path, without: Collection[Path] = (), **about: Any) -> Item | None:
    """Return an item with its size; None if it is gone. Symbolic links are not followed; hard links count in full."""
    files, size, changed = 0, 0, 0.0
    for found in files_of(path):
        if found in without:
            continue
        with contextlib.suppress(OSError):
            state = found.lstat()
            files += 1
            size += state.st_size
            if not found.name.endswith(OF_LOCKS):
                changed = max(changed, state.st_mtime)
    try:
        return Item(kind, path, files, size, changed or path.lstat().st_mtime, **about)
    except OSError:
        return None


def files_of(path: Path) -> Iterator[Path]:
    """Yield the files of an item: the file itself, or all files in the folder."""
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    for folder, below, names in os.walk(path):
        for name in [*names, *(name for name in below if Path(folder, name).is_symlink())]:
            yield Path(folder, name)


def _items(*found: Item | None) -> Iterator[Item]:
    yield from (item for item in found if item is not None)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, by name."""
    if folder.is_dir():
        yield from sorted(files_of(folder))


def _leftover(path: Path, locks: tuple[Path, ...] = ()) -> Iterator[Item]:
    """Yield a leftover file, recognised by its name: it was being written, or was set aside."""
    if path.name.endswith(SET_ASIDE):
        yield from _items(measured("leftovers", path, locks=locks, reason="damaged, and set aside"))
    elif is_temporary(path.name):
        with contextlib.suppress(OSError):
            is_left = is_left_over(path)
            reason, note = ("its writer was killed", "") if is_left else ("", "maybe being written")
            yield from _items(measured("leftovers", path, locks=locks, reason=reason, note=note))


def _models(store: Store) -> Iterator[Item]:
    for path in _files_below(store.models):
        domain = path.relative_to(store.models).parts[0]
        if left := list(_leftover(path)):
            yield from left
        elif STORED_NAME.fullmatch(path.name) and path.parent.parent.parent.parent == store.models:
            yield from _stored("models", store, path, domain)
        else:
            yield from _items(measured("published", path, domain=""))


def _representations(store: Store) -> Iterator[Item]:
    for path in _files_below(store.representations):
        domain = path.relative_to(store.representations).parts[0]
        yield from list(_leftover(path)) or list(_stored("representations", store, path, domain))


def _stored(kind: str, store: Store, path: Path, domain: str) -> Iterator[Item]:
    """Yield a model or representation with the lock of the processes that compute it."""
    about = metadata(path)
    if about is None:
        note = "damaged: its run sets it aside and recomputes it" if path.exists() else ""
        yield from _items(measured(kind, path, domain=domain, note=note))
        return
    made = about.get("fingerprint") or f"{about.get('model')}-{about.get('probe')}"
    yield from _items(measured(kind, path, domain=domain, locks=(store.lock_path(str(made)),), about=about))


def metadata(path: Path) -> dict[str, Any] | None:
    """Return the metadata of a file of the store; None if it cannot be read."""
    try:
        return read_metadata(path)
    except (ArtifactError, OSError):
        return None


def _trainings(store: Store) -> Iterator[Item]:
    for path in list_files(store.unfinished, "*"):
        lock = (store.lock_path(path.name.partition(".")[0]),)
        if left := list(_leftover(path, lock)):
            yield from left
            continue
        found = measured("trainings", path, locks=lock)
        yield from _items(replace(found, reason="it is empty") if found and not found.files else found)


def _shards(store: Store) -> Iterator[Item]:
    for path in list_files(store.shards, "*"):
        lock = (store.lock_path(path.name),)
        shard = Shard(path)
        if is_shard(path):
            left = list_files(path / PARTS, ".*")
            kind = "shards" if shard.is_complete else "begun"
            yield from _items(measured(kind, path, left, locks=lock))
            for file in left:
                reason = "a part that a killed run was writing"
                yield from _items(measured("leftovers", file, locks=lock, reason=reason))
        elif shard.unfinished_table() is not None:
            yield from _items(measured("leftovers", path, locks=lock, reason="tables of a run killed at its end"))
        else:
            yield from _items(measured("other", path))


def _results(store: Store) -> Iterator[Item]:
    lock = (store.results / MERGE_LOCK,)
    if not store.results.is_dir():
        return
    left = list_files(store.results, f"{SCRATCH}*")
    for path in left:
        yield from _items(measured("leftovers", path, locks=lock, reason="of a killed merge"))
    inside = [file for path in left for file in files_of(path)]
    yield from _items(measured("results", store.results, inside, locks=lock))


def _datasets(store: Store) -> Iterator[Item]:
    for path in list_files(store.datasets, "*/*"):
        domain = path.parent.name
        yield from _items(measured("datasets", path, domain=domain, locks=_locks_in(path)))


def _locks_in(folder: Path) -> tuple[Path, ...]:
    return tuple(path for path in files_of(folder) if path.name.endswith(".lock"))


def _downloads(store: Store) -> Iterator[Item]:
    for path in _files_below(store.downloads):
        lock = path.parent / ".lock"
        if path == lock:
            continue
        unpacked = any(list_files(path.parent, f"{path.name}*.unpacked")) and path.suffix != ".unpacked"
        reason = "unpacked already" if unpacked else ""
        yield from _items(measured("downloads", path, locks=(lock,), reason=reason))
    for path in _files_below(store.published):
        yield from _items(measured("published", path))


def _caches(store: Store) -> Iterator[Item]:
    for path in list_files(store.cache, "*"):
        reason = "recreated when needed"
        yield from _items(measured("cache", path, locks=_locks_in(path), domain="", reason=reason))


def _sweeps(store: Store) -> Iterator[Item]:
    for path in list_files(store.sweeps, "*"):
        yield from _items(measured("sweeps", path))


def _sources(store: Store) -> Iterator[Item]:
    stale = dict.fromkeys(KnownFiles(store.root).stale_notes(), "its file is missing or has changed")
    stale |= dict.fromkeys(stale_notes(store), "its shard is missing")
    for path in _files_below(store.sources):
        if left := list(_leftover(path)):
            yield from left
        else:
            yield from _items(measured("sources", path, domain="", reason=stale.get(path, "")))


def _locks(store: Store) -> Iterator[Item]:
    for lock in store.lock_files():
        found = [state for path in (lock, note_of(lock), lease_of(lock)) if (state := _state(path)) is not None]
        held = seems_held(lock)
        yield Item(
            "locks",
            lock,
            len(found),
            sum(state.st_size for state in found),
            max((state.st_mtime for state in found), default=0.0),
            locks=(lock,),
            reason="" if held else "no process holds it",
            note="held" if held else "",
        )


def _state(path: Path) -> os.stat_result | None:
    with contextlib.suppress(OSError):
        return path.lstat()
    return None


def _others(store: Store) -> Iterator[Item]:
    known = {folder.name for folder in store.folders()}
    for path in list_files(store.root, "*"):
        if path.name in known:
            continue
        if path.name.startswith(".resi-doctor-"):
            yield from _items(measured("leftovers", path, reason="of a killed resi doctor"))
        else:
            yield from list(_leftover(path)) or _items(measured("other", path))


FINDERS = (
    *(_models, _representations, _trainings, _shards, _results, _datasets, _downloads, _caches, _sweeps, _sources),
    *(_locks, _others),
)
