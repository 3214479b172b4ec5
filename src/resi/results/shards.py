"""Shards: the output of one run, a folder with two tables and a manifest.

The manifest is written last and holds its own hash and those of the tables, so a shard with a manifest is complete.
During a run, finished comparisons are kept as parts with their hash in their name, where a later run finds them.
A table without a manifest is never read, as it may be incomplete.
"""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from resi.choices import Status
from resi.errors import ArtifactError, ResiError
from resi.fingerprints import hash_file
from resi.results.manifests import (
    COMPARISONS_FILE,
    CONFLICTS_FILE,
    MANIFEST,
    SCORES_FILE,
    TABLES,
    check_files,
    is_merged,
    known_columns,
    read_manifest,
    reading,
    write_manifest,
)
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCORE_ORDER, SCORES
from resi.results.tables import read_batches, read_table, table, write_table
from resi.store.files import list_files, make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    OnDamage = Callable[[ResiError], None]
    State = dict[Path, tuple[int, int, int]]

Found = TypeVar("Found")
PARTS = "parts"
FLUSH_SECONDS = 30.0
FLUSH_ROWS = 20_000
READ_TRIES = 50
READ_PAUSE_SECONDS = 0.01


@dataclass
class Shard:
    """One run's results.

    Parameters
    ----------
    folder : Path
        ``shards/<name>``; the name ends in a hash of what the run computes, so the same run has the same shard.
    """

    folder: Path
    _pending: list[Mapping[str, Any]] = field(default_factory=list)
    _flushed: float = field(default_factory=time.monotonic)

    @property
    def is_complete(self) -> bool:
        """Whether the run has finished."""
        return (self.folder / MANIFEST).is_file()

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a finished comparison; it is written half a minute after the last write, or once there are many."""
        self._pending.append(row)
        if len(self._pending) >= FLUSH_ROWS or time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write pending comparisons as another part; from then on the shard is unfinished."""
        if self._pending:
            self._reopen()
            self._add_part(table(self._pending, COMPARISONS, COMPARISON_ORDER))
            self._pending.clear()
        self._flushed = time.monotonic()

    def finish(self, comparisons: pl.DataFrame, scores: pl.DataFrame, manifest: Mapping[str, Any]) -> None:
        """Write the final tables and the manifest, and delete the parts."""
        self._reopen()
        write_table(self.folder / COMPARISONS_FILE, comparisons.sort(COMPARISON_ORDER, nulls_last=True))
        write_table(self.folder / SCORES_FILE, scores.sort(SCORE_ORDER, nulls_last=True))
        write_manifest(self.folder, manifest)
        self._pending.clear()
        shutil.rmtree(self.folder / PARTS, ignore_errors=True)

    def _reopen(self) -> None:
        """Turn a finished shard into an unfinished one with the same comparisons; damaged ones are dropped."""
        if not self.is_complete:
            return
        with contextlib.suppress(ArtifactError):
            known = known_columns(self.verify())
            shutil.rmtree(self.folder / PARTS, ignore_errors=True)  # leftovers of a killed run
            self._add_part(read_table(self.folder / COMPARISONS_FILE, COMPARISONS, known=known))
        for name in (MANIFEST, *TABLES):
            (self.folder / name).unlink(missing_ok=True)

    def _add_part(self, rows: pl.DataFrame) -> None:
        numbers = [int(path.stem.partition("-")[0]) for path in self._parts()]
        folder = self.folder / PARTS
        make_folder(folder)
        written = folder / f".{uuid.uuid4().hex}.parquet"
        try:
            write_table(written, rows)
            written.replace(folder / f"{max(numbers, default=-1) + 1:06d}-{hash_file(written)}.parquet")
        finally:
            written.unlink(missing_ok=True)

    def manifest(self) -> dict[str, Any]:
        """Read the manifest, see :func:`resi.results.manifests.read_manifest`."""
        return read_manifest(self.folder)

    def manifest_hash(self) -> str:
        """Return the hash of a finished run's manifest, which changes when the run is repeated."""
        with reading(self.folder / MANIFEST, ""):
            return hash_file(self.folder / MANIFEST)

    def verify(self) -> dict[str, Any]:
        """Return the manifest after checking the tables against their hashes."""
        manifest = self.manifest()
        check_files(self.folder, manifest)
        return manifest

    def whole_tables(self, on_damage: OnDamage) -> list[Path]:
        """Return the files of comparisons that match their hashes: the table, or the parts of an unfinished run.

        Parameters
        ----------
        on_damage : callable
            Called with the error for each damaged file, which is left out.
        """
        paths, damage = self._settled(self._whole_tables)
        for error in damage:
            on_damage(error)
        return paths

    def _whole_tables(self) -> tuple[list[Path], list[ArtifactError]]:
        whole, damage, is_complete = [], [], self.is_complete
        for path in [self.folder / COMPARISONS_FILE] if is_complete else self._parts():
            try:
                self._check(path, is_complete)
                whole.append(path)
            except ArtifactError as error:
                damage.append(error)
        return whole, damage

    def files_of_comparisons(self) -> list[Path]:
        """Return the files that hold comparisons, unchecked."""
        return [self.folder / COMPARISONS_FILE] if self.is_complete else self._parts()

    def comparisons(self, where: pl.Expr | None = None, on_damage: OnDamage | None = None) -> pl.DataFrame:
        """Return the comparisons; for an unfinished run, those done so far, the newest first.

        If another process finishes or restarts the run meanwhile, the shard is read again.

        Parameters
        ----------
        where : polars expression, optional
            Which rows to return.
        on_damage : callable, optional
            Called with the error for each damaged table or part, which is left out; without it, the first error is
            raised.
        """
        rows, damage = self._settled(lambda: self._read(where))
        for error in damage:
            if on_damage is None:
                raise error
            on_damage(error)
        return rows

    def _read(self, where: pl.Expr | None) -> tuple[pl.DataFrame, list[ArtifactError]]:
        """Return the readable comparisons, and the errors of the others."""
        frames, damage = [pl.DataFrame(schema=COMPARISONS)], []
        is_complete = self.is_complete
        for path in [self.folder / COMPARISONS_FILE] if is_complete else reversed(self._parts()):
            try:
                known = self._check(path, is_complete)
                frames.append(read_table(path, COMPARISONS, where, known))
            except ArtifactError as error:
                damage.append(error)
        return pl.concat(frames), damage

    def _check(self, path: Path, is_complete: bool) -> dict[str, str]:
        """Check the tables of a finished run, or a part of an unfinished one; return values of columns it may lack."""
        if is_complete:
            return known_columns(self.verify())
        _check_part(path)
        return {}

    def _settled(self, read: Callable[[], tuple[Found, list[ArtifactError]]]) -> tuple[Found, list[ArtifactError]]:
        """Return readable rows and errors; read again if another process has written meanwhile."""
        for _ in range(READ_TRIES):
            before = self._state()
            found, damage = read()
            if not damage or self._state() == before:
                break
            time.sleep(READ_PAUSE_SECONDS)
        return found, damage

    def tables(self) -> tuple[pl.DataFrame, Iterator[pl.DataFrame]]:
        """Return the scores of a finished run, and its comparisons one part at a time.

        For merged tables, this includes the contradictory comparisons.
        """
        manifest = self.verify()
        known = known_columns(manifest)
        names = [name for name in (COMPARISONS_FILE, CONFLICTS_FILE) if name in manifest["files"]]
        batches = (batch for name in names for batch in read_batches(self.folder / name, COMPARISONS, known))
        return read_table(self.folder / SCORES_FILE, SCORES, known=known), batches

    def unfinished_table(self) -> Path | None:
        """Return the table left by a run or merge that was killed before it wrote the manifest."""
        path = self.folder / COMPARISONS_FILE
        return path if path.is_file() and not self.is_complete and not (self.folder / PARTS).is_dir() else None

    def changed(self) -> float:
        """Return the time of the last write to the shard, in seconds since 1970."""
        return max((changed for changed, _, _ in self._state().values()), default=0) / 1e9

    def steadily(self, read: Callable[[], Found]) -> Found:
        """Return the result of ``read``; it is called again if another process has written meanwhile.

        Raises
        ------
        ResiError
            The error of ``read``, if nobody was writing, or if another process keeps writing.
        """
        for tries_left in reversed(range(READ_TRIES)):
            before = self._state()
            try:
                found = read()
            except ResiError:
                time.sleep(READ_PAUSE_SECONDS)
                # Who replaces tables takes the manifest away first, and may then have to wait for the processor.
                is_settled = self.folder / MANIFEST in before and self._state() == before
                if is_settled or not tries_left:
                    raise
                continue
            if self._state() == before:
                return found
        raise ArtifactError(f"{self.folder} is being written repeatedly by another process.", advice="Try later.")

    def _state(self) -> State:
        """Return time, size and inode of each file; equal states mean that nobody has written."""
        state = {}
        for path in (*(self.folder / name for name in (MANIFEST, *TABLES)), *self._parts()):
            with contextlib.suppress(FileNotFoundError):
                about = path.stat()
                state[path] = about.st_mtime_ns, about.st_size, about.st_ino
        return state

    def _parts(self) -> list[Path]:
        return list_files(self.folder / PARTS, "[0-9]*.parquet")

    def scores(self) -> pl.DataFrame:
        """Return the scores of a finished run."""
        return read_table(self.folder / SCORES_FILE, SCORES, known=known_columns(self.verify()))


def _check_part(path: Path) -> None:
    """Raise ``ArtifactError`` unless a part's content matches the hash in its name, or if it is missing."""
    try:
        with reading(path, ""):
            found = hash_file(path)
    except ArtifactError as error:
        if path.exists():
            raise
        raise ArtifactError(f"{path} is gone: another process has finished the run") from error
    if found != path.stem.partition("-")[2]:
        raise ArtifactError(f"{path} is damaged: it does not match the hash in its name. Its run recomputes it.")


def manifests_of(shards: Iterable[Shard]) -> Iterator[dict[str, Any]]:
    """Yield the readable manifests of finished shards."""
    for shard in shards:
        with contextlib.suppress(ResiError):
            if shard.is_complete:
                yield shard.manifest()


def find_shards(root: Path) -> Iterator[Shard]:
    """Yield the shards below a data root or a folder of shards, by name; or ``root`` itself, if it is a shard."""
    if is_single(root):
        yield Shard(root)
        return
    yield from (Shard(folder) for folder in folders_below(root) if is_shard(folder) and not is_merged(folder))


def find_strays(root: Path) -> Iterator[Path]:
    """Yield files and folders in the folder of shards that are not shards."""
    if is_single(root):
        return
    yield from (path for path in folders_below(root) if not is_shard(path) and not path.name.startswith("."))


def shards_folder(root: Path) -> Path:
    """Return the folder of shards of a data root, or ``root`` itself if it contains shards directly."""
    below = root / "shards"
    if not below.is_dir() and root.is_dir() and any(is_shard(folder) for folder in root.iterdir()):
        return root
    return below


def count_statuses(comparisons: pl.DataFrame) -> dict[str, int]:
    """Return how many comparisons have each status."""
    counts = dict(comparisons["status"].value_counts().iter_rows())
    return {status.value: counts.get(status, 0) for status in Status}


def folders_below(root: Path) -> list[Path]:
    """Return the contents of the folder of shards of a data root, by name."""
    folder = shards_folder(root)
    return sorted(folder.iterdir()) if folder.is_dir() else []


def is_shard(folder: Path) -> bool:
    """Return whether a folder holds a manifest, or parts of an unfinished run."""
    return (folder / MANIFEST).is_file() or (folder / PARTS).is_dir()


def is_single(root: Path) -> bool:
    """Return whether a folder is a shard or merged tables, and not a data root."""
    return is_shard(root) and not (root / "shards").is_dir()
