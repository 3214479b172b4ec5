"""What the tables of a data root hold, in short: which comparisons, and how long they took."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from resi.errors import ArtifactError
from resi.rates import Rate, Rates
from resi.results.schema import COMPARISONS
from resi.results.shards import COMPARISONS_FILE, PARTS, shards_folder
from resi.results.tables import named_damage
from resi.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from resi.domains.base import ModelSpec
    from resi.errors import ResiError
    from resi.models import ModelStore

PLACE = ("domain", "dataset", "architecture")
SCHEMA = {
    name: COMPARISONS[name] for name in (*PLACE, "measure", "key", "shape_a", "seconds", "prepare_seconds", "status")
}
TRAININGS_READ = 5
"""Models of one kind whose training times are read."""


@dataclass(frozen=True)
class Stored:
    """The comparisons of a data root.

    Attributes
    ----------
    rows : DataFrame
        Of the columns ``SCHEMA``; a comparison may be there twice.
    """

    rows: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCHEMA))

    @cached_property
    def keys(self) -> set[str]:
        """The identities of all comparisons."""
        return set(self.rows["key"].to_list())

    def measures(self, place: tuple[str, str, str]) -> set[str]:
        """Return the names of measures of which there are comparisons in a place."""
        return self._measures.get(tuple(place), set())

    @cached_property
    def _measures(self) -> dict[tuple[str, ...], set[str]]:
        found: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for *place, measure in self.rows.select(*PLACE, "measure").unique().iter_rows():
            found[tuple(place)].add(measure)
        return found

    def size(self, place: tuple[str, str, str]) -> tuple[int, int] | None:
        """Return the most frequent size of representations in a place, as (n_samples, n_features)."""
        return self._sizes.get(tuple(place))

    @cached_property
    def _sizes(self) -> dict[tuple[str, ...], tuple[int, int]]:
        # Outputs have a row as well, but no measure of representations.
        counted = self.rows.filter(pl.col("prepare_seconds") > 0).group_by(*PLACE, "shape_a").len()
        ordered = counted.sort("len", "shape_a")
        return {tuple(place): size for *place, shape, _ in ordered.iter_rows() if (size := _matrix_size(shape))}

    def without(self, failed: bool, others: bool) -> Stored:
        """Return the same rates without the comparisons that are to be made again: the failed ones, or all others."""
        again = pl.when(status="failed").then(pl.lit(failed)).otherwise(pl.lit(others))
        return replace(self, rows=self.rows.with_columns(key=pl.when(~again).then("key")))

    def rates(self, models: ModelStore, trained: Iterable[ModelSpec]) -> Rates:
        """Return the mean rates of the comparisons that are stored, and of some of the models ``trained``."""
        made = self.rows.filter(pl.col("status") != "failed")
        means = made.group_by("measure", "shape_a").agg((pl.col("seconds") + pl.col("prepare_seconds")).mean())
        comparisons: dict[str, list[Rate]] = defaultdict(list)
        for measure, shape, seconds in means.sort("measure", "shape_a").iter_rows():
            if (size := _matrix_size(shape)) and seconds is not None:
                comparisons[measure].append(Rate(*size, seconds))
        times: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        for model in trained:
            found = times[model.domain, model.dataset, model.architecture]
            if len(found) < TRAININGS_READ:
                found.append(float(models.about(model).get("seconds", 0)))
        return Rates(comparisons, {place: sum(found) / len(found) for place, found in times.items()})


def read_stored(root: Path, on_damage: Callable[[ResiError], None]) -> Stored:
    """Read what all shards and the merged table below a data root hold.

    Parameters
    ----------
    on_damage : callable
        Called with the error for each table that cannot be read; it is left out.
    """
    folder = shards_folder(root)
    paths = [*folder.glob(f"*/{COMPARISONS_FILE}"), *folder.glob(f"*/{PARTS}/[0-9]*.parquet")]
    paths += [path for path in (Store(root).results / COMPARISONS_FILE,) if path.is_file()]
    if not paths:
        return Stored()
    try:
        return Stored(_read(sorted(paths)))
    except ArtifactError:
        frames = []
        for path in sorted(paths):
            try:
                frames.append(_read([path]))
            except ArtifactError as error:
                on_damage(error)
        return Stored(pl.concat(frames)) if frames else Stored()


def _read(paths: list[Path]) -> pl.DataFrame:
    with named_damage(paths[0]):
        return pl.scan_parquet(paths, glob=False, extra_columns="ignore", schema=SCHEMA).collect()


def _matrix_size(shape: str | None) -> tuple[int, int] | None:
    """Return (n_samples, n_features) from a text such as ``1000x64`` or ``500x64x1x1``."""
    parts = [int(part) for part in (shape or "").split("x") if part.isdigit()]
    if len(parts) < 2:
        return None
    features = 1
    for part in parts[1:]:
        features *= part
    return parts[0], features
