"""Which of several rows for one comparison, or one score, is kept."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from resi.choices import Status

# The better status comes first.
_RANKS = {status.value: rank for rank, status in enumerate(Status)}
# Two values for one comparison agree within this share of their size, or within this distance near zero, such as for
# the distance between equal representations; this covers the order of additions and the square root of rounding.
RELATIVE_TOLERANCE = 1e-6
ABSOLUTE_TOLERANCE = 1e-8
CONTRADICTED = "different values, from "
"""The beginning of the error of a comparison for which shards have different values."""


class Resolved(NamedTuple):
    """One row for each key, and all rows of keys with contradictory rows."""

    kept: pl.DataFrame
    conflicts: pl.DataFrame


def resolve_comparisons(rows: pl.DataFrame) -> Resolved:
    """Keep one row for each comparison, in no particular order.

    An ok row is preferred to an undefined one, and that to a failed one. If values differ by more than rounding, none
    is chosen: the kept row has status ``failed`` and says so, and all rows with a value are returned as conflicts.
    Among rows that agree, the smallest value and the shortest time are preferred, so the order of ``rows`` has no
    effect.

    Parameters
    ----------
    rows : DataFrame
        With the columns ``COMPARISONS`` and ``shard``, the origin of each row.
    """
    repeated = rows["key"].is_duplicated()
    single, several = rows.filter(~repeated).drop("shard"), rows.filter(repeated)
    # Rows of earlier versions may lack the pair; a note of any of the rows is kept.
    several = several.with_columns(pl.col("pair").max().over("key"), note=_note())
    several = several.sort(["key", _status_rank(), "value", "seconds", *_others(rows)], nulls_last=True)
    conflicts = several.filter(_differs(pl.when(status=Status.ok.value).then("value")))
    best = several.unique("key", keep="first", maintain_order=True).drop("shard")
    span = conflicts.group_by("key").agg(low=pl.col("value").min(), high=pl.col("value").max())
    contradicted = pl.col("low").is_not_null()
    text = pl.format(CONTRADICTED + "{} to {}, see conflicts.parquet", "low", "high")
    best = best.join(span, on="key", how="left", maintain_order="left").with_columns(
        value=pl.when(~contradicted).then("value"),
        status=pl.when(contradicted).then(pl.lit(Status.failed.value)).otherwise("status"),
        error=pl.when(contradicted).then(text).otherwise("error"),
    )
    return Resolved(pl.concat([single, best.select(single.columns)]), conflicts)


def resolve_scores(rows: pl.DataFrame) -> Resolved:
    """Keep one row for each score: the one with the fewest missing comparisons.

    If several of those differ by more than rounding, none of their values is chosen.

    Parameters
    ----------
    rows : DataFrame
        With the columns ``SCORES`` and ``shard``.
    """
    # Earlier versions did not record the smallest possible p-value.
    rows = rows.with_columns(note=_note(), smallest_p=pl.col("smallest_p").max().over("key"))
    rows = rows.sort(["key", "failed_pairs", "value", *_others(rows)], nulls_last=True)
    fewest = rows.filter(pl.col("failed_pairs") == pl.col("failed_pairs").min().over("key"))
    conflicts = fewest.filter(_differs(pl.col("value")))
    contradicted = pl.col("key").is_in(conflicts["key"].unique().to_list())
    text = pl.lit("different values in different shards, see score_conflicts.parquet")
    kept = rows.drop("shard").unique("key", keep="first", maintain_order=True)
    return Resolved(
        kept.with_columns(
            pl.when(~contradicted).then(pl.col("value", "low", "high", "p_value", "smallest_p", "normalised")),
            reason=pl.when(contradicted).then(text).otherwise("reason"),
        ),
        conflicts,
    )


def _note() -> pl.Expr:
    """Return one of the notes of a key's rows; empty only if all are empty."""
    return pl.col("note").fill_null("").max().over("key")


def is_contradicted() -> pl.Expr:
    """Return whether a row has no value because shards contradict each other; such a row is not a comparison."""
    has_failed = pl.col("status") == Status.failed.value
    return has_failed & pl.col("error").str.starts_with(CONTRADICTED).fill_null(value=False)


def _status_rank() -> pl.Expr:
    return pl.col("status").replace_strict(_RANKS, default=len(_RANKS), return_dtype=pl.Int8)


def status_rank(status: str) -> int:
    """Return the rank of a status, 0 the best; an unknown one is the worst."""
    return _RANKS.get(status, len(_RANKS))


def _others(rows: pl.DataFrame) -> list[str]:
    return [name for name in rows.columns if name not in ("key", "status", "value", "seconds", "failed_pairs")]


def _differs(value: pl.Expr) -> pl.Expr:
    """Return whether a row has a value and the values of its key differ by more than rounding."""
    spread = value.max().over("key") - value.min().over("key")
    allowed = RELATIVE_TOLERANCE * value.abs().max().over("key") + ABSOLUTE_TOLERANCE
    return value.is_not_null() & (spread > allowed)
