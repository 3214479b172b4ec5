"""RTD-Lite against scipy's spanning trees and against its bars, one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from resi_more_measures.topology import RTDLite
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from resi.errors import DegenerateInputError

Pair = tuple[np.ndarray, np.ndarray]


def scaled(matrix: np.ndarray) -> np.ndarray:
    distances = squareform(pdist(matrix))
    return distances / np.quantile(distances, 0.9)


@pytest.mark.parametrize("which", ["pair", "wide_pair"])
def test_is_made_of_three_spanning_trees(which: str, request: pytest.FixtureRequest) -> None:
    first, second = map(scaled, request.getfixturevalue(which))
    trees = [minimum_spanning_tree(graph).sum() for graph in (first, second, np.minimum(first, second))]
    expected = (trees[0] + trees[1]) / 2 - trees[2]
    assert expected > 0.5
    assert RTDLite()(*request.getfixturevalue(which)) == pytest.approx(expected, rel=1e-9)


def components(graph: np.ndarray, threshold: float, joined: list[set[int]]) -> list[set[int]]:
    """Return the connected components of the edges up to a threshold, besides what is joined already."""
    found = [set(part) for part in joined]
    for i, j in zip(*np.nonzero(np.triu(graph <= threshold, 1)), strict=True):
        one, other = (next(part for part in found if k in part) for k in (i, j))
        if one is not other:
            found.remove(other)
            one |= other
    return found


def bars(graph: np.ndarray, smaller: np.ndarray) -> float:
    """Return the summed lengths of the bars from where clusters join in the smaller graph to where they do in one."""
    joined = [{i} for i in range(len(graph))]
    total = 0.0
    for birth in np.unique(smaller[np.triu_indices(len(graph), 1)]):
        i, j = next(zip(*np.nonzero(np.triu(smaller == birth, 1)), strict=True))
        one, other = (next(part for part in joined if k in part) for k in (i, j))
        if one is other:
            continue
        for death in np.unique(graph[np.triu_indices(len(graph), 1)]):
            if any({i, j} <= part for part in components(graph, death, joined)):
                break
        total += death - birth
        joined.remove(other)
        one |= other
    return total


def test_is_the_length_of_its_bars(rng: np.random.Generator) -> None:
    pair = rng.normal(size=(9, 2)), rng.normal(size=(9, 3))
    first, second = map(scaled, pair)
    smaller = np.minimum(first, second)
    expected = (bars(first, smaller) + bars(second, smaller)) / 2
    assert RTDLite()(*pair) == pytest.approx(expected, rel=1e-9)


def test_all_spanning_trees_of_four_points(rng: np.random.Generator) -> None:
    """The least of the sixteen trees on four points, by trying them."""
    pair = rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    first, second = map(scaled, pair)
    edges = list(itertools.combinations(range(4), 2))

    def least(graph: np.ndarray) -> float:
        sums = []
        for tree in itertools.combinations(edges, 3):
            mask = np.full((4, 4), np.inf)
            for i, j in tree:
                mask[i, j] = 0
            if len(components(mask, 0.0, [{i} for i in range(4)])) == 1:
                sums.append(sum(graph[i, j] for i, j in tree))
        assert len(sums) == 16
        return min(sums)

    expected = (least(first) + least(second)) / 2 - least(np.minimum(first, second))
    assert RTDLite()(*pair) == pytest.approx(expected, rel=1e-9)


def test_copies_of_samples_are_at_distance_zero(pair: Pair) -> None:
    """A spanning tree reaches each copy for nothing, and only the unit of the distances changes."""
    twice = [np.repeat(matrix, 2, axis=0) for matrix in pair]
    first, second = (np.repeat(np.repeat(squareform(pdist(m)), 2, 0), 2, 1) for m in pair)
    first, second = (graph / np.quantile(graph, 0.9) for graph in (first, second))
    trees = [minimum_spanning_tree(graph[::2, ::2]).sum() for graph in (first, second, np.minimum(first, second))]
    assert RTDLite()(*twice) == pytest.approx((trees[0] + trees[1]) / 2 - trees[2], rel=1e-9)


def test_a_cloud_of_one_place_has_no_scale() -> None:
    matrix = np.zeros((30, 2))
    matrix[0] = 1
    with pytest.raises(DegenerateInputError, match="no scale"):
        RTDLite()(matrix, matrix)
    with pytest.raises(DegenerateInputError):
        RTDLite()(np.ones((30, 2)), matrix)
