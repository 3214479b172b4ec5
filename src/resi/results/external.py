"""Tables larger than memory: rows are spread over files by key, then put in order, a part at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from resi.results.tables import BATCH_ROWS, write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

BUCKETS = 32


class Buckets:
    """Rows with a column ``key``, given back so that all rows with one key come together.

    Up to ``batch`` rows stay in memory; beyond, they are spread over files by a hash of their key.

    Parameters
    ----------
    scratch : Path
        An existing folder for the files; the caller deletes it.
    """

    def __init__(self, scratch: Path, batch: int = BATCH_ROWS) -> None:
        self._scratch = scratch
        self._batch = batch
        self._pending: list[pl.DataFrame] = []
        self._rows = 0
        self._files: dict[int, list[Path]] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """Take in some rows."""
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
        self._spread()
        for _, files in sorted(self._files.items()):
            yield pl.concat(pl.read_ipc(path) for path in files)

    def _spread(self) -> None:
        numbered = pl.concat(self._pending).with_columns(bucket=pl.col("key").hash() % BUCKETS)
        for (bucket,), rows in numbered.partition_by("bucket", as_dict=True, include_key=False).items():
            files = self._files.setdefault(int(bucket), [])
            files.append(self._scratch / f"bucket-{bucket}-{len(files)}.arrow")
            rows.write_ipc(files[-1], compression="lz4")
        self._pending.clear()
        self._rows = 0


def write_sorted(
    path: Path, parts: Iterable[pl.DataFrame], order: Sequence[str], scratch: Path, batch: int = BATCH_ROWS
) -> None:
    """Write the rows of all parts as one sorted table.

    The rows are cut into ranges that follow each other in ``order``, of about ``batch`` rows each; one range at a time
    is in memory.

    Parameters
    ----------
    parts : iterable of DataFrame
        At least one; each fits into memory.
    order : sequence of str
        Columns to sort by, nulls last. Few rows share the values of all but the last five.
    scratch : Path
        An existing folder for temporary files; the caller deletes it.
    """
    leading = list(order[:-5])
    runs, counts = [], []
    for number, part in enumerate(parts):
        runs.append(scratch / f"run-{number}.arrow")
        part.write_ipc(runs[-1], compression="lz4")
        counts.append(part.group_by(leading).len())
    sizes = pl.concat(counts).group_by(leading).agg(pl.col("len").sum()).sort(leading, nulls_last=True)
    ranges = sizes.select(*leading, range=(pl.col("len").cum_sum() - pl.col("len")) // batch)
    if ranges["range"].n_unique() < 2:
        write_table(path, pl.concat(pl.read_ipc(run) for run in runs).sort(order, nulls_last=True))
        return
    pieces: dict[int, list[Path]] = {}
    for run in runs:
        placed = pl.read_ipc(run).join(ranges, on=leading, nulls_equal=True)
        run.unlink()
        for (number,), rows in placed.partition_by("range", as_dict=True, include_key=False).items():
            pieces.setdefault(int(number), []).append(run.with_suffix(f".{number}.arrow"))
            rows.write_ipc(pieces[int(number)][-1], compression="lz4")
    done = []
    for number, files in sorted(pieces.items()):
        done.append(scratch / f"range-{number}.arrow")
        pl.concat(pl.read_ipc(file) for file in files).sort(order, nulls_last=True).write_ipc(done[-1], compression="lz4")
        for file in files:
            file.unlink()
    write_table(path, pl.scan_ipc(done))
