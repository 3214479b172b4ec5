"""The items of each kind in a data root, found without changing or locking anything."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError
from resi.pipeline.begun import stale_notes
from resi.results.output import LOCK as MERGE_LOCK
from resi.results.output import SCRATCH
from resi.results.shards import PARTS, Shard
from resi.store.files import is_left_over, is_temporary, list_files
from resi.store.known_files import KnownFiles
from resi.store.locks import lease_of, note_of, seems_held
from resi.store.tensors import read_metadata
from resi.upkeep import forms
from resi.upkeep.forms import OF_LOCKS, files_below, foreign_files, is_of, own_files
from resi.upkeep.items import Item

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from resi.store.root import Store


def measured(kind: str, path: Path, without: Collection[Path] = (), **about: Any) -> Item | None:
    """Return an item with its size; None if it is gone. Hard links count in full, and links as themselves."""
    files, size, changed = 0, 0, 0.0
    for found in own_files(kind, path) if kind != "other" else forms.files_of(path):
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


def _items(*found: Item | None) -> Iterator[Item]:
    yield from (item for item in found if item is not None)


def _other(*paths: Path) -> Iterator[Item]:
    for path in paths:
        yield from _items(measured("other", path))


def _leftover(path: Path, store: Store, locks: tuple[Path, ...] = ()) -> Iterator[Item]:
    """Yield a leftover file, recognised by its name: it was being written, or was set aside."""
    if not forms.is_leftover(path, store.root):
        return
    if path.name.endswith(forms.SET_ASIDE):
        yield from _items(measured("leftovers", path, locks=locks, reason="damaged, and set aside"))
    elif is_temporary(path.name):
        with contextlib.suppress(OSError):
            is_left = is_left_over(path)
            reason, note = ("its writer was killed", "") if is_left else ("", "maybe being written")
            yield from _items(measured("leftovers", path, locks=locks, reason=reason, note=note))


def _models(store: Store) -> Iterator[Item]:
    for path in files_below(store.models):
        if left := list(_leftover(path, store)):
            yield from left
        elif is_of("models", path, store.root):
            yield from _stored("models", store, path, path.relative_to(store.models).parts[0])
        elif is_of("published", path, store.root):
            yield from _items(measured("published", path, domain=""))
        else:
            yield from _other(path)


def _representations(store: Store) -> Iterator[Item]:
    for path in files_below(store.representations):
        if left := list(_leftover(path, store)):
            yield from left
        elif is_of("representations", path, store.root):
            yield from _stored("representations", store, path, path.relative_to(store.representations).parts[0])
        else:
            yield from _other(path)


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
        if left := list(_leftover(path, store, lock)):
            yield from left
        elif is_of("trainings", path, store.root):
            found = measured("trainings", path, locks=lock)
            yield from _items(replace(found, reason="it is empty") if found and not found.files else found)
        else:
            yield from _other(path)


def _shards(store: Store) -> Iterator[Item]:
    for path in list_files(store.shards, "*"):
        lock = (store.lock_path(path.name),)
        if forms.is_own_shard(path):
            left = [file for file in list_files(path / PARTS, ".*") if forms.is_leftover(file, store.root)]
            kind = "shards" if Shard(path).is_complete else "begun"
            yield from _items(measured(kind, path, left, locks=lock))
            for file in left:
                reason = "a part that a killed run was writing"
                yield from _items(measured("leftovers", file, locks=lock, reason=reason))
            yield from _other(*foreign_files(kind, path))
        elif forms.is_left_shard(path):
            reason = "tables without a manifest, of a run killed at its end, or copied in part"
            yield from _items(measured("leftovers", path, locks=lock, reason=reason))
            yield from _other(*foreign_files("leftovers", path))
        else:
            yield from list(_leftover(path, store)) or list(_other(path))


def _results(store: Store) -> Iterator[Item]:
    lock = (store.results / MERGE_LOCK,)
    left = [path for path in list_files(store.results, f"{SCRATCH}*") if path.is_dir() and not path.is_symlink()]
    for path in left:
        yield from _items(measured("leftovers", path, locks=lock, reason="of a killed merge"))
    if store.results.is_dir():
        found = measured("results", store.results, locks=lock)
        yield from _items(found if found and found.files else None)
        known = {*own_files("results", store.results), *left}
        yield from _other(*(path for path in list_files(store.results, "*") if path not in known))


def _datasets(store: Store) -> Iterator[Item]:
    for folder in list_files(store.datasets, "*"):
        if folder.is_dir() and is_of("datasets", folder / "any", store.root):
            for path in list_files(folder, "*"):
                yield from _items(measured("datasets", path, domain=folder.name, locks=_locks_in(path)))
        else:
            yield from list(_leftover(folder, store)) or list(_other(folder))


def _locks_in(folder: Path) -> tuple[Path, ...]:
    return tuple(path for path in forms.files_of(folder) if path.name.endswith(".lock"))


def _downloads(store: Store) -> Iterator[Item]:
    for path in files_below(store.downloads):
        lock = path.parent / ".lock"
        if path in (lock, note_of(lock), lease_of(lock)):
            continue
        if left := list(_leftover(path, store)):
            yield from left
        elif is_of("downloads", path, store.root):
            unpacked = any(list_files(path.parent, f"{path.name}*.unpacked")) and path.suffix != ".unpacked"
            reason = "unpacked already" if unpacked else ""
            yield from _items(measured("downloads", path, locks=(lock,), reason=reason))
        else:
            yield from _other(path)
    for path in files_below(store.published):
        if left := list(_leftover(path, store)):
            yield from left
        else:
            yield from _items(measured("published" if is_of("published", path, store.root) else "other", path))


def _caches(store: Store) -> Iterator[Item]:
    for path in list_files(store.cache, "*"):
        if not path.is_dir() or not is_of("cache", path, store.root):
            yield from _other(path)
            continue
        foreign = list(foreign_files("cache", path))
        found = measured("cache", path, locks=_locks_in(path), domain="", reason="recreated when needed")
        yield from _items(found if found and (found.files or not foreign) else None)
        yield from _other(*foreign)


def _sweeps(store: Store) -> Iterator[Item]:
    for path in list_files(store.sweeps, "*"):
        if is_of("sweeps", path, store.root):
            yield from _items(measured("sweeps", path))
            yield from _other(*foreign_files("sweeps", path))
        else:
            yield from _other(path)


def _sources(store: Store) -> Iterator[Item]:
    stale = dict.fromkeys(KnownFiles(store.root).stale_notes(), "its file is missing or has changed")
    stale |= dict.fromkeys(stale_notes(store), "its shard is missing")
    for path in files_below(store.sources):
        if left := list(_leftover(path, store)):
            yield from left
        elif is_of("sources", path, store.root):
            yield from _items(measured("sources", path, domain="", reason=stale.get(path, "")))
        else:
            yield from _other(path)


def _locks(store: Store) -> Iterator[Item]:
    known = set()
    for lock in store.lock_files():
        paths = lock, note_of(lock), lease_of(lock)
        if not is_of("locks", lock, store.root):
            continue
        known |= {*paths}
        found = [state for path in paths if (state := _state(path)) is not None]
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
    yield from _other(*(path for path in list_files(store.locks, "*") if path not in known))


def _state(path: Path) -> os.stat_result | None:
    with contextlib.suppress(OSError):
        return path.lstat()
    return None


def _others(store: Store) -> Iterator[Item]:
    known = {folder.name for folder in store.folders()}
    for path in list_files(store.root, "*"):
        if path.name in known and path.is_dir():
            continue
        if path.name.startswith(forms.OF_DOCTOR) and path.is_dir() and not path.is_symlink():
            yield from _items(measured("leftovers", path, reason="of a killed resi doctor"))
        else:
            yield from list(_leftover(path, store)) or list(_other(path))


def _with_links(find: Callable[[Store], Iterator[Item]], store: Store) -> Iterator[Item]:
    """Yield items; links among them are noted, and nothing suggests to remove them."""
    for item in find(store):
        if item.kind != "other" and forms.is_link(item.path):
            yield replace(item, reason="", note="a link, which is never removed")
        elif item.kind in forms.BESIDE_LINKS and forms.behind_link(item.path, store.root):
            yield replace(item, reason="", note="behind a link, where it is never removed")
        else:
            yield item


def find_items(store: Store) -> Iterator[Item]:
    """Yield the items of a data root."""
    for find in FINDERS:
        yield from _with_links(find, store)


FINDERS = (
    *(_models, _representations, _trainings, _shards, _results, _datasets, _downloads, _caches, _sweeps, _sources),
    *(_locks, _others),
)
