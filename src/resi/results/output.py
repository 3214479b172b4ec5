"""The folder of merged tables: only one written by a merge is overwritten, atomically."""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
from typing import TYPE_CHECKING, Any

import polars as pl

from resi.errors import UsageError
from resi.results.manifests import MANIFEST, MERGED, RUN, TABLES, is_merged
from resi.results.schema import PUBLISHED
from resi.results.shards import PARTS, is_shard
from resi.results.tables import VERSION_KEY
from resi.store.files import make_folder
from resi.store.root import wait_for_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCK = ".merge.lock"
SCRATCH = ".merge-"


def check_output(folder: Path) -> None:
    """Raise ``UsageError`` unless merged tables may be written to a folder.

    A data root, a folder of shards, a shard, and a folder with files of the same names not written by a merge are
    refused.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; name one for the merged tables with --out")
    if (folder / "shards").is_dir():
        raise UsageError(
            f"{folder} is a data root; name another folder for the merged tables, such as {folder}/results"
        )
    if any(is_shard(below) and not is_merged(below) for below in folder.iterdir()):
        raise UsageError(f"{folder} holds shards; name another folder for the merged tables with --out")
    if (folder / PARTS).is_dir() or _is_of_shard(folder / MANIFEST):
        raise UsageError(f"{folder} is a shard; name another folder for the merged tables with --out")
    found = [name for name in (MANIFEST, *TABLES) if (folder / name).exists()]
    if found and not _is_own(folder):
        raise UsageError(
            f"{folder / found[0]} was not written by resi-merge and is not overwritten; name another folder for the "
            "merged tables with --out"
        )


def is_table_of_resi(source: Any) -> bool:
    """Return whether a Parquet file, given by path or opened, is marked as written by resi."""
    try:
        return VERSION_KEY in pl.read_parquet_metadata(source)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        return False


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[None]:
    """Lock a folder for merged tables, creating it if needed; wait while another process merges there.

    A created folder is removed if it ends up without tables. Everyone who can write to its parent folder can write to
    it. Leftovers of a killed merge are removed.
    """
    is_new = not folder.exists()
    make_folder(folder)
    if is_new:
        _share(folder, folder.parent)
    try:
        with wait_for_lock(folder / LOCK, "merges into the same folder"):
            _share(folder / LOCK, folder)
            for leftover in folder.glob(f"{SCRATCH}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield
    finally:
        if is_new and not (folder / MANIFEST).exists():
            with contextlib.suppress(OSError):
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()


def replace_tables(folder: Path, written: Path, write_manifest: Callable[[Path], None]) -> None:
    """Replace the tables in ``folder`` with those in ``written``, only by renaming."""
    write_manifest(written)
    (folder / MANIFEST).unlink(missing_ok=True)
    for name in TABLES:
        if (written / name).is_file():
            (written / name).replace(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    (written / MANIFEST).replace(folder / MANIFEST)


def _share(path: Path, above: Path) -> None:
    """Give a new file or folder the write permissions of its parent folder, regardless of the umask."""
    with contextlib.suppress(OSError):
        new, shared = path.stat(), above.stat()
        if shared.st_mode & stat.S_ISVTX:  # such as /tmp, in which everybody has their own folders
            return
        group = stat.S_IWGRP if new.st_gid == shared.st_gid else 0
        path.chmod(stat.S_IMODE(new.st_mode) | shared.st_mode & (group | stat.S_IWOTH))


def _is_own(folder: Path) -> bool:
    """Return whether a merge has written the tables in a folder, or was killed while writing them."""
    manifest = folder / MANIFEST
    if not manifest.exists():
        return all(is_table_of_resi(folder / name) for name in TABLES if (folder / name).exists())
    if _kind(manifest) == MERGED:
        return True
    # A damaged manifest is rewritten in folders that only a merge writes to.
    return folder.name == "results" and (folder.parent / "shards").is_dir() and _is_damaged(manifest)


def _is_of_shard(manifest: Path) -> bool:
    content = _content(manifest)
    if not isinstance(content, dict) or "files" not in content:
        return False
    return content.get("kind", RUN) in (RUN, PUBLISHED)  # the first version noted no kind


def _kind(manifest: Path) -> str | None:
    content = _content(manifest)
    kind = content.get("kind") if isinstance(content, dict) else None
    return kind if isinstance(kind, str) else None


def _is_damaged(manifest: Path) -> bool:
    content = _content(manifest)
    return not isinstance(content, dict) or "schema_version" in content


def _content(manifest: Path) -> Any:
    try:
        return json.loads(manifest.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
