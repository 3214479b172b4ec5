"""Shards combined into one table of comparisons and one of scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from resi.errors import ResiError, UsageError
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCORE_ORDER, SCORES
from resi.results.shards import COMPARISONS_FILE, SCORES_FILE, STATUSES, find_shards
from resi.results.tables import write_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CONFLICTS_FILE = "conflicts.parquet"
# Two values for one comparison agree within this share of their size; what is left is the order of additions.
RELATIVE_TOLERANCE = 1e-6


@dataclass
class Merged:
    """What a merge made: counts of rows, and the problems it met, one line each."""

    folder: Path
    shards: int = 0
    comparisons: int = 0
    failed: int = 0
    scores: int = 0
    problems: list[str] = field(default_factory=list)


def merge_shards(roots: Sequence[Path], folder: Path) -> Merged:
    """Combine all shards below ``roots`` into tables in ``folder``, in place of those that are there.

    One row is kept per comparison: one that is ok before an undefined one before a failed one. Where two values differ
    by more than rounding, the rows and their shards go to ``conflicts.parquet`` and the problem is reported. A damaged
    or unfinished shard is reported and left out.
    """
    merged = Merged(folder)
    comparisons, scores = _read(roots, folder, merged)
    comparisons = _best_first(comparisons)
    conflicts = _conflicts(comparisons)
    kept = comparisons.drop("shard").unique("key", keep="first", maintain_order=True)
    kept = kept.sort(COMPARISON_ORDER, nulls_last=True)
    best = scores.sort([*SCORE_ORDER, "failed_pairs", "value"], nulls_last=True)
    best = best.unique("key", keep="first", maintain_order=True)
    (folder / CONFLICTS_FILE).unlink(missing_ok=True)
    if conflicts.height:
        write_table(folder / CONFLICTS_FILE, conflicts)
        count = conflicts["key"].n_unique()
        merged.problems.append(
            f"{count} comparisons have different values in different shards, see {folder / CONFLICTS_FILE}; "
            "delete the shard that is wrong, and merge again"
        )
    write_table(folder / COMPARISONS_FILE, kept)
    write_table(folder / SCORES_FILE, best)
    merged.comparisons, merged.scores = kept.height, best.height
    merged.failed = kept.filter(status="failed").height
    return merged


def _read(roots: Sequence[Path], folder: Path, merged: Merged) -> tuple[pl.DataFrame, pl.DataFrame]:
    comparisons, scores = [pl.DataFrame(schema={**COMPARISONS, "shard": pl.String})], [pl.DataFrame(schema=SCORES)]
    for root in roots:
        if not root.is_dir():
            raise UsageError(f"{root} is no folder; name a data root or a folder of shards")
        shards = list(find_shards(root))
        if not shards:
            merged.problems.append(f"{root} holds no shards; name a data root or a folder of shards")
        for shard in shards:
            if not shard.is_complete:
                merged.problems.append(f"{shard.folder} is unfinished and left out; repeat its run to finish it")
                continue
            try:
                pair = shard.comparisons(), shard.scores()
            except ResiError as error:
                merged.problems.append(f"left out: {error}")
                continue
            comparisons.append(pair[0].with_columns(shard=pl.lit(str(shard.folder))))
            scores.append(pair[1])
            merged.shards += 1
    return pl.concat(comparisons), pl.concat(scores)


def _best_first(comparisons: pl.DataFrame) -> pl.DataFrame:
    """Return the rows so that the one to keep stands first among those with its key, in whatever order they came.

    Of rows with the same status and nearly the same value, the smallest value and the shortest time come first.
    """
    rank = pl.col("status").replace_strict({status: i for i, status in enumerate(STATUSES)}, default=len(STATUSES))
    by = [*COMPARISON_ORDER, "rank", "value", "seconds", "prepare_seconds", "error", "device", "resi_version", "shard"]
    return comparisons.with_columns(rank.alias("rank")).sort(by, nulls_last=True).drop("rank")


def _conflicts(comparisons: pl.DataFrame) -> pl.DataFrame:
    value = pl.col("value")
    spread = value.max().over("key") - value.min().over("key")
    size = value.abs().max().over("key")
    return comparisons.filter(value.is_not_null() & (spread > RELATIVE_TOLERANCE * size))
