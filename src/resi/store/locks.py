"""Locks between processes on one machine, or on several that share a disk; a dead owner blocks nobody.

Locks are kernel locks (``flock``), released when their process ends in any way; a note beside the lock names its
holder. On a file system without flock, the lock is a lease of filelock: a file that its owner touches regularly. It is
taken over at once if its owner was a process of this machine and is dead, and after minutes without a touch if the
owner was on another machine.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import os
import platform
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import BaseFileLock, SoftFileLease

# All processes that share a data root have to agree on it.
SILENT_SECONDS = 300.0
TOUCHES = 10
# Clocks of hosts differ, so one look at a lease tells that its owner is dead only long after its last touch.
FORSAKEN_SECONDS = 12 * SILENT_SECONDS
NO_FLOCK = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
# Leases that this process has tried to get: each knows how long its owner has been silent by this process's clock, as
# those of hosts may differ, and would begin to count from nothing in a new object.
_tried: dict[Path, SoftFileLease] = {}


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
        stack.enter_context(_noted(note_of(path)))
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


def seems_held(path: Path) -> bool:
    """Return whether a process seems to hold a lock, without writing; a lease counts unless it is forsaken."""
    lease = lease_of(path)
    return (lease.exists() and not is_forsaken(lease)) or is_held(path)


def is_forsaken(lease: Path) -> bool:
    """Return whether the owner of a lease has not touched it for an hour, and so is dead."""
    try:
        return time.time() - lease.stat().st_mtime > FORSAKEN_SECONDS
    except OSError:
        return False


def lease_of(path: Path) -> Path:
    """Return the file used as a lock on file systems without flock."""
    return path.with_suffix(".lease")


def note_of(path: Path) -> Path:
    """Return the note that names the holder of a lock."""
    return path.with_suffix(".owner.json")


def holder(path: Path) -> str:
    """Return the known holder of a lock: process, host and start time."""
    try:
        note = json.loads(note_of(path).read_text(encoding="utf-8"))
        return f"process {note['pid']} on {note['host']} since {note['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _acquire(path: Path) -> BaseFileLock | None:
    from filelock import FileLock, SoftFileLease

    try:
        # By itself filelock turns to a file only for some of the errors that say there is no flock.
        lock = FileLock(path, fallback_to_soft=False)
        return lock if _is_acquired(lock) else None
    except OSError as error:
        if error.errno not in NO_FLOCK:
            raise
    # Beside the file that is to be locked by the kernel, which is there for any holder.
    file = lease_of(path)
    lease = _tried.pop(file, None) or SoftFileLease(
        file, lease_duration=SILENT_SECONDS, heartbeat_interval=SILENT_SECONDS / TOUCHES
    )
    if _is_acquired(lease):
        return lease
    _tried[file] = lease
    return None


def _is_acquired(lock: BaseFileLock) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


@contextlib.contextmanager
def _noted(note: Path) -> Iterator[None]:
    """Write a note on who holds a lock; skipped on a full disk."""
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with contextlib.suppress(OSError):
        note.write_text(json.dumps({"host": platform.node(), "pid": os.getpid(), "since": since}), encoding="utf-8")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)
