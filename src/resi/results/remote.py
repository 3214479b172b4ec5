"""Finished shards and merged tables at a URL that fsspec supports, such as ``s3://bucket/folder``.

Runs work in their local data root, which has locks and renames. Finished shards are copied, first the tables, then the
manifest, so that a shard with a manifest is complete at the URL, too.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.errors import StoreError, UsageError
from resi.results.manifests import MANIFEST, MERGED, TABLES
from resi.results.output import is_table_of_resi
from resi.store.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def is_url(text: str) -> bool:
    """Return whether a text is a URL and not a local path."""
    return "://" in text


@dataclass(frozen=True)
class RemoteFolder:
    """A folder of shards, or one of merged tables, at a URL."""

    url: str

    def fetch(self, shard: Path) -> bool:
        """Copy the finished shard with a folder's name here, if there is one; return whether there was."""
        with self._named() as (system, folder):
            source = f"{folder}/{shard.name}"
            if not system.exists(f"{source}/{MANIFEST}"):
                return False
            self._copy_here(system, source, shard)
            return True

    def fetch_all(self, folder: Path) -> None:
        """Copy all finished shards into a folder; for a data root, those in its ``shards``."""
        with self._named() as (system, root):
            found = _manifests_in(system, f"{root}/shards") or _manifests_in(system, root)
            if not found:
                raise UsageError(f"{self.url} holds no shards; name a folder of shards or a data root")
            for manifest in found:
                source = manifest.removesuffix(f"/{MANIFEST}")
                self._copy_here(system, source, folder / source.rpartition("/")[2])

    def store(self, shard: Path) -> None:
        """Copy a finished shard to the URL, unless the same one is already there."""
        with self._named() as (system, folder):
            target = f"{folder}/{shard.name}"
            manifest = (shard / MANIFEST).read_bytes()
            if system.exists(f"{target}/{MANIFEST}"):
                if system.cat_file(f"{target}/{MANIFEST}") == manifest:
                    return
                system.rm_file(f"{target}/{MANIFEST}")  # not a shard while its tables are replaced
            self._copy_there(system, shard, target)

    def store_tables(self, tables: Path) -> None:
        """Copy merged tables to the URL, replacing those that are there."""
        with self._named() as (system, folder):
            self._check_output(system, folder)
            for name in (MANIFEST, *TABLES):
                if system.exists(f"{folder}/{name}"):
                    system.rm_file(f"{folder}/{name}")
            self._copy_there(system, tables, folder)

    def _check_output(self, system: Any, folder: str) -> None:
        """Raise ``UsageError`` unless the folder is empty or holds merged tables: only those are overwritten."""
        manifest = f"{folder}/{MANIFEST}"
        if system.exists(manifest):
            try:
                is_own = json.loads(system.cat_file(manifest))["kind"] == MERGED
            except (ValueError, KeyError, TypeError, RecursionError):
                is_own = False
        else:
            is_own = True
            for name in filter(lambda name: system.exists(f"{folder}/{name}"), TABLES):
                with system.open(f"{folder}/{name}", "rb") as file:
                    is_own = is_own and is_table_of_resi(file)
        if not is_own:
            raise UsageError(f"{self.url} holds tables or a manifest not written by resi-merge; name another URL")

    def _copy_here(self, system: Any, source: str, folder: Path) -> None:
        for name in (*TABLES, MANIFEST):
            if system.exists(f"{source}/{name}"):
                with atomic_path(folder / name) as temporary:
                    system.get_file(f"{source}/{name}", str(temporary))

    def _copy_there(self, system: Any, folder: Path, target: str) -> None:
        system.makedirs(target, exist_ok=True)
        for name in (*TABLES, MANIFEST):
            if (folder / name).is_file():
                system.put_file(str(folder / name), f"{target}/{name}")

    @contextlib.contextmanager
    def _named(self) -> Iterator[tuple[Any, str]]:
        """Yield the file system and the folder in it; errors name the URL.

        Raises
        ------
        UsageError
            If the URL's protocol is unknown, or its package is not installed.
        StoreError
            If the store reports an error.
        """
        from fsspec.core import url_to_fs

        try:
            system, folder = url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise UsageError(f"{self.url}: {error}") from error
        try:
            # A cached listing may be outdated: another machine may have stored a shard since.
            system.invalidate_cache()
            yield system, str(folder).rstrip("/")
        except (UsageError, StoreError):
            raise
        except Exception as error:  # every store has its own error classes
            raise StoreError(f"{self.url}: {type(error).__name__}: {error}") from error


def _manifests_in(system: Any, folder: str) -> list[str]:
    """Return the manifests of the folders in a folder, whose name may hold special characters."""
    depth = folder.count("/") + 2
    found = map(str, system.find(folder, maxdepth=2))
    return sorted(path for path in found if path.endswith(f"/{MANIFEST}") and path.count("/") == depth)
