"""Files that are written atomically.

A file is written under a temporary name, synced and renamed, so a file with its final name is complete.
"""

from __future__ import annotations

import contextlib
import glob
import os
import platform
import re
import time
import uuid
from typing import TYPE_CHECKING

from resi.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A temporary file of another host counts as a leftover if nobody has written to it for a day.
LEFTOVER_SECONDS = 86400.0
SETTLED_SECONDS = 60.0
TEMPORARY = re.compile(r"(?P<place>\..+)-(?P<process>\d+)-[0-9a-f]{32}\.tmp")


def make_folder(path: Path) -> None:
    """Create a folder and its parents, or raise ``StoreError`` saying what to do."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def list_files(folder: Path, pattern: str) -> list[Path]:
    """Return the sorted paths in a folder that match a pattern; none if the folder does not exist or is removed."""
    # Path.glob checks that the folder exists, and raises if it is removed right after that.
    with contextlib.suppress(FileNotFoundError):
        return sorted(folder.glob(pattern))
    return []


@contextlib.contextmanager
def written_to(path: Path) -> Iterator[None]:
    """Turn any error of writing a file below ``path`` into ``StoreError``, in this block."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends well, it becomes ``path``.

    Raises
    ------
    StoreError
        If the file cannot be written: the data root is full, read-only or not a folder. Nothing is left behind.
    """
    make_folder(path.parent)
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{_writer()}-{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise cannot_write(path, error, temporary) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _writer() -> str:
    return f"{platform.node() or 'host'}-{os.getpid()}"


def _remove_leftovers(path: Path) -> None:
    """Remove leftovers of the same file from killed processes, which may be what fills the disk."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        host, _, rest = leftover.name.removeprefix(f".{path.name}.").rpartition("-")[0].rpartition("-")
        is_own = host == (platform.node() or "host") and rest.isdigit()
        with contextlib.suppress(OSError):
            if not _is_alive(int(rest)) if is_own else _is_silent(leftover, LEFTOVER_SECONDS):
                leftover.unlink(missing_ok=True)


def is_temporary(name: str) -> bool:
    """Return whether a file has the name of one being written, or left by a killed writer."""
    return TEMPORARY.fullmatch(name) is not None


def is_left_over(path: Path) -> bool:
    """Return whether nobody is writing a temporary file any longer.

    If the final name is unknown, one host name may be the end of another, so a file of this host counts only if its
    writer is dead and nobody has written to it for a minute.

    Raises
    ------
    OSError
        If it is gone.
    """
    found = TEMPORARY.fullmatch(path.name)
    if found and found["place"].endswith(f".{platform.node() or 'host'}") and not _is_alive(int(found["process"])):
        return _is_silent(path, SETTLED_SECONDS)
    return _is_silent(path, LEFTOVER_SECONDS)


def _is_silent(path: Path, seconds: float) -> bool:
    return time.time() - path.stat().st_mtime > seconds


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cannot_write(path: Path, error: OSError, temporary: Path | None = None) -> StoreError:
    """Return the error that says which file cannot be written, why, and what to do; not under which temporary name."""
    reason = error.strerror or str(error).removesuffix(f": {temporary}")
    return StoreError(
        f"cannot write {path}: {reason}. Free space there, or choose another folder (the data root: RESI_HOME)."
    )
