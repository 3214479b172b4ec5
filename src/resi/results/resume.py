"""Resuming: comparisons that an earlier run has made, wherever below the data root they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from resi.errors import ArtifactError, ResiError
from resi.results.resolve import STATUSES
from resi.results.schema import PUBLISHED
from resi.results.shards import RUN, Shard, find_shards
from resi.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Scope:
    """Where comparisons can be: of one dataset. It spares reading other shards, and most of a merged table."""

    domain: str
    dataset: str

    def filter(self) -> pl.Expr:
        """Return which rows are in it."""
        return (pl.col("domain") == self.domain) & (pl.col("dataset") == self.dataset)

    def covers(self, manifest: Mapping[str, Any]) -> bool:
        """Return whether a finished shard may hold such comparisons."""
        if manifest.get("kind") == RUN:
            return bool(manifest.get("domain") == self.domain and manifest.get("dataset") == self.dataset)
        return manifest.get("kind") != PUBLISHED


def find_comparisons(
    root: Path,
    keys: Collection[str],
    on_damage: Callable[[ResiError], None],
    first: Shard | None = None,
    scope: Scope | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the stored comparisons among ``keys``, from every shard and the merged table below a data root.

    Where several rows have one key, one that is ok stands before an undefined one, and that before a failed one; of
    equals, the one of the shard ``first``.

    Parameters
    ----------
    on_damage : callable
        Called with the error for each shard that cannot be read; it is left out.
    scope : Scope, optional
        Where comparisons with these keys can be.
    """
    found: dict[str, dict[str, Any]] = {}
    for frame in _stored(root, keys, on_damage, first, scope):
        for row in frame.iter_rows(named=True):
            known = found.get(row["key"])
            if known is None or _rank(row["status"]) < _rank(known["status"]):
                found[row["key"]] = row
    return found


def _stored(
    root: Path,
    keys: Collection[str],
    on_damage: Callable[[ResiError], None],
    first: Shard | None,
    scope: Scope | None,
) -> Iterable[pl.DataFrame]:
    wanted = pl.col("key").is_in(list(keys))
    where = wanted if scope is None else scope.filter() & wanted
    shards = list(find_shards(root))
    if first is not None:
        shards.sort(key=lambda shard: shard.folder != first.folder)
    for shard in (*shards, Shard(Store(root).results)):
        try:
            if scope is None or not shard.is_complete or scope.covers(shard.manifest()):
                yield shard.comparisons(where, on_damage)
            if table := shard.unfinished_table():
                on_damage(ArtifactError(f"{table} has no manifest: nothing tells whether it is whole"))
        except ResiError as error:
            on_damage(error)


def _rank(status: str) -> int:
    return STATUSES.index(status) if status in STATUSES else len(STATUSES)
