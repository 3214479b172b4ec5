"""Neighbour measures beside loops over samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

import resi
from resi.errors import DegenerateInputError, ShapeError, UsageError

Matrix = np.ndarray
Pair = tuple[Matrix, Matrix]


def unit(x: Matrix) -> Matrix:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


NEARNESS = {
    "cosine": lambda x: unit(x) @ unit(x).T,
    "inner_product": lambda x: x @ x.T,
    "euclidean": lambda x: -np.linalg.norm(x[:, None] - x[None], axis=2),
}


def lists(x: Matrix, k: int, distance: str = "cosine") -> list[list[int]]:
    near = NEARNESS[distance](x)
    return [sorted((j for j in range(len(x)) if j != i), key=lambda j, i=i: -near[i, j])[:k] for i in range(len(x))]


def common_subsequence(a: list[int], b: list[int]) -> int:
    if not a or not b:
        return 0
    if a[0] == b[0]:
        return 1 + common_subsequence(a[1:], b[1:])
    return max(common_subsequence(a[1:], b), common_subsequence(a, b[1:]))


def edits(a: list[int], b: list[int]) -> int:
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return edits(a[1:], b[1:])
    return 1 + min(edits(a[1:], b), edits(a, b[1:]), edits(a[1:], b[1:]))


@pytest.mark.parametrize("distance", NEARNESS)
@pytest.mark.parametrize("k", [1, 5, 10])
def test_mutual_knn(distance: str, k: int, sides: Pair) -> None:
    first, second = (lists(side, k, distance) for side in sides)
    expected = np.mean([len(set(a) & set(b)) / k for a, b in zip(first, second, strict=True)])
    assert resi.compare(*sides, measure="mutual_knn", k=k, distance=distance) == pytest.approx(expected, rel=1e-12)


def test_cycle_knn(sides: Pair) -> None:
    for k in (1, 3):
        first, second = (lists(side, k) for side in sides)
        found = [any(i in first[j] for j in second[i]) for i in range(len(first))]
        assert resi.compare(*sides, measure="cycle_knn", k=k) == pytest.approx(np.mean(found), rel=1e-12)


def test_lcs_and_edit_distance_knn(sides: Pair) -> None:
    first, second = (lists(side, 5) for side in sides)
    pairs = list(zip(first, second, strict=True))
    expected = {
        "lcs_knn": np.mean([common_subsequence(a, b) for a, b in pairs]) / 5,
        "edit_distance_knn": 1 - np.mean([edits(a, b) for a, b in pairs]) / 5,
    }
    for name, value in expected.items():
        assert resi.compare(*sides, measure=name, k=5) == pytest.approx(value, rel=1e-12), name


def alignment(k: Matrix, q: Matrix, mask: Matrix) -> float:
    n, one = len(k), np.ones(len(k))
    k, q = k * mask, q * mask
    entries = sum(k[i, j] * q[j, i] for i in range(n) for j in range(n))
    return (entries + k.sum() * q.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ q @ one)) / (n * (n - 3))


def paper_alignment(k: Matrix, q: Matrix, mask: Matrix) -> float:
    n = len(k)
    return sum(mask[i, j] * (k[i, j] - k[i].mean()) * (q[i, j] - q[i].mean()) for i in range(n) for j in range(n))


@pytest.mark.parametrize(("estimator", "align"), [("unbiased", alignment), ("paper", paper_alignment)])
@pytest.mark.parametrize("distance", ["cosine", "inner_product"])
def test_cknna(estimator: str, align: object, distance: str, sides: Pair) -> None:
    k, q = (NEARNESS[distance](side) for side in sides)
    first, second = (
        np.array([[float(j in near) for j in range(len(side))] for near in lists(side, 6, distance)]) for side in sides
    )
    assert callable(align)
    expected = align(k, q, first * second) / math.sqrt(align(k, k, first) * align(q, q, second))
    value = resi.compare(*sides, measure="cknna", k=6, distance=distance, estimator=estimator)
    assert value == pytest.approx(expected, rel=1e-9)


def test_cknna_of_all_neighbours_is_the_debiased_cka(sides: Pair) -> None:
    value = resi.compare(*sides, measure="cknna", k=len(sides[0]) - 1)
    assert value == pytest.approx(resi.compare(*sides, measure="debiased_cka", kernel="cosine"), rel=1e-9)


def test_values_are_those_of_the_published_code(pair: Pair) -> None:
    """Computed from the definitions in the code that belongs to Huh et al. 2024, for rows of length one."""
    assert resi.compare(*pair, measure="mutual_knn") == pytest.approx(0.4625, rel=1e-12)
    assert resi.compare(*pair, measure="cknna") == pytest.approx(0.4686093038026846, rel=1e-9)
    assert resi.compare(*reversed(pair), measure="cknna") == pytest.approx(0.4718497473234783, rel=1e-9)
    assert resi.compare(*pair, measure="cycle_knn", k=2) == 0.325


def test_unrelated_representations_share_neighbours_by_chance(rng: np.random.Generator) -> None:
    value = resi.compare(rng.normal(size=(400, 20)), rng.normal(size=(400, 20)), measure="mutual_knn")
    assert value == pytest.approx(10 / 399, abs=0.01)


# Of the row at the origin, one other row is nearest and three share the second place.
CROSS = np.array([[0.0, 0], [1, 0], [0, 2], [0, -2], [-2, 0], [50, 50], [51, 50], [50, 52]])


def test_rows_that_share_the_last_place_count_in_part() -> None:
    other = CROSS.copy()
    other[4] = (-9, 0)
    # With the fourth row of them gone the other two share the second place of the origin, a half each: of both a third
    # is in common. All other rows have the same two neighbours as before.
    found = resi.compare(CROSS, other, measure="mutual_knn", k=2, distance="euclidean")
    assert found == pytest.approx((7 * 2 + 1 + 2 / 3) / 16, rel=1e-12)


def test_the_order_of_rows_decides_no_mutual_neighbour() -> None:
    order = np.array([0, 4, 3, 2, 1, 7, 6, 5])
    other = CROSS @ np.array([[1, 0.5], [0, 1]])
    value = resi.compare(CROSS, other, measure="mutual_knn", k=2, distance="euclidean")
    again = resi.compare(CROSS[order], other[order], measure="mutual_knn", k=2, distance="euclidean")
    assert again == pytest.approx(value, rel=1e-12)
    assert resi.compare(CROSS, CROSS, measure="mutual_knn", k=2, distance="euclidean") == 1.0


def test_equal_rows_are_said_where_their_order_decides(pair: Pair) -> None:
    repeated = np.repeat(pair[0][:4], 10, axis=0)
    (note,) = resi.pairwise({"a": repeated, "b": pair[1]}, measures=["lcs_knn"])["note"].to_list()
    assert note.startswith("R: some rows are equally near")


def test_what_has_no_neighbours(pair: Pair) -> None:
    with pytest.raises(ShapeError, match="k = 40 neighbours need at least 41 rows"):
        resi.compare(*pair, measure="mutual_knn", k=40)
    with pytest.raises(DegenerateInputError, match="equally near"):
        resi.compare(np.ones((40, 3)), pair[1], measure="mutual_knn")
    with pytest.raises(UsageError, match="at least two neighbours"):
        resi.compare(*pair, measure="cknna", k=1)
    with pytest.raises(UsageError, match="distance 'manhattan' does not exist"):
        resi.compare(*pair, measure="mutual_knn", distance="manhattan")
