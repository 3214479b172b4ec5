"""Result tables as Parquet files: written atomically, read with their columns checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from resi.errors import ArtifactError
from resi.store import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from polars._typing import PolarsDataType

    Schema = Mapping[str, PolarsDataType]


def table(rows: Iterable[Mapping[str, Any]], schema: Schema, order: Sequence[str]) -> pl.DataFrame:
    """Return rows as a sorted table; every row must have every column."""
    return pl.DataFrame(list(rows), schema=dict(schema), orient="row").sort(order, nulls_last=True)


def write_table(path: Path, frame: pl.DataFrame) -> None:
    """Write a Parquet file atomically."""
    with atomic_path(path) as temporary:
        frame.write_parquet(temporary, compression="zstd", statistics=True)


def read_table(path: Path, schema: Schema, where: pl.Expr | None = None) -> pl.DataFrame:
    """Read the rows of a Parquet file that satisfy ``where``, with the columns of ``schema``.

    Raises
    ------
    ArtifactError
        If the file is damaged or lacks a column; the message names it.
    """
    try:
        frame = pl.scan_parquet(path, glob=False)
        missing = set(schema) - set(frame.collect_schema())
        if missing:
            raise ArtifactError(
                f"{path} lacks the columns {sorted(missing)}: it is not a table of this version of resi"
            )
        if where is not None:
            frame = frame.filter(where)
        return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(f"{path} is damaged: {reason}. Delete it and run again to have it made anew.") from error
