"""Which comparisons to make, and in which order."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations, permutations
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from resi.measures.base import Measure


class Task(NamedTuple):
    """One comparison: the keys of two representations and the name of a measure."""

    source: str
    target: str
    measure: str


def all_pairs(keys: Sequence[str], measures: Mapping[str, Measure]) -> list[Task]:
    """Return every comparison among representations: unordered pairs for symmetric measures, else ordered ones."""
    return [
        Task(source, target, name)
        for name, measure in measures.items()
        for source, target in (combinations if measure.symmetric else permutations)(keys, 2)
    ]


def in_tiles(tasks: Iterable[Task], keys: Sequence[str], block: int) -> Iterator[list[Task]]:
    """Yield tasks tile by tile: all tasks between two blocks of representations, or within one block.

    Only two blocks are in use at a time, and tiles that follow each other share one where they can. Within a tile,
    tasks on one pair stand together, in either direction, and pairs with the same first representation.
    """
    position = {key: index for index, key in enumerate(keys)}
    tiles: defaultdict[tuple[int, int], list[tuple[tuple[int, int], Task]]] = defaultdict(list)
    for task in tasks:
        first, second = sorted((position[task.source], position[task.target]))
        tiles[first // block, second // block].append(((first, second), task))
    for tile in _snake(tiles):
        yield [task for _, task in sorted(tiles[tile], key=itemgetter(0))]


def _snake(tiles: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Order tiles so that neighbours share a block: along one row and back along the next."""
    return sorted(tiles, key=lambda tile: (tile[0], tile[1] if tile[0] % 2 == 0 else -tile[1]))
