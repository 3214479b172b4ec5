"""Shards: what one run writes, a folder with two tables and a manifest.

The manifest is written last and holds the hashes of the tables and its own, so a shard with a manifest is whole. While
a run goes on, finished comparisons are kept as parts that carry their hash in their name; a later run finds them there.
A table without a manifest is never read: nothing tells whether it is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from resi.errors import ArtifactError
from resi.identity import hash_file
from resi.results.resolve import STATUSES
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, PUBLISHED, SCHEMA_VERSION, SCORE_ORDER, SCORES, TRAINED
from resi.results.tables import read_batches, read_table, table, write_table
from resi.store import make_folder, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

COMPARISONS_FILE, SCORES_FILE, MANIFEST = "comparisons.parquet", "scores.parquet", "manifest.json"
# Rows for one key that contradict each other, in merged tables and imports.
CONFLICTS_FILE, SCORE_CONFLICTS_FILE = "conflicts.parquet", "score_conflicts.parquet"
TABLES = (COMPARISONS_FILE, SCORES_FILE, CONFLICTS_FILE, SCORE_CONFLICTS_FILE)
PARTS = "parts"
OWN_HASH = "manifest_sha256"
HASHED_SINCE = 3
"""Schema version from which on manifests hold their own hash."""
RUN, MERGED = "run", "merged"
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
        ``shards/<name>``; the name is a hash of what the run computes, so the same run has the same shard.
    """

    folder: Path
    _pending: list[Mapping[str, Any]] = field(default_factory=list)
    _flushed: float = field(default_factory=time.monotonic)

    @property
    def is_complete(self) -> bool:
        """Whether the run has finished."""
        return (self.folder / MANIFEST).is_file()

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep a finished comparison; written half a minute after the last write, or once there are many."""
        self._pending.append(row)
        if len(self._pending) >= FLUSH_ROWS or time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is pending as one more part; from then on the shard is unfinished, whatever it was."""
        if self._pending:
            self._reopen()
            self._add_part(table(self._pending, COMPARISONS, COMPARISON_ORDER))
            self._pending.clear()
        self._flushed = time.monotonic()

    def finish(self, comparisons: pl.DataFrame, scores: pl.DataFrame, manifest: Mapping[str, Any]) -> None:
        """Write the final tables and the manifest, and drop the parts."""
        self._reopen()
        write_table(self.folder / COMPARISONS_FILE, comparisons.sort(COMPARISON_ORDER, nulls_last=True))
        write_table(self.folder / SCORES_FILE, scores.sort(SCORE_ORDER, nulls_last=True))
        write_manifest(self.folder, manifest)
        self._pending.clear()
        shutil.rmtree(self.folder / PARTS, ignore_errors=True)

    def _reopen(self) -> None:
        """Make a finished shard an unfinished one that has the same comparisons; what is damaged is lost."""
        if not self.is_complete:
            return
        with contextlib.suppress(ArtifactError):
            known = _known(self.verify())
            shutil.rmtree(self.folder / PARTS, ignore_errors=True)  # what a kill has left of an earlier run
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
        """Read the manifest.

        Raises
        ------
        ArtifactError
            If it is damaged, or of a newer version of resi.
        """
        path = self.folder / MANIFEST
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            version = int(content["schema_version"])
            if version <= SCHEMA_VERSION:
                _check_manifest(content)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ArtifactError(f"{path} is damaged: {error}. Delete {self.folder}, and run or merge again.") from error
        if version > SCHEMA_VERSION:
            raise ArtifactError(
                f"{path} has schema version {version}; this resi reads up to {SCHEMA_VERSION}: upgrade it"
            )
        return content

    def identity(self) -> str:
        """Return the hash of a finished run's manifest, which is another one when the run is made again."""
        return hash_file(self.folder / MANIFEST)

    def verify(self) -> dict[str, Any]:
        """Return the manifest after checking the tables against their hashes."""
        manifest = self.manifest()
        for name, expected in manifest["files"].items():
            path = self.folder / name
            if not path.is_file():
                raise ArtifactError(f"{path} is missing. Delete {self.folder}, and run or merge again.")
            if hash_file(path) != expected:
                raise ArtifactError(
                    f"{path} is damaged: it does not match its manifest. Delete {self.folder}, and run or merge again."
                )
        return manifest

    def comparisons(
        self, where: pl.Expr | None = None, on_damage: Callable[[ArtifactError], None] | None = None
    ) -> pl.DataFrame:
        """Return the comparisons, of an unfinished run those done so far, the newest first.

        Another process may finish or begin the run meanwhile; then it is read again.

        Parameters
        ----------
        where : polars expression, optional
            Which rows to return.
        on_damage : callable, optional
            Called with the error for each damaged table or part, which is left out; without it, the first such error
            is raised.
        """
        for _ in range(READ_TRIES):
            before = self._state()
            rows, damage = self._read(where)
            if not damage or self._state() == before:
                break
            time.sleep(READ_PAUSE_SECONDS)
        for error in damage:
            if on_damage is None:
                raise error
            on_damage(error)
        return rows

    def _read(self, where: pl.Expr | None) -> tuple[pl.DataFrame, list[ArtifactError]]:
        """Return the comparisons that can be read, and what is wrong with the others."""
        frames, damage = [pl.DataFrame(schema=COMPARISONS)], []
        is_complete = self.is_complete
        for path in [self.folder / COMPARISONS_FILE] if is_complete else reversed(self._parts()):
            try:
                known = None
                if is_complete:
                    known = _known(self.verify())
                else:
                    _check_part(path)
                frames.append(read_table(path, COMPARISONS, where, known))
            except ArtifactError as error:
                damage.append(error)
        return pl.concat(frames), damage

    def tables(self) -> tuple[pl.DataFrame, Iterator[pl.DataFrame]]:
        """Return the scores of a finished run, and its comparisons a part at a time.

        Of merged tables, the comparisons that contradict each other are among them.
        """
        manifest = self.verify()
        known = _known(manifest)
        names = [name for name in (COMPARISONS_FILE, CONFLICTS_FILE) if name in manifest["files"]]
        batches = (batch for name in names for batch in read_batches(self.folder / name, COMPARISONS, known))
        return read_table(self.folder / SCORES_FILE, SCORES, known=known), batches

    def unfinished_table(self) -> Path | None:
        """Return the table of comparisons that a run or merge left which was killed before it wrote the manifest."""
        path = self.folder / COMPARISONS_FILE
        return path if path.is_file() and not self.is_complete and not (self.folder / PARTS).is_dir() else None

    def changed(self) -> float:
        """Return when a file of the shard was last written, in seconds since 1970."""
        return max(self._state().values(), default=0) / 1e9

    def _state(self) -> dict[Path, int]:
        """Return when each file was last written; equal states mean that nobody has written meanwhile."""
        state = {}
        for path in (*(self.folder / name for name in (MANIFEST, COMPARISONS_FILE, SCORES_FILE)), *self._parts()):
            with contextlib.suppress(FileNotFoundError):
                state[path] = path.stat().st_mtime_ns
        return state

    def _parts(self) -> list[Path]:
        return sorted((self.folder / PARTS).glob("[0-9]*.parquet"))

    def scores(self) -> pl.DataFrame:
        """Return the scores of a finished run."""
        return read_table(self.folder / SCORES_FILE, SCORES, known=_known(self.verify()))


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a folder whose tables are complete: what is given, their hashes and the schema version."""
    files = {name: hash_file(folder / name) for name in TABLES if (folder / name).is_file()}
    content = {**manifest, "schema_version": SCHEMA_VERSION, "files": files}
    plain = json.loads(json.dumps(content, default=str))
    plain[OWN_HASH] = _hash_of(plain)
    write_text(folder / MANIFEST, json.dumps(plain, indent=2, sort_keys=True) + "\n")


def _hash_of(manifest: Mapping[str, Any]) -> str:
    """Return the hash of a manifest's content, its own hash left out."""
    content = {key: value for key, value in manifest.items() if key != OWN_HASH}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _check_part(path: Path) -> None:
    """Raise ``ArtifactError`` unless a part's content is what its name says; one that is gone is no damage."""
    try:
        found = hash_file(path)
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is gone: another process has finished the run") from error
    if found != path.stem.partition("-")[2]:
        raise ArtifactError(f"{path} is damaged: it does not match the hash in its name. Its run makes it anew.")


def _known(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return what a manifest says of columns that its tables may lack: for a run or an import, where models are from.

    Of merged tables it does not say it.
    """
    if manifest.get("kind") == PUBLISHED:
        return {"model_source": PUBLISHED}
    if manifest.get("kind", RUN) != RUN or "config" not in manifest:
        return {}
    source = (manifest["config"].get("models") or {}).get("source")
    return {"model_source": PUBLISHED if source == PUBLISHED else TRAINED}


def _check_manifest(content: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` unless what is read from a manifest is of the form that this version writes."""
    if OWN_HASH in content or content["schema_version"] >= HASHED_SINCE:
        if content.get(OWN_HASH) != _hash_of(content):
            raise ValueError("its content does not match its hash")
    files, counts = content["files"], content.get("counts", {})
    if not isinstance(files, dict) or not {COMPARISONS_FILE, SCORES_FILE} <= set(files) <= set(TABLES):
        raise ValueError("files: expected the hashes of the tables")
    if not isinstance(counts, dict) or not all(isinstance(count, int) for count in counts.values()):
        raise ValueError("counts: expected a number for each status")


def find_shards(root: Path) -> Iterator[Shard]:
    """Yield the shards below a data root or a folder of shards, by name; or ``root`` itself, if it is one."""
    if is_shard(root):
        yield Shard(root)
        return
    yield from (Shard(folder) for folder in _entries(root) if is_shard(folder) and not _is_merged(folder))


def find_strays(root: Path) -> Iterator[Path]:
    """Yield what lies among the shards but is none."""
    if is_shard(root):
        return
    yield from (path for path in _entries(root) if not is_shard(path) and not path.name.startswith("."))


def shards_folder(root: Path) -> Path:
    """Return the folder of shards of a data root, or ``root`` itself where shards lie right in it."""
    below = root / "shards"
    if not below.is_dir() and root.is_dir() and any(is_shard(folder) for folder in root.iterdir()):
        return root
    return below


def count_statuses(comparisons: pl.DataFrame) -> dict[str, int]:
    """Return how many comparisons have each status."""
    counts = dict(comparisons["status"].value_counts().iter_rows())
    return {status: counts.get(status, 0) for status in STATUSES}


def _entries(root: Path) -> list[Path]:
    folder = shards_folder(root)
    return sorted(folder.iterdir()) if folder.is_dir() else []


def is_shard(folder: Path) -> bool:
    """Return whether a folder holds a manifest, or parts of an unfinished run."""
    return (folder / MANIFEST).is_file() or (folder / PARTS).is_dir()


def _is_merged(folder: Path) -> bool:
    """Return whether a folder holds merged tables, so that merging again does not take them for one more shard."""
    try:
        return bool(json.loads((folder / MANIFEST).read_bytes())["kind"] == MERGED)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
