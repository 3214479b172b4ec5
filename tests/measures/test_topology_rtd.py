"""RTD against the published code, against its definition by boundary matrices, and against ripser."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from resi.errors import DegenerateInputError, UsageError
from resi.machine.devices import torch_threads
from resi.measures.features import Features
from resi.measures.homology.edges import in_order, opening
from resi.measures.homology.persistence import total_bar_lengths
from resi.measures.homology.topology import RTD
from resi.measures.homology.windows import Side
from resi.measures.shared.distances import cloud_of_positions


def rng(key: int) -> np.random.Generator:
    return np.random.default_rng([7, key])


def square(values: np.ndarray, n: int) -> np.ndarray:
    full = np.zeros((n, n))
    full[np.triu_indices(n, 1)] = values
    return full + full.T


def doubled(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The 2n-point matrix of the definition."""
    return np.block([[np.zeros_like(first), first.T], [first, np.minimum(first, second)]])


def kernel(first: np.ndarray, second: np.ndarray, zero_below: float = 0.0) -> float:
    n = len(first)
    upper = np.triu_indices(n, 1)
    a, b = first[upper], second[upper]
    sides = [Side(v, order := in_order(v, n), opening(order, n), zero_below) for v in (a, b)]
    there, back = total_bar_lengths(n, *sides)
    assert total_bar_lengths(n, *sides[::-1]) == (back, there)
    return there


def by_boundary_matrix(distances: np.ndarray) -> float:
    """Summed H1 bars of the Vietoris-Rips complex: the boundary matrix of triangles, reduced over Z/2."""
    n = len(distances)
    edges = sorted(itertools.combinations(range(n), 2), key=lambda e: (distances[e], e))
    position = {edge: index for index, edge in enumerate(edges)}
    columns = []
    for triangle in itertools.combinations(range(n), 3):
        sides = [position[side] for side in itertools.combinations(triangle, 2)]
        columns.append((max(sides), sides))
    columns.sort(key=lambda column: column[0])
    owner: dict[int, set[int]] = {}
    total = 0.0
    for latest, sides in columns:
        column = set(sides)
        while column and max(column) in owner:
            column ^= owner[max(column)]
        if column:
            owner[max(column)] = column
            total += distances[edges[latest]] - distances[edges[max(column)]]
    return total


def distances(points: np.ndarray) -> np.ndarray:
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))


def clouds(kind: str, n: int, key: int) -> tuple[np.ndarray, np.ndarray]:
    draw = rng(key)
    points = draw.normal(size=(n, 3))
    if kind in TIED:
        return tied(kind, n, draw)
    if kind == "independent":
        return distances(points), distances(draw.normal(size=(n, 2)))
    if kind == "close":
        return distances(points), distances(points + 0.2 * draw.normal(size=points.shape))
    if kind == "collapsed":
        centres = draw.normal(size=(3, 3))
        return distances(centres[draw.integers(0, 3, n)] + 0.01 * points), distances(points)
    return tuple(square(draw.random(n * (n - 1) // 2), n) for _ in range(2))  # no metric at all


def tied(kind: str, n: int, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Many equal distances."""
    if kind == "integers":
        return tuple(distances(draw.integers(0, 3, (n, 2)).astype(float)) for _ in range(2))
    if kind == "duplicates":
        points = draw.normal(size=(n, 3))
        return distances(points[draw.integers(0, n // 2, n)]), distances(points[draw.integers(0, n // 2, n)])
    if kind == "line":  # equal steps one way; the other way, two points at each place
        steps = np.arange(float(n))[:, None]
        return distances(steps), distances(draw.permutation(steps) // 2)
    if kind == "blocks":  # 0 within groups, one distance between them
        return tuple(1.0 * (group[:, None] != group) for group in draw.integers(0, 1 + n // 3, (2, n)))
    return 1.0 - np.eye(n), distances(draw.normal(size=(n, 3)))


TIED = ("integers", "duplicates", "line", "blocks", "equal")
KINDS = ("independent", "close", "collapsed", "any", *TIED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 3, 6, 9])
def test_bars_are_those_of_the_definition(kind, n):
    for key in range(6):
        first, second = clouds(kind, n, key)
        for a, b in ((first, second), (second, first)):
            assert kernel(a, b) == pytest.approx(by_boundary_matrix(doubled(a, b)), abs=1e-12)


@pytest.mark.parametrize("kind", ["independent", "close", "collapsed", "any", "integers"])
@pytest.mark.parametrize("n", [40, 70])
def test_bars_are_those_of_ripser(kind, n):
    ripser = pytest.importorskip("ripser")
    first, second = clouds(kind, n, n)
    for a, b in ((first, second), (second, first)):
        bars = ripser.ripser(doubled(a, b), maxdim=1, distance_matrix=True)["dgms"][1]
        assert kernel(a, b) == pytest.approx(float((bars[:, 1] - bars[:, 0]).sum()), rel=2e-5, abs=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_edges_are_in_order_and_opening_where_no_path_of_two_is_shorter(kind):
    n = 25
    tail, head = np.triu_indices(n, 1)
    values = clouds(kind, n, 3)[1][tail, head]
    values[values == 0] *= -1  # which is the same number
    order = in_order(values, n)
    place = np.argsort(values, kind="stable")
    assert order.tolist() == (tail << 16 | head)[place].tolist()
    rank = np.full((n, n), len(values))
    rank[tail[place], head[place]] = rank[head[place], tail[place]] = np.arange(len(values))
    shorter = np.maximum(rank[tail[place]], rank[head[place]]).min(axis=1) < np.arange(len(values))
    assert opening(order, n).tolist() == np.flatnonzero(~shorter).tolist()


def test_more_classes_than_there_is_room_for_at_first():
    # No triangle within either half is closed before 1, so that a quarter of all edges is alive at once.
    n = 70
    half = np.arange(n) < n // 2
    across = half[:, None] != half
    first, second = np.where(across, 2.0, 3.0), np.where(across, 1.0, 3.0)
    np.fill_diagonal(first, 0)
    np.fill_diagonal(second, 0)
    assert kernel(first, second) == (n // 2) ** 2


def test_small_distances_count_as_zero():
    first, second = clouds("independent", 9, 0)
    limit = float(np.quantile(first, 0.3))
    full = doubled(first, second)
    full[full < limit] = 0
    assert kernel(first, second, limit) == pytest.approx(by_boundary_matrix(full), abs=1e-12)


def test_close_rows_keep_their_distance():
    points = rng(0).normal(size=(20, 8)) + 100
    points[1] = points[0]
    points[2] = points[0] + 1e-7
    found = Features(torch.as_tensor(points)).shared(cloud_of_positions).squares(slice(0, 20)).numpy()
    assert found[0, 1] == 0
    assert np.all(np.diag(found) == 0)
    np.testing.assert_allclose(np.sqrt(found), distances(points), rtol=1e-8)


def test_equal_up_to_a_similarity_of_space_is_zero():
    points = rng(1).normal(size=(80, 10))
    turn = np.linalg.qr(rng(2).normal(size=(10, 10)))[0]
    assert RTD()(points, points) == 0
    assert RTD()(points, 3 * points @ turn + 5) == pytest.approx(0, abs=1e-10)


def test_symmetric_to_the_last_bit_with_ties():
    for R, S in ((rng(3).normal(size=(90, 4)), rng(4).normal(size=(90, 6))), rng(5).integers(0, 3, (2, 90, 3)) * 1.0):
        assert RTD()(R, S) == RTD()(S, R) > 0


def test_order_of_samples_does_not_matter():
    R, S = rng(3).normal(size=(60, 4)), rng(4).normal(size=(60, 6))
    shuffled = rng(5).permutation(60)
    assert RTD()(R[shuffled], S[shuffled]) == pytest.approx(RTD()(R, S), rel=1e-12)


def test_trials_draw_the_same_rows_for_everybody():
    R, S, other = (rng(key).normal(size=(130, 5)) for key in range(3))
    measure = RTD(trials=3, rows=40)
    before = measure(R, S)
    measure(other, R)
    np.random.default_rng(0).random()
    torch.rand(1)
    assert measure(R, S) == before
    assert measure(R, R @ np.linalg.qr(rng(9).normal(size=(5, 5)))[0]) == pytest.approx(0, abs=1e-10)
    assert RTD(trials=3, rows=40, seed=1)(R, S) != before
    states = [measure.prepare(Features(torch.as_tensor(x))) for x in (R, S)]
    single = [measure.compare(states[0][i : i + 1], states[1][i : i + 1]) for i in range(3)]
    assert len(set(single)) == 3
    assert before == pytest.approx(sum(single) / 3, rel=1e-15)


def test_values_do_not_depend_on_threads():
    states = [
        RTD(trials=3, rows=40).prepare(Features(torch.as_tensor(rng(key).normal(size=(60, 5))))) for key in (0, 1)
    ]
    values = set()
    for threads in (1, 2, 5):
        with torch_threads(threads):
            values.add(RTD().compare(*states))
    assert len(values) == 1


def test_time_grows_up_to_the_rows_of_a_draw():
    times = [RTD(trials=4, rows=100).relative_time(n, 64) for n in (50, 100, 101, 5000)]
    assert times == sorted(times)
    assert times[1] == 4 * times[0]
    assert times[3] == times[2] == 4 * times[1]


def test_no_more_samples_than_rows_is_one_trial_of_all():
    R, S = rng(3).normal(size=(40, 4)), rng(4).normal(size=(40, 6))
    assert RTD(rows=40)(R, S) == RTD(rows=500, trials=1, seed=3)(R, S)


def test_large_and_small_numbers():
    R, S = rng(3).normal(size=(40, 4)), rng(4).normal(size=(40, 6))
    assert RTD()(R * 1e120, S * 1e-120) == pytest.approx(RTD()(R, S), rel=1e-12)


def test_where_there_is_no_value():
    R = rng(3).normal(size=(40, 4))
    with pytest.raises(DegenerateInputError, match="constant"):
        RTD()(R, np.ones((40, 4)))
    nearly = np.zeros((40, 4))
    nearly[0] = 1
    with pytest.raises(DegenerateInputError, match="are zero, so distances cannot be normalised"):
        RTD()(R, nearly)
    with pytest.raises(UsageError, match="trials=0"):
        RTD(trials=0)(R, R)


def test_so_many_rows_that_edges_cannot_be_written(monkeypatch):
    monkeypatch.setattr("resi.measures.homology.distances.MOST_POINTS", 30)
    R, S = rng(3).normal(size=(40, 4)), rng(4).normal(size=(40, 6))
    with pytest.raises(UsageError, match="at most 30 rows at a time, not 40"):
        RTD()(R, S)
    assert RTD(rows=30, trials=1)(R, S) > 0
