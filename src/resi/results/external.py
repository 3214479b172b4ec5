"""Tables larger than memory: rows are distributed to files by key, then sorted one part at a time."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Any

import polars as pl

from resi.results.tables import write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    SortKey = tuple[tuple[bool, Any], ...]

BUCKETS = 32
SAMPLES = 100  # of the rows of a range, to find where ranges begin
ROW_GROUP = 20_000  # small enough that a slice of a file is read without much beside it


class Buckets:
    """Rows with a column ``key``, returned in parts so that all rows with the same key are in one part.

    Up to ``batch`` rows stay in memory; beyond that, they are distributed to files by a hash of their key.

    Parameters
    ----------
    scratch : Path
        An existing folder for the files; the caller deletes it.
    """

    def __init__(self, scratch: Path, batch: int) -> None:
        self._scratch = scratch
        self._batch = batch
        self._pending: list[pl.DataFrame] = []
        self._rows = 0
        self._files: dict[int, list[Path]] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """Add some rows."""
        self._pending.append(frame)
        self._rows += frame.height
        if self._rows > self._batch:
            self._spread()

    def parts(self) -> Iterator[pl.DataFrame]:
        """Yield all rows in parts that share no key."""
        if not self._files:
            if self._pending:
                yield pl.concat(self._pending)
            return
        if self._pending:
            self._spread()
        for _, files in sorted(self._files.items()):
            yield pl.concat(pl.scan_ipc(path, glob=False).collect() for path in files)

    def _spread(self) -> None:
        numbered = pl.concat(self._pending).with_columns(bucket=pl.col("key").hash() % BUCKETS)
        for (bucket,), rows in numbered.partition_by("bucket", as_dict=True, include_key=False).items():
            files = self._files.setdefault(int(bucket), [])
            files.append(self._scratch / f"bucket-{bucket}-{len(files)}.arrow")
            rows.write_ipc(files[-1], compression="lz4")
        self._pending.clear()
        self._rows = 0


def write_sorted(path: Path, parts: Iterable[pl.DataFrame], order: Sequence[str], scratch: Path, batch: int) -> None:
    """Write the rows of all parts as one sorted table.

    Each part is sorted separately; then the parts are cut into consecutive ranges of ``order`` of about ``batch`` rows
    each, and the ranges are combined one at a time.

    Parameters
    ----------
    parts : iterable of DataFrame
        At least one; each fits into memory.
    order : sequence of str
        Columns to sort by, nulls last.
    scratch : Path
        An existing folder for temporary files; the caller deletes it.
    """
    runs: list[Path] = []
    sample: list[SortKey] = []
    step = max(1, batch // SAMPLES)
    for part in parts:
        ordered = part.sort(order, nulls_last=True)
        runs.append(scratch / f"run-{len(runs)}.parquet")
        ordered.write_parquet(runs[-1], compression="lz4", row_group_size=ROW_GROUP)
        sample += [_place(row) for row in ordered.select(order).gather_every(step).iter_rows()]
    splits = sorted(sample)[SAMPLES::SAMPLES]
    cuts = [_cuts(pl.read_parquet(run, columns=list(order), glob=False).select(order), splits) for run in runs]
    ranges: list[Path] = []
    for number in range(len(splits) + 1):
        pieces = [
            pl.scan_parquet(run, glob=False).slice(ends[number], ends[number + 1] - ends[number]).collect()
            for run, ends in zip(runs, cuts, strict=True)
        ]
        ranges.append(scratch / f"range-{number}.parquet")
        whole = pl.concat(pieces).sort(order, nulls_last=True)
        whole.write_parquet(ranges[-1], compression="lz4", row_group_size=ROW_GROUP)
    write_table(path, pl.scan_parquet(ranges, glob=False))


def _place(row: tuple[Any, ...]) -> SortKey:
    """Return the sort key of a row."""
    return tuple((value is None, value) for value in row)


def _cuts(rows: pl.DataFrame, splits: Sequence[SortKey]) -> list[int]:
    """Return the ends of the ranges in a sorted table: 0, the first row not before each split, and its height."""
    inner = [bisect.bisect_left(range(rows.height), split, key=lambda i: _place(rows.row(i))) for split in splits]
    return [0, *inner, rows.height]
