"""Whether a folder can be a data root: writable, with space, and on a file system with the properties resi needs."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from resi.machine.memory import format_bytes
from resi.results.shards import find_shards
from resi.store import locks
from resi.store.root import Store, default_root
from resi.store.space import existing
from resi.upkeep.checks import Check, failed, missing, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLACE = "data root"
LEAST_FREE = 200 * 10**6
"""Bytes; a small run writes tens of megabytes."""
LEAST_FILES = 1000
ELSEWHERE = "choose another folder: export RESI_HOME=FOLDER"


def place(root: Path) -> Iterator[Check]:
    """Yield lines about a data root; if it does not exist, the folder is tested in which it would be created."""
    if problem := _unusable(root):
        yield failed(PLACE, "folder", problem, ELSEWHERE)
        return
    yield _where(root)
    yield from _folders(root)
    folder = existing(root)
    yield _space(folder, root)
    if not folder.is_dir():
        yield failed(PLACE, "writing", f"{folder} is not a folder", ELSEWHERE)
        return
    try:
        with tempfile.TemporaryDirectory(prefix=".resi-doctor-", dir=folder) as scratch:
            yield ok(PLACE, "writing", f"files can be written in {folder}")
            for name, test in TESTS.items():
                yield test(name, Path(scratch))
    except OSError as error:
        text = f"{folder} is not writable: {error.strerror or error}; stored results can be read"
        yield failed(PLACE, "writing", text, ELSEWHERE)


def _unusable(path: Path) -> str:
    """Return why no run can use a folder that is there; empty if it can, or if it is not there yet."""
    for folder in (*reversed(path.parents), path):
        if folder.is_symlink() and not folder.exists():
            return f"{folder} is a link to what does not exist, or to itself"
    if not path.exists():
        return ""
    if not path.is_dir():
        return f"{path} is not a folder"
    if not os.access(path, os.R_OK | os.X_OK):
        return f"{path} cannot be read: permission denied"
    return ""


def _folders(root: Path) -> Iterator[Check]:
    """Yield a failed line for each folder of a data root that runs cannot use."""
    if not os.access(root, os.W_OK):
        return  # as for the root itself, which has its line
    for folder in Store(root).folders():
        problem = _unusable(folder)
        if not problem and folder.exists() and not os.access(folder, os.W_OK):
            problem = f"{folder} is not writable for this user"
        if problem:
            yield failed(PLACE, f"{folder.name}/", problem, "remove or rename it, or change its owner; or " + ELSEWHERE)


def _where(root: Path) -> Check:
    names = [name for name in ("RESI_HOME", "REP_SIM") if os.environ.get(name)]
    is_default = root == default_root()
    by = f" ({names[0]})" if names and is_default else " (the default)" if is_default else ""
    if not root.exists():
        return ok(PLACE, "folder", f"{root}{by}: does not exist yet; the first run creates it")
    shards = list(find_shards(root)) if root.is_dir() else []
    begun = sum(not shard.is_complete for shard in shards)
    return ok(PLACE, "folder", f"{root}{by}: {len(shards) - begun} finished runs, {begun} unfinished")


def _space(folder: Path, root: Path) -> Check:
    free = shutil.disk_usage(folder).free
    about = os.statvfs(folder) if hasattr(os, "statvfs") else None
    files = about.f_favail if about is not None and about.f_files else None
    text = f"{format_bytes(free)} free" + ("" if files is None else f", room for {files} more files")
    if free < LEAST_FREE or (files is not None and files < LEAST_FILES):
        advice = "resi clean shows what can be removed"
        return failed(PLACE, "disk", text, advice if _is_cleanable(root) else f"free space there, or {ELSEWHERE}")
    return ok(PLACE, "disk", text)


def _is_cleanable(root: Path) -> bool:
    try:
        from resi.upkeep.inventory import is_data_root

        return is_data_root(Store(root))
    except Exception:  # it cannot be read, or a library does not load
        return False


def _rename(name: str, scratch: Path) -> Check:
    old, new = scratch / "old", scratch / "new"
    old.write_text("old")
    new.write_text("new")
    handle = os.open(new, os.O_RDONLY)
    try:
        os.fsync(handle)
        new.replace(old)
    except OSError as error:
        text = f"no file can replace another: {error.strerror}; what is stored may be half-written"
        return failed(PLACE, name, text, ELSEWHERE)
    finally:
        os.close(handle)
    if old.read_text() != "new" or new.exists():
        return failed(PLACE, name, "a file that replaced another still has the old content", ELSEWHERE)
    return ok(PLACE, name, "files are replaced atomically")


def _locks(name: str, scratch: Path) -> Check:
    path = scratch / "test.lock"
    try:
        with locks.try_lock(path) as held:
            is_lease = locks.lease_of(path).exists()
            excludes = held and (is_lease or locks.is_held(path))
    except OSError as error:
        return failed(PLACE, name, f"not supported: {error.strerror}; jobs would repeat each other's work", ELSEWHERE)
    if not excludes:
        return failed(PLACE, name, "two processes get the same lock: jobs would repeat each other's work", ELSEWHERE)
    if is_lease:
        return ok(
            PLACE, name, "lock files, as flock is not supported here: those of a dead host expire after five minutes"
        )
    return ok(PLACE, name, "kernel locks (flock): released when their process ends")


def _links(name: str, scratch: Path) -> Check:
    first, second = scratch / "first", scratch / "second"
    first.write_text("")
    try:
        second.hardlink_to(first)
    except OSError as error:
        return missing(PLACE, name, f"no hard links ({error.strerror})", "resi prepare --how copy copies instead")
    return ok(PLACE, name, "hard links work: resi prepare needs no space")


TESTS: dict[str, Callable[[str, Path], Check]] = {"renaming": _rename, "locks": _locks, "links": _links}
"""The tests made in a temporary folder, by the name of their line."""
