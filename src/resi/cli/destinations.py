"""Where a command may write: never onto what it reads, and onto no file of somebody else."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TABLES = (".csv", ".tsv", ".parquet", ".json")
FIGURES = (".png", ".svg", ".pdf")
COLUMNS = ("source", "target", "measure", "value")
"""Columns with which every table of comparisons begins."""
START = 4096
"""Bytes in which the names of a table's columns stand."""


def check_destination(option: str, path: Path | None, suffixes: Sequence[str], inputs: Iterable[str]) -> None:
    """Raise ``UsageError`` for a table or a figure that may not be written, before anything is computed.

    Parameters
    ----------
    option : str
        Which names the file, for the message.
    path : Path, optional
        The file.
    suffixes : sequence of str
        Those of files that can be written.
    inputs : iterable of str
        Files and folders that the command reads.
    """
    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{option} {path}: expected a file {', '.join(suffixes[:-1])} or {suffixes[-1]}")
    if path.is_dir():
        raise UsageError(f"{option} {path}: there is a folder of that name")
    _check_is_no_input(option, path, [Path(given).expanduser() for given in inputs])
    what = "figure" if path.suffix.lower() in FIGURES else "table of comparisons"
    if path.exists() and not _may_be_replaced(path):
        raise UsageError(f"{option} {path}: there is a file that is not a {what} of resi; it is left as it is")


def _check_is_no_input(option: str, path: Path, inputs: Iterable[Path]) -> None:
    """Raise ``UsageError`` if a file is read by the command, or would be by the next one, as a layer of a folder."""
    from resi.extraction.files.folders import reads

    for given in inputs:
        if path.exists() and given.exists() and path.samefile(given):
            raise UsageError(f"{option} {path} is an input; name another file")
        if given.is_dir() and reads(path.name) and path.absolute().parent.resolve() == given.resolve():
            raise UsageError(f"{option} {path} lies in {given}, which is an input; name a file in another folder")


def _may_be_replaced(path: Path) -> bool:
    """Return whether a file is empty, or one that resi writes under such a name."""
    with path.open("rb") as file:
        start = file.read(START)
    suffix = path.suffix.lower()
    if suffix in FIGURES:
        return not start or b"atplotlib" in path.read_bytes()
    return not start or _is_table(path, suffix, start)


def _is_table(path: Path, suffix: str, start: bytes) -> bool:
    if suffix == ".parquet":
        import polars as pl

        with contextlib.suppress(pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
            return tuple(pl.read_parquet_schema(path))[: len(COLUMNS)] == COLUMNS
        return False
    if suffix == ".json":
        row = start.partition(b"}")[0]
        return start.startswith(b"[{") and all(json.dumps(name).encode() in row for name in COLUMNS)
    separator = "\t" if suffix == ".tsv" else ","
    return start.startswith(separator.join(COLUMNS).encode())
