"""Values of rows far from the origin, near each other, of very different length, and at the same distance.

References are in fifty digits, or plain formulas on numbers that need no rounding.
"""

from __future__ import annotations

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from resi.errors import DegenerateInputError
from resi.measures.features import Features
from resi.measures.shared import cancellation, distances, nearest, ranks, vectors

from .oracles import distances as plain_distances
from .oracles import nearest as nearest_of
from .oracles import overlap, rank_agreement
from .samples import MEASURES

NEIGHBOURS = ("jaccard", "rank_similarity", "second_order_cosine")


def rng(key: int) -> np.random.Generator:
    return np.random.default_rng([17, key])


def unrelated(offset: float, n: int = 50) -> tuple[np.ndarray, np.ndarray]:
    return rng(0).normal(size=(n, 8)) + offset, rng(1).normal(size=(n, 8)) + offset


def related(offset: float, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    R, noise = rng(2).normal(size=(n, 6)), rng(3).normal(size=(n, 6))
    shift = offset * rng(4).normal(size=6)
    return R + shift, R + noise + shift


def exact(X: np.ndarray) -> list[list[Any]]:
    return [[mpmath.mpf(float(entry)) for entry in row] for row in X]


def cosines(rows: list[list[Any]]) -> list[list[Any]]:
    with mpmath.workdps(50):
        lengths = [mpmath.sqrt(mpmath.fdot(row, row)) for row in rows]
        unit = [[entry / length for entry in row] for row, length in zip(rows, lengths, strict=True)]
        return [[1 - mpmath.fdot(a, b) for b in unit] for a in unit]


def correlations(X: np.ndarray) -> list[list[Any]]:
    with mpmath.workdps(50):
        return cosines([[entry - mpmath.fsum(row) / len(row) for entry in row] for row in exact(X)])


def spearman(D: list[list[Any]], E: list[list[Any]]) -> float:
    found = []
    for table in (D, E):
        pairs = [table[i][j] for i in range(len(table)) for j in range(i)]
        order = sorted(range(len(pairs)), key=pairs.__getitem__)
        found.append(np.argsort(order))
    return float(np.corrcoef(*found)[0, 1])


def second_order(D: list[list[Any]], E: list[list[Any]], k: int = 10) -> float:
    values = []
    for i, (a, b) in enumerate(zip(nearest_of(D, k), nearest_of(E, k), strict=True)):
        x, y = ([table[i][j] for j in sorted({*a, *b})] for table in (D, E))
        values.append(mpmath.fdot(x, y) / mpmath.sqrt(mpmath.fdot(x, x) * mpmath.fdot(y, y)))
    return float(mpmath.fsum(values) / len(values))


@pytest.mark.parametrize("offset", [1e7, 1e11])
def test_nearest_neighbours_of_nearly_parallel_rows(offset: float) -> None:
    R, S = unrelated(offset)
    D, E = cosines(exact(R)), cosines(exact(S))
    first, second = nearest_of(D, 10), nearest_of(E, 10)
    assert MEASURES["jaccard"]()(R, S) == pytest.approx(overlap(first, second), rel=1e-12)
    assert MEASURES["rank_similarity"]()(R, S) == pytest.approx(rank_agreement(first, second), rel=1e-12)
    assert MEASURES["second_order_cosine"]()(R, S) == pytest.approx(second_order(D, E), rel=1e-8)


@pytest.mark.parametrize("offset", [1e6, 3e6, 1e12])
def test_ranks_of_nearly_equal_correlations(offset: float) -> None:
    R, S = related(offset)
    assert MEASURES["rsa"]()(R, S) == pytest.approx(spearman(correlations(R), correlations(S)), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("units", [1e2, 1e4])
def test_a_precision_that_holds_an_answer_gives_that_of_the_numbers(dtype: Any, units: float) -> None:
    """Offsets of so many roundings: the numbers as they are given have a value, and it is found."""
    spread = units * float(np.finfo(dtype).eps)
    R, S = ((1 + min(spread, 0.5) * X).astype(dtype) for X in unrelated(0.0, n=40))
    D, E = (cosines(exact(X)) for X in (R, S))
    assert MEASURES["jaccard"]()(R, S) == pytest.approx(overlap(nearest_of(D, 10), nearest_of(E, 10)), rel=1e-12)
    R, S = (((1 + rng(9).normal(size=8)) * X.astype(np.float64)).astype(dtype) for X in (R, S))
    expected = spearman(correlations(R), correlations(S))
    # A hundred roundings of a float64 are at the end of what twice its digits tell apart.
    assert MEASURES["rsa"]()(R, S) == pytest.approx(expected, rel=1e-9, abs=1e-4 if dtype == np.float64 else 1e-9)


@pytest.mark.parametrize("name", [*NEIGHBOURS, "rsa"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_precision_that_holds_none_is_said(name: str, dtype: torch.dtype) -> None:
    R, S = related(0.0)
    R = torch.tensor(R * 0.2 * torch.finfo(dtype).eps + np.arange(1.0, 7.0)).to(dtype)
    kind = str(dtype).removeprefix("torch.")
    with pytest.raises(DegenerateInputError, match=f"^{name}: R of shape .*to the precision of {kind} numbers"):
        MEASURES[name]()(R, torch.tensor(S).to(dtype))


def test_rows_of_the_same_direction_are_at_distance_zero() -> None:
    R = rng(0).normal(size=(20, 5))
    R[7], R[11] = 3 * R[3], R[3] / 7
    found = Features(torch.tensor(R)).shared(nearest.cosine_distances)
    assert found[3, 7] == found[7, 11] == found[3, 11] == 0
    assert (found == 0).sum() == 20 + 6


@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_groups_of_rows_near_each_other(offset: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many distances cancel, each has its digits: by origins and pair by pair."""
    centres = rng(0).normal(size=(4, 7)) + offset
    R = centres[rng(1).integers(0, 4, 120)] + 1e-7 * rng(2).normal(size=(120, 7))
    with mpmath.workdps(40):
        expected = np.array([[float(entry) for entry in row] for row in cosines(exact(R))])
    for origins in (32, 0):
        monkeypatch.setattr(cancellation, "ORIGINS", origins)
        x = Features(torch.tensor(R))
        np.testing.assert_allclose(x.shared(nearest.cosine_distances), expected, rtol=3e-7, atol=1e-31)
        np.testing.assert_allclose(x.shared(distances.euclidean_distances).matrix, plain_distances(R), rtol=1e-9)


def test_exact_vectors_have_twice_the_digits() -> None:
    R = rng(0).normal(size=(6, 4)) * 10 ** rng(1).uniform(-3, 3, size=(6, 1))
    for build, centred in ((vectors.directions, False), (vectors.profiles, True)):
        high, low = Features(torch.tensor(R)).shared(build).take_exactly()
        assert low is not None
        with mpmath.workdps(50):
            rows = exact(R)
            if centred:
                rows = [[entry - mpmath.fsum(row) / 4 for entry in row] for row in rows]
            for row, first, second in zip(rows, high.tolist(), low.tolist(), strict=True):
                found = [mpmath.mpf(a) + mpmath.mpf(b) for a, b in zip(first, second, strict=True)]
                # The direction is known much better than float64 could say; the length to rounding.
                cosine = mpmath.fdot(row, found) / mpmath.sqrt(mpmath.fdot(row, row) * mpmath.fdot(found, found))
                assert 1 - cosine < (1e-45 if not centred else 1e-31)
                assert abs(mpmath.sqrt(mpmath.fdot(found, found)) - 1) < 1e-15


@pytest.mark.parametrize("name", [*NEIGHBOURS, "rsa", "imd", "rtd", "distance_correlation"])
def test_ties_survive_whatever_a_measure_is_invariant_to(name: str) -> None:
    """Small integers have many equal distances, which rounding must not tell apart."""
    R, S = (rng(key).integers(0, high, size=(60, 6)).astype(float) for key, high in ((0, 4), (1, 3)))
    R[0], S[3] = 0, 0
    measure = MEASURES[name]()
    value = measure(R, S)
    order = rng(2).permutation(60)
    turn = np.linalg.qr(rng(3).normal(size=(6, 6)))[0]
    changed = {
        "samples": (R[order], S[order]),
        "permutation": (R[:, [3, 1, 5, 0, 4, 2]], S[:, ::-1]),
        "orthogonal": (R @ turn, S @ turn.T),
        "isotropic_scaling": (3.7 * R, S / 11),
        "translation": (R + 100.3, S - np.linspace(0, 1, 6)),
    }
    for change, pair in changed.items():
        if change == "samples" or change in measure.invariances:
            assert measure(*pair) == pytest.approx(value, rel=1e-9), change


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_ties_are_shared(name: str) -> None:
    """Of three rows as near as each other, two of whom fit, each is two thirds of a neighbour."""
    R = np.array([[1.0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [1, 0.1, 0.2, 0.3, 0]])
    found = nearest.neighbours(Features(torch.tensor(R)), k=3)
    shares, of_rank = found.shares(torch.arange(5))
    assert shares[0].tolist() == pytest.approx([0, 2 / 3, 2 / 3, 2 / 3, 1])
    assert of_rank[0].tolist() == [0, 2.5, 2.5, 2.5, 1]
    assert shares.sum(1).tolist() == pytest.approx([3] * 5)
    assert MEASURES[name](k=3)(R, R) == pytest.approx(1)  # type: ignore[call-arg]


def test_ties_in_all_numbers_of_neighbours() -> None:
    R = rng(0).integers(0, 3, size=(30, 3)).astype(float)
    squares = ((R[:, None] - R) ** 2).sum(2)
    x = Features(torch.tensor(R))
    cloud = x.shared(distances.cloud_of_positions)
    for k in (1, 2, 7, 28, 29):
        shares, of_rank = nearest.nearest_in(cloud, k, cloud.squares).shares(torch.arange(30))
        for row, expected in enumerate(nearest_of(squares, k)):
            assert {j for j in range(30) if shares[row, j] > 0} == set(expected)
            for j, (share, rank) in expected.items():
                assert (float(shares[row, j]), float(of_rank[row, j])) == pytest.approx((share, rank))


@pytest.mark.parametrize("factor", [1e5, 1e6, 1e7])
def test_one_long_row_leaves_the_neighbours_of_the_others(factor: float) -> None:
    R, S = rng(0).normal(size=(100, 6)), rng(1).exponential(size=(100, 3))
    R[5] *= factor
    expected = R[:, None] - R
    squares = (expected**2).sum(2)
    cloud = Features(torch.tensor(R)).shared(distances.cloud_of_positions)
    found = nearest.nearest_in(cloud, 5, cloud.squares)
    assert [set(row) for row in found.nearest.tolist()] == [set(row) for row in nearest_of(squares, 5)]
    at_least = MEASURES["imd"]()(R, S)
    R[5] *= 1e-2
    assert at_least == pytest.approx(MEASURES["imd"]()(R, S), rel=1e-12)


@pytest.mark.parametrize("name", ["imd", "rtd", "distance_correlation"])
def test_rows_that_are_the_same_but_for_rounding_have_no_value(name: str) -> None:
    S = rng(0).normal(size=(50, 6)).astype(np.float32)
    collapsed = (np.ones((50, 6)) + 8.5e-8 * rng(1).normal(size=(50, 6))).astype(np.float32)
    assert len(np.unique(collapsed)) > 1
    with pytest.raises(DegenerateInputError, match=f"^{name}: R of shape .*constant"):
        MEASURES[name]()(collapsed, S)


def test_concentricity_of_nearly_parallel_rows_keeps_its_digits() -> None:
    R, S = related(1e7)
    with mpmath.workdps(50):
        expected = []
        for X in (R, S):
            rows = exact(X)
            mean = [mpmath.fsum(column) / len(rows) for column in zip(*rows, strict=True)]
            expected.append(mpmath.fsum(row[-1] for row in cosines([*rows, mean])[:-1]) / len(rows))
        difference = float(abs(expected[0] - expected[1]))
    assert difference < 1e-13
    assert MEASURES["concentricity_difference"]()(R, S) == pytest.approx(difference, rel=1e-6)


@pytest.mark.parametrize("at_once", [ranks.SORTED_AT_ONCE, 16])
@pytest.mark.parametrize("gap", [0.0, 1e-17, 1e-16])
def test_ranks_of_values_that_rounding_tells_apart(gap: float, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "SORTED_AT_ONCE", at_once)
    values = np.repeat(rng(0).integers(1, 50, 40) / 7.0, 3)
    moved = values * (1 + gap * np.tile([0, 7, -5], 40))
    found = ranks.average_ranks(
        torch.tensor(moved), lambda part: distances.tie_width(part, 2.0, 10), distances.largest_tie_width(10)
    )
    np.testing.assert_array_equal(found, rankdata(values))


def test_no_tie_width_is_larger_than_the_largest() -> None:
    for exponent, sums, n_features in itertools.product((-20, -6, -1, 0), (1e-18, 1.0, 2.0, 50.0), (1, 10**4)):
        squares = torch.tensor([10.0**exponent], dtype=torch.float64)
        assert distances.tie_width(squares, sums, n_features) <= distances.largest_tie_width(n_features) * squares


@pytest.mark.parametrize(("gap", "share"), [(1e-12, 1.0), (1e-13, 0.5)])
def test_a_trillionth_tells_distances_apart_and_a_tenth_of_it_does_not(gap: float, share: float) -> None:
    R = [[0.0, 0], [1, 0], [-1 - gap, 0], [5, 1], [7, -2]]
    cloud = Features(torch.tensor(R, dtype=torch.float64)).shared(distances.cloud_of_positions)
    shares, _ = nearest.nearest_in(cloud, 1, cloud.squares).shares(torch.arange(5))
    assert shares[0].tolist() == [0, share, 1 - share, 0, 0]
