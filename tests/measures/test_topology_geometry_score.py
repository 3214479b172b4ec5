"""Geometry score against the definition of its complex, and its bars against a plain reduction."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from resi.errors import DegenerateInputError, UsageError
from resi.measures.homology import topology
from resi.measures.homology.topology import GeometryScore
from resi.measures.homology.witness import bars, living_times, witness_filtration


def rng(key: int) -> np.random.Generator:
    return np.random.default_rng([13, key])


def table(points: np.ndarray) -> np.ndarray:
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))


def plain_filtration(distances: np.ndarray, limit: float) -> dict[tuple[int, ...], float]:
    """From the definition, one simplex at a time; ``distances`` has a row for each landmark."""
    values: dict[tuple[int, ...], float] = {}
    count = len(distances)
    for size in (2, 3):
        for simplex in itertools.combinations(range(count), size):
            outside = [v for v in range(count) if v not in simplex]
            nearest = distances[outside].min(0) if outside else np.inf
            value = max(0.0, (distances[list(simplex)].max(0) - nearest).min())
            if size == 3:
                value = max(value, *(values.get(side, np.inf) for side in itertools.combinations(simplex, 2)))
            if value <= limit:
                values[simplex] = value
    return values


def plain_bars(values: dict[tuple[int, ...], float], count: int, limit: float) -> list[tuple[float, float]]:
    """Full boundary matrix over Z/2, vertices included."""
    simplices = sorted([(v,) for v in range(count)] + list(values), key=lambda s: (values.get(s, 0.0), len(s), s))
    place = {simplex: index for index, simplex in enumerate(simplices)}
    owner: dict[int, tuple[set[int], int]] = {}
    loops = set()
    for index, simplex in enumerate(simplices):
        sides = itertools.combinations(simplex, len(simplex) - 1) if len(simplex) > 1 else ()
        column = {place[side] for side in sides}
        while column and max(column) in owner:
            column ^= owner[max(column)][0]
        if column:
            owner[max(column)] = (column, index)
        elif len(simplex) == 2:
            loops.add(index)
    value = [values.get(simplex, 0.0) for simplex in simplices]
    found = [(value[loop], value[owner[loop][1]] if loop in owner else limit) for loop in loops]
    return sorted(bar for bar in found if bar[1] > bar[0])


@pytest.mark.parametrize("landmarks", [3, 4, 5, 9, 14])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("kind", ["plain", "integers"])
def test_complex_and_bars_are_those_of_the_definition(landmarks, share, kind):
    draw = rng(landmarks)
    points = draw.normal(size=(150, 2)) if kind == "plain" else draw.integers(0, 5, (150, 2)) * 1.0
    distances = table(points)
    rows = draw.integers(0, 150, landmarks)  # with replacement: equal landmarks happen
    limit = share * distances[rows].max()
    expected = plain_filtration(distances[rows], limit)
    edges, triangles = witness_filtration(distances, rows, limit)
    assert np.sort(edges[edges <= limit]) == pytest.approx(sorted(v for s, v in expected.items() if len(s) == 2))
    assert np.sort(triangles[triangles <= limit]) == pytest.approx(
        sorted(v for s, v in expected.items() if len(s) == 3)
    )
    found = bars(edges, triangles, landmarks, limit)
    expected_bars = plain_bars(expected, landmarks, limit)
    assert len(found) == len(expected_bars)
    assert sorted(map(tuple, found)) == [pytest.approx(bar) for bar in expected_bars]
    times = living_times(distances, rows, share, 100)
    middle = (np.arange(20000) + 0.5) / 20000 * limit
    alive = sum((birth <= middle) & (middle < death) for birth, death in expected_bars) + np.zeros(20000, int)
    np.testing.assert_allclose(times, np.bincount(alive, minlength=100)[:100] / 20000, atol=1e-3)


def test_a_circle_has_one_loop_and_a_disc_has_none():
    angle = rng(0).uniform(0, 2 * np.pi, 2000)
    circle = np.stack((np.cos(angle), np.sin(angle)), 1)
    disc = circle * np.sqrt(rng(1).uniform(0, 1, (2000, 1)))
    rows = rng(2).integers(0, 2000, 20)
    on_circle, in_disc = (living_times(table(points), rows, 0.2, 5) for points in (circle, disc))
    assert on_circle.argmax() == 1
    assert in_disc.argmax() == 0


@pytest.mark.parametrize("kind", ["plain", "ties"])
def test_symmetric_zero_for_itself_and_the_same_whatever_ran_before(kind):
    R, S = rng(0).normal(size=(2, 200, 3)) if kind == "plain" else rng(0).integers(0, 4, (2, 200, 3)) * 1.0
    measure = GeometryScore(draws=20, landmarks=12)
    value = measure(R, S)
    assert value > 0
    GeometryScore(draws=3)(S, S)
    np.random.default_rng(0).random()
    assert measure(R, S) == value == measure(S, R)
    assert measure(R, R) == 0
    assert GeometryScore(draws=20, landmarks=12, seed=1)(R, S) != value
    if kind == "plain":
        turn = np.linalg.qr(rng(3).normal(size=(3, 3)))[0]
        assert measure(3 * R @ turn + 7, S) == pytest.approx(value, rel=1e-9)


def test_distances_of_landmarks_alone_give_the_same(monkeypatch):
    R, S = rng(0).normal(size=(2, 200, 3))
    value = GeometryScore(draws=20)(R, S)
    monkeypatch.setattr(topology, "TABLE_ROWS", 100)
    assert GeometryScore(draws=20)(R, S) == pytest.approx(value, rel=1e-9)


def test_where_there_is_no_value():
    R = rng(0).normal(size=(30, 4))
    with pytest.raises(DegenerateInputError, match="constant"):
        GeometryScore(draws=2)(R, np.ones((30, 4)))
    with pytest.raises(UsageError, match="landmarks=2"):
        GeometryScore(landmarks=2)(R, R)
