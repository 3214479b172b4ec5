"""Which stored models and representations the comparisons of a data root refer to.

A comparison records a hash of the identities of its two representations (``pair``). Stored representations are matched
against it, so that the right one of two models with the same name, such as from two training versions, is found. If a
comparison matches nothing stored, because one of its sides is gone, everything with its names counts as referenced.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from resi.console import progress
from resi.errors import ArtifactError, ResiError
from resi.groundings.against import BETWEEN, OF, split_join
from resi.pipeline.keys import pair_key
from resi.results.manifests import MANIFEST, TABLES
from resi.results.schema import COMPARISONS, COMPUTED, OWN
from resi.results.shards import PARTS, Shard
from resi.results.tables import read_table
from resi.store.representations import OUTPUTS
from resi.upkeep.forms import files_below

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from resi.store.root import Store

SIDES = ("setting_a", "seed_a", "layer_a"), ("setting_b", "seed_b", "layer_b")
COLUMNS = ("domain", "dataset", "architecture", *SIDES[0], *SIDES[1], "pair")


class StoredModel(NamedTuple):
    """A model in the data root."""

    path: Path
    fingerprint: str
    domain: str
    dataset: str
    architecture: str
    setting: str
    seed: int


class StoredRepresentation(NamedTuple):
    """A representation in the data root, or the outputs of a model.

    Attributes
    ----------
    key : str
        Its identity.
    model : str
        Fingerprint of the model.
    probe : str
        The input. Layers and outputs of one model on one input are only useful together.
    layer : str
        The layer, or ``outputs``.
    """

    path: Path
    key: str
    model: str
    probe: str
    domain: str
    dataset: str
    architecture: str
    setting: str
    seed: int
    layer: str


class Side(NamedTuple):
    """One side of a comparison as named in its row, with its possible datasets and architectures."""

    domain: str
    datasets: frozenset[str]
    architectures: frozenset[str]
    setting: str
    seed: int
    layer: str

    def is_of(self, found: StoredModel | StoredRepresentation) -> bool:
        """Return whether a model has the names of this side."""
        is_model = (found.domain, found.setting, found.seed) == (self.domain, self.setting, self.seed)
        return is_model and found.architecture in self.architectures and found.dataset in self.datasets


def find_references(
    store: Store, models: Sequence[StoredModel], representations: Sequence[StoredRepresentation]
) -> tuple[set[Path], list[str]]:
    """Return the files that comparisons refer to, and why that is unknown for some shards.

    If it is unknown for any shard, all files count as referenced.
    """
    problems: list[str] = []
    search = _Search(representations)
    for path in (store.shards, store.results, *files_below(store.shards)):
        if path.is_symlink() and not path.exists():
            problems.append(f"{path} is a link to what is not there, such as a disk that is not mounted.")
    shards = [*_shards(store.shards), *([merged] if (merged := Shard(store.results)).is_complete else [])]
    with progress("reading what shards refer to", len(shards), after=2.0) as advance:
        for shard in shards:
            try:
                for rows in _rows(shard, problems):
                    search.add(rows)
            except ResiError as error:
                problems.append(str(error))
            advance()
    if problems:
        return {model.path for model in models} | {found.path for found in representations}, problems
    used = {(found.model, found.probe) for found in search.found}
    paths = {found.path for found in representations if (found.model, found.probe) in used}
    trained = {model for model, _ in used}
    for model in models:
        if model.fingerprint in trained or any(side.is_of(model) for side in search.unresolved):
            paths.add(model.path)
    return paths, problems


def _shards(folder: Path) -> Iterator[Shard]:
    """Yield all shards below a folder, also those that were put into another folder, and those copied in part."""
    found = {path.parent for path in files_below(folder) if path.name in (MANIFEST, *TABLES)}
    found |= {path.parent.parent for path in files_below(folder) if path.parent.name == PARTS}
    yield from map(Shard, sorted(found))


def _rows(shard: Shard, problems: list[str]) -> Iterator[pl.DataFrame]:
    """Yield the models and representations of a shard's comparisons, one part at a time."""
    if shard.is_complete:
        _, tables = shard.steadily(shard.tables)
    elif (left := shard.unfinished_table()) is not None:
        tables = iter([read_table(left, COMPARISONS)])
    elif not (shard.folder / PARTS).is_dir():
        raise ArtifactError(f"{shard.folder} has neither a manifest nor comparisons.")
    else:
        tables = iter([shard.comparisons(on_damage=lambda error: problems.append(str(error)))])
    for table in tables:
        source = pl.col("model_source").fill_null("")
        ours = table.filter((pl.col("origin") == COMPUTED) & (source != OWN))
        yield ours.select(COLUMNS).unique()


@dataclass
class _Search:
    """The references found so far.

    Attributes
    ----------
    found : set of StoredRepresentation
    unresolved : set of Side
        Sides of comparisons that match nothing stored.
    """

    representations: Sequence[StoredRepresentation]
    found: set[StoredRepresentation] = field(default_factory=set)
    unresolved: set[Side] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._by_name: dict[tuple[str, str, int, str], list[StoredRepresentation]] = defaultdict(list)
        for one in self.representations:
            self._by_name[one.domain, one.setting, one.seed, one.layer].append(one)

    def add(self, rows: pl.DataFrame) -> None:
        """Add the references of comparisons."""
        for row in rows.iter_rows(named=True):
            sides = [_side(row, *names) for names in SIDES]
            first, second = (self._candidates(side) for side in sides)
            pairs = [pair for pair in itertools.product(first, second) if _pair(*pair) == row["pair"]]
            if not pairs:
                self.unresolved.update(sides)
            self.found.update(itertools.chain(*pairs) if pairs else (*first, *second))

    def _candidates(self, side: Side) -> list[StoredRepresentation]:
        named = self._by_name.get((side.domain, side.setting, side.seed, side.layer), [])
        return [one for one in named if side.is_of(one)]


def _pair(first: StoredRepresentation, second: StoredRepresentation) -> str:
    return pair_key(*sorted((first.key, second.key)))


def _side(row: dict[str, str | int], setting: str, seed: str, layer: str) -> Side:
    groups, on = split_join(str(row["dataset"]))
    return Side(
        str(row["domain"]),
        frozenset({*groups, on} - {""}),
        frozenset(str(row["architecture"]).split(BETWEEN)),
        str(row[setting]).rpartition(OF)[2],
        int(row[seed]),
        str(row[layer] or OUTPUTS),
    )
