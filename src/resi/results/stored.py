"""Stored comparisons: the single reader of a data root's comparisons, used by runs, plans and progress.

All three leave out the same: shards and merged tables that do not match their hashes, and merged tables with
contradictions. Shards of other datasets are skipped by name or manifest; of the others, a run first scans only the
keys of all files, and reads and verifies only the files that hold comparisons it needs.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from resi.errors import ArtifactError, ResiError
from resi.results.manifests import COMPARISONS_FILE, CONFLICTS_FILE, MERGED, RUN
from resi.results.resolve import is_contradicted, status_rank
from resi.results.schema import COMPARISONS, PUBLISHED
from resi.results.shards import Shard, folders_below, is_shard
from resi.results.summary import SUMMARIZED, Stored, combine, summarize
from resi.results.tables import named_damage
from resi.store.root import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from resi.results.shards import OnDamage

Found = TypeVar("Found")
SHARD_NAME = re.compile(r"(?P<domain>[a-z0-9_]+)-.+-[0-9a-f]{12}")
KEYS = {name: COMPARISONS[name] for name in ("domain", "dataset", "key")}


@dataclass(frozen=True)
class Scope:
    """The dataset of the wanted comparisons, so that other shards and most of a merged table need not be read."""

    domain: str
    dataset: str
    also: tuple[str, ...] = ()
    """Further values in the dataset column, if models were trained on other datasets than they are represented on."""

    def filter(self) -> pl.Expr:
        """Return the filter for its rows."""
        is_dataset = pl.any_horizontal(pl.col("dataset") == name for name in (self.dataset, *self.also))
        return (pl.col("domain") == self.domain) & is_dataset

    def is_in_name(self, name: str) -> bool:
        """Return whether a shard's name is that of a run on this dataset."""
        return name.startswith(f"{self.domain}-{self.dataset}-")

    def covers(self, manifest: Mapping[str, Any]) -> bool:
        """Return whether a finished shard may hold such comparisons."""
        return manifest.get("kind") != RUN or (manifest.get("domain"), manifest.get("dataset")) == (
            self.domain,
            self.dataset,
        )


def find_comparisons(
    root: Path,
    keys: Collection[str],
    on_damage: OnDamage,
    first: Shard | None = None,
    scope: Scope | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the stored comparisons among ``keys``, from every shard and the merged table below a data root.

    If several rows have the same key, an ok row is preferred to an undefined one, and that to a failed one; among
    equals, that of the shard ``first``. Comparisons that failed because shards contradict each other count as not
    stored.

    Parameters
    ----------
    on_damage : callable
        Called with the error, once for each needed table that cannot be read; the table is left out.
    scope : Scope, optional
        The dataset of these comparisons.
    """
    search = _Search(set(keys), scope, on_damage)
    shards = list(_shards(root, None if scope is None else [scope], on_damage))
    own = [shard for shard in shards if first is not None and shard.folder == first.folder]
    for shard in own:
        search.read(shard)
    for shard in search.holders([shard for shard in shards if shard not in own]):
        search.read(shard)
    merged = Shard(Store(root).results)
    if search.left and _is_usable(merged, on_damage):
        for shard in search.holders([merged]):
            search.read(shard)
    return search.found


def read_stored(root: Path, on_damage: OnDamage, scopes: Collection[Scope] | None = None) -> Stored:
    """Summarise the comparisons in all shards and the merged table below a data root.

    Parameters
    ----------
    on_damage : callable
        Called with the error, once for each table that cannot be read; the table is left out.
    scopes : collection of Scope, optional
        The datasets of interest; by default, all.
    """
    merged = Shard(Store(root).results)
    shards = [*_shards(root, scopes, on_damage), *([merged] if _is_usable(merged, on_damage) else [])]
    paths = [path for shard in shards for path in shard.whole_tables(on_damage)]
    wanted = ~is_contradicted()
    if scopes is not None:
        wanted &= pl.any_horizontal(pl.lit(value=False), *(scope.filter() for scope in scopes))

    def read(some: Sequence[str]) -> Stored:
        return summarize(_scan(some, SUMMARIZED).filter(wanted))

    pieces = []
    for some, piece in _in_bulk(sorted(map(str, paths)), read):
        if piece is not None:
            pieces.append(piece)
        elif Path(some[0]).exists():  # otherwise another process has finished the run
            on_damage(ArtifactError(f"{some[0]} is damaged: it cannot be read as a table of resi."))
    return combine(pieces)


class _Search:
    """The comparisons found so far, and the keys for which there may be a better row."""

    def __init__(self, keys: set[str], scope: Scope | None, on_damage: OnDamage) -> None:
        self.left = keys
        self.found: dict[str, dict[str, Any]] = {}
        self._scope = scope
        self._on_damage = on_damage

    def read(self, shard: Shard) -> None:
        """Take the best rows for the remaining keys."""
        try:
            rows = shard.comparisons(self._wanted() & ~is_contradicted(), self._on_damage)
        except ResiError as error:
            self._on_damage(error)
            return
        for row in rows.iter_rows(named=True):
            known = self.found.get(row["key"])
            if known is None or status_rank(row["status"]) < status_rank(known["status"]):
                self.found[row["key"]] = row
        self.left = {key for key in self.left if key not in self.found or status_rank(self.found[key]["status"])}

    def holders(self, shards: Sequence[Shard]) -> Iterator[Shard]:
        """Yield the shards that may hold one of the keys, including those that cannot be read."""
        if not self.left:
            return
        shard_of = {str(path): shard.folder for shard in shards for path in shard.files_of_comparisons()}
        wanted = pl.LazyFrame({"key": list(self.left)}, schema={"key": pl.String})
        in_scope = pl.lit(value=True) if self._scope is None else self._scope.filter()

        def read(paths: Sequence[str]) -> list[str]:
            rows = _scan(paths, KEYS, include_file_paths="path").filter(in_scope)
            held = rows.join(wanted, on="key", how="semi").select(pl.col("path").unique())
            return held.collect(engine="streaming")["path"].to_list()

        held: set[Path] = set()
        for paths, found in _in_bulk(list(shard_of), read):
            held.update(shard_of[path] for path in (paths if found is None else found))
        yield from (shard for shard in shards if shard.folder in held)

    def _wanted(self) -> pl.Expr:
        wanted = pl.col("key").is_in(list(self.left))
        return wanted if self._scope is None else self._scope.filter() & wanted


def _shards(root: Path, scopes: Collection[Scope] | None, on_damage: OnDamage) -> Iterator[Shard]:
    """Yield the shards of runs below a data root that may hold comparisons of a scope.

    The name of a shard states its dataset; a manifest is read only for shards that were renamed.
    """
    from resi import registry

    for folder in folders_below(root):
        shard, named = Shard(folder), SHARD_NAME.fullmatch(folder.name)
        if scopes is not None and named is not None and named["domain"] in registry.domains():
            if any(scope.is_in_name(folder.name) for scope in scopes) and is_shard(folder):
                yield shard
            continue
        if not is_shard(folder):
            continue
        try:
            manifest = shard.steadily(functools.partial(_manifest_of_finished, shard))
        except ResiError as error:
            on_damage(error)
            continue
        if manifest is None or _may_hold(manifest, scopes):
            yield shard


def _manifest_of_finished(shard: Shard) -> dict[str, Any] | None:
    return shard.manifest() if shard.is_complete else None


def _may_hold(manifest: Mapping[str, Any], scopes: Collection[Scope] | None) -> bool:
    if manifest.get("kind") in (PUBLISHED, MERGED):  # imports have separate keys
        return False
    return scopes is None or any(scope.covers(manifest) for scope in scopes)


def _is_usable(merged: Shard, on_damage: OnDamage) -> bool:
    """Return whether there are readable merged tables without contradictions."""
    try:
        return merged.steadily(lambda: _check_merged(merged))
    except ResiError as error:
        on_damage(error)
        return False


def _check_merged(merged: Shard) -> bool:
    """Return whether there are merged tables; raise ``ArtifactError`` if runs must not use them."""
    if table := merged.unfinished_table():
        raise ArtifactError(f"{table} has no manifest, so it may be incomplete. Merge again to replace it.")
    if not merged.is_complete:
        return False
    if CONFLICTS_FILE in merged.manifest()["files"]:
        raise ArtifactError(
            f"{merged.folder / COMPARISONS_FILE} was merged from contradictory shards, see {CONFLICTS_FILE}. "
            "Delete the shard that is wrong, and merge again."
        )
    return True


def _scan(paths: Sequence[str], schema: Mapping[str, Any], **options: Any) -> pl.LazyFrame:
    return pl.scan_parquet(list(paths), glob=False, extra_columns="ignore", schema=dict(schema), **options)


def _in_bulk(
    paths: Sequence[str], read: Callable[[Sequence[str]], Found]
) -> Iterable[tuple[Sequence[str], Found | None]]:
    """Yield groups of files with their rows, read together; a file that cannot be read is yielded alone, with None."""
    if not paths:
        return
    try:
        with named_damage(Path(paths[0])):
            found: Found | None = read(paths)
    except ArtifactError:
        found = None
    if found is not None or len(paths) == 1:
        yield paths, found
        return
    half = len(paths) // 2
    yield from _in_bulk(paths[:half], read)
    yield from _in_bulk(paths[half:], read)
