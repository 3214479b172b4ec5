"""Result tables as Parquet files: written atomically, with columns and version checked on reading."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from resi.errors import ArtifactError
from resi.results.schema import LATER_COLUMNS, SCHEMA_VERSION
from resi.store.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from polars._typing import PolarsDataType

    Schema = Mapping[str, PolarsDataType]
    Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

VERSION_KEY = "resi_schema_version"
BATCH_ROWS = 500_000
PACKED_ROWS = 2_000
LEAST_FREE_BYTES = 2**20


def table(rows: Iterable[Mapping[str, Any]], schema: Schema, order: Sequence[str]) -> pl.DataFrame:
    """Return rows as a sorted table; every row must have every column."""
    return pl.DataFrame(list(rows), schema=dict(schema), orient="row").sort(order, nulls_last=True)


class TableBuilder:
    """A table built row by row, in a tenth of the memory of dictionaries."""

    def __init__(self, schema: Schema) -> None:
        self._schema = dict(schema)
        self._frames = [pl.DataFrame(schema=self._schema)]
        self._rows: list[Mapping[str, Any]] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row, which must have every column."""
        self._rows.append(row)
        if len(self._rows) == PACKED_ROWS:
            self._pack()

    def table(self, order: Sequence[str]) -> pl.DataFrame:
        """Return the rows, sorted."""
        self._pack()
        return pl.concat(self._frames).sort(order, nulls_last=True)

    def _pack(self) -> None:
        self._frames.append(pl.DataFrame(self._rows, schema=self._schema, orient="row"))
        self._rows = []


def write_table(path: Path, frame: pl.DataFrame | pl.LazyFrame) -> None:
    """Write a Parquet file atomically, with the schema version in its metadata; a lazy frame is streamed."""
    options: dict[str, Any] = {
        "compression": "zstd",
        "statistics": True,
        "metadata": {VERSION_KEY: str(SCHEMA_VERSION)},
    }
    with atomic_path(path) as temporary, polars_io(path.parent):
        if isinstance(frame, pl.LazyFrame):
            frame.sink_parquet(temporary, **options)
        else:
            frame.write_parquet(temporary, **options)


@contextlib.contextmanager
def polars_io(folder: Path) -> Iterator[None]:
    """Raise ``OSError`` in place of Polars' ``ComputeError`` if the system refused to write to a folder."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        if number := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
        if shutil.disk_usage(folder).free < LEAST_FREE_BYTES:  # its message does not always say so
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


def read_table(
    path: Path, schema: Schema, where: pl.Expr | None = None, known: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Read the rows of a Parquet file that satisfy ``where``, with the columns of ``schema``.

    Columns added by a later version than the file's are filled with their ``known`` values, otherwise with those in
    ``LATER_COLUMNS``.

    Raises
    ------
    ArtifactError
        If the file is damaged, not a table of resi, or of a later version; the message names it and says what to do.
    """
    with named_damage(path):
        frame = _scan(path, schema, known)
        return (frame if where is None else frame.filter(where)).collect()


def read_batches(path: Path, schema: Schema, known: Mapping[str, str] | None = None) -> Iterator[pl.DataFrame]:
    """Yield a table in order, at most ``BATCH_ROWS`` rows at a time, filled as by :func:`read_table`.

    Raises
    ------
    ArtifactError
        As :func:`read_table`.
    """
    with named_damage(path):
        frame = _scan(path, schema, known)
        for start in itertools.count(step=BATCH_ROWS):
            rows = frame.slice(start, BATCH_ROWS).collect()
            yield rows
            if rows.height < BATCH_ROWS:
                return


def scan_table(path: Path, schema: Schema, known: Mapping[str, str] | None = None) -> pl.LazyFrame:
    """Return a table that is read when it is collected, filled as by :func:`read_table`.

    Raises
    ------
    ArtifactError
        As :func:`read_table`, as far as the file's header and footer show it.
    """
    with named_damage(path):
        return _scan(path, schema, known)


def _scan(path: Path, schema: Schema, known: Mapping[str, str] | None) -> pl.LazyFrame:
    version = pl.read_parquet_metadata(path).get(VERSION_KEY, "1")
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        raise ArtifactError(f"{path} has schema version {version}; this resi reads up to {SCHEMA_VERSION}: upgrade it")
    frame = pl.scan_parquet(path, glob=False)
    found = frame.collect_schema()
    if missing := sorted(set(schema) - set(found) - set(LATER_COLUMNS)):
        raise ArtifactError(f"{path} lacks the columns {missing}: it is not a table of resi, or not of this kind")
    for name, dtype in schema.items():
        if name in found and found[name] not in (dtype, pl.Null):
            raise ArtifactError(f"{path} holds {found[name]} in column {name}, not {dtype}: it is not a table of resi")
    return complete(frame, schema, known)


def complete(frame: Frame, schema: Schema, known: Mapping[str, str] | None = None) -> Frame:
    """Return the columns of ``schema``; those added after the table was written are filled as by :func:`read_table`."""
    fillings = {**LATER_COLUMNS, **(known or {})}
    found = frame.lazy().collect_schema()
    filled = [
        pl.lit(fillings[name], dtype).alias(name) if name not in found else pl.col(name).cast(dtype)
        for name, dtype in schema.items()
        if name not in found or found[name] != dtype
    ]
    return (frame.with_columns(filled) if filled else frame).select(*schema)


@contextlib.contextmanager
def named_damage(path: Path, advice: str = "Repeat the same run or merge to write it again.") -> Iterator[None]:
    """Turn any error raised by Polars on a damaged file into an ``ArtifactError`` that names it."""
    try:
        yield
    except PermissionError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(f"{path} is damaged: {reason}. {advice}") from error
