"""Locks between processes, on one machine or on several that share a disk: a dead owner blocks nobody.

A lock is the kernel's (``flock``), which is released with its process, however that ends; a note beside it says who
holds it. Where a file system has none, the lock is a file that its owner touches from time to time: one that nobody
has touched for minutes is taken over.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import os
import platform
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

TOUCH_SECONDS = 30.0
SILENT_SECONDS = 300.0
NO_FLOCK = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
# When lock files of other owners were last seen to change, by this process's clock: those of hosts may differ.
_seen: dict[Path, tuple[int, float]] = {}


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold a lock if no other process does.

    Parameters
    ----------
    path : Path
        Of the lock's file, which is left behind; its folder exists.

    Yields
    ------
    bool
        Whether the lock is held.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    lock = _acquire(path)
    if lock is None:
        yield False
        return
    with contextlib.ExitStack() as stack:
        stack.callback(lock.release)
        if _is_soft(lock):
            stack.enter_context(_touching(Path(lock.lock_file)))
        stack.enter_context(_noted(_note(path)))
        yield True


def is_held(path: Path) -> bool:
    """Return whether a process holds a lock, where its file can be read alone."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def holder(path: Path) -> str:
    """Return who holds a lock, as far as it is known: process, host and since when."""
    try:
        note = json.loads(_note(path).read_text(encoding="utf-8"))
        return f"process {note['pid']} on {note['host']} since {note['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _acquire(path: Path) -> BaseFileLock | None:
    from filelock import FileLock, SoftFileLock, Timeout

    def attempt(lock: BaseFileLock) -> BaseFileLock | None:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            file = Path(lock.lock_file)
            if not _is_soft(lock) or not _is_silent(file):
                return None
            file.unlink(missing_ok=True)
            _seen.pop(file, None)
            return attempt(SoftFileLock(file))
        return lock

    try:
        # By itself filelock turns to a file only for some of the errors that say there is no flock.
        return attempt(FileLock(path, fallback_to_soft=False))
    except OSError as error:
        if error.errno not in NO_FLOCK:
            raise
        # Beside the file that is to be locked by the kernel, which is there whoever holds it.
        return attempt(SoftFileLock(path.with_suffix(".held")))


def _is_soft(lock: BaseFileLock) -> bool:
    """Return whether a lock is only a file."""
    from filelock import SoftFileLock

    return isinstance(lock, SoftFileLock)


def _is_silent(path: Path) -> bool:
    """Return whether the owner has not touched its lock for so long that it must be dead."""
    try:
        touched = path.stat().st_mtime_ns
    except FileNotFoundError:
        return False
    known, since = _seen.setdefault(path, (touched, time.monotonic()))
    if known != touched:
        _seen[path] = touched, time.monotonic()
        return False
    return time.monotonic() - since > SILENT_SECONDS


@contextlib.contextmanager
def _touching(path: Path) -> Iterator[None]:
    """Touch a lock's file from time to time, so that others see that its owner lives."""
    ended = threading.Event()

    def touch() -> None:
        while not ended.wait(TOUCH_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=touch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def _noted(note: Path) -> Iterator[None]:
    """Leave a note on who holds a lock; on a full disk there is none."""
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with contextlib.suppress(OSError):
        note.write_text(json.dumps({"host": platform.node(), "pid": os.getpid(), "since": since}), encoding="utf-8")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)


def _note(path: Path) -> Path:
    return path.with_suffix(".owner.json")
