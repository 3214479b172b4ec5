"""A summary of stored comparisons: their keys, measures, sizes and times."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from resi.choices import Status
from resi.results.schema import COMPARISONS, is_calibrated

if TYPE_CHECKING:
    from collections.abc import Sequence

    Hashes = np.ndarray[Any, np.dtype[np.uint64]]

PLACE = ("domain", "dataset", "architecture")
SUMMARIZED = {
    name: COMPARISONS[name]
    for name in (
        *(*PLACE, "measure", "key", "shape_a", "seconds", "prepare_seconds"),
        *("status", "error", "parameters", "device"),
    )
}
KIND = [*PLACE, "measure", "shape_a", "status", "device"]
COUNTS = pl.Schema(
    {
        **{name: pl.String for name in KIND},
        "prepared": pl.UInt32,  # comparisons for which something was prepared: not those of outputs
        "timed": pl.UInt32,
        "seconds": pl.Float64,  # of all that are timed
    }
)


@dataclass(frozen=True)
class KeySet:
    """Keys as 64-bit hashes: among millions, two collide with a probability of one in a million."""

    hashes: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))

    def has(self, keys: Sequence[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return for each key whether it is in the set."""
        asked = pl.Series(keys, dtype=pl.String).hash().to_numpy()
        if not self.hashes.size:
            return np.zeros(len(asked), bool)
        places = np.searchsorted(self.hashes, asked)
        return np.asarray(self.hashes[np.minimum(places, self.hashes.size - 1)] == asked)


@dataclass(frozen=True)
class Stored:
    """The comparisons of a data root.

    Attributes
    ----------
    counts : DataFrame
        With the columns ``COUNTS``, one row for each combination of the columns ``KIND``.
    made, failed : KeySet
        Comparisons that are ok or undefined, and failed ones; a comparison may be in both.
    """

    counts: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=COUNTS))
    made: KeySet = KeySet()
    failed: KeySet = KeySet()

    def has(self, keys: Sequence[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return for each key whether its comparison is stored."""
        return np.asarray(self.made.has(keys) | self.failed.has(keys))

    def measures(self, place: tuple[str, str, str]) -> set[str]:
        """Return the names of measures with comparisons in a place."""
        return self._measures.get(tuple(place), set())

    @cached_property
    def _measures(self) -> dict[tuple[str, ...], set[str]]:
        found: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for *place, measure in self.counts.select(*PLACE, "measure").unique().iter_rows():
            found[tuple(place)].add(measure)
        return found

    def size(self, place: tuple[str, str, str]) -> tuple[int, int] | None:
        """Return the most frequent size of representations in a place, as (n_samples, n_features)."""
        return self._sizes.get(tuple(place))

    @cached_property
    def _sizes(self) -> dict[tuple[str, ...], tuple[int, int]]:
        # Outputs also have rows, but not a measure of representations.
        counted = self.counts.filter(pl.col("prepared") > 0).group_by(*PLACE, "shape_a").agg(pl.col("prepared").sum())
        ordered = counted.sort("prepared", "shape_a")
        return {tuple(place): size for *place, shape, _ in ordered.iter_rows() if (size := matrix_size(shape))}

    def without(self, failed: bool, others: bool) -> Stored:
        """Return the same rates without the comparisons to be recomputed: the failed ones, or all others."""
        return replace(self, failed=KeySet() if failed else self.failed, made=KeySet() if others else self.made)


def summarize(rows: pl.LazyFrame) -> Stored:
    """Return a summary of rows with the columns ``SUMMARIZED``, without holding them all in memory."""
    # Calibrated comparisons take longer, so no rate follows from them.
    seconds = pl.when(~is_calibrated(pl.col("parameters"))).then(pl.col("seconds") + pl.col("prepare_seconds"))
    counts = rows.group_by(KIND).agg(
        prepared=(pl.col("prepare_seconds") > 0).sum(), timed=seconds.count(), seconds=seconds.sum()
    )
    hashed = rows.select(pl.col("key").hash(), failed=pl.col("status") == Status.failed.value)
    keys = hashed.collect(engine="streaming")
    return Stored(
        counts.collect(engine="streaming").cast(COUNTS),
        *(KeySet(np.sort(keys.filter(failed=failed)["key"].to_numpy())) for failed in (False, True)),
    )


def combine(pieces: Sequence[Stored]) -> Stored:
    """Return the combined summary of several groups of files."""
    if len(pieces) == 1:
        return pieces[0]
    return Stored(
        pl.concat([Stored().counts, *(piece.counts for piece in pieces)]),
        KeySet(np.sort(np.concatenate([KeySet().hashes, *(piece.made.hashes for piece in pieces)]))),
        KeySet(np.sort(np.concatenate([KeySet().hashes, *(piece.failed.hashes for piece in pieces)]))),
    )


def matrix_size(shape: str | None) -> tuple[int, int] | None:
    """Return (n_samples, n_features) from a text such as ``1000x64`` or ``500x64x1x1``."""
    parts = [int(part) for part in (shape or "").split("x") if part.isdigit()]
    if len(parts) < 2:
        return None
    features = 1
    for part in parts[1:]:
        features *= part
    return parts[0], features
