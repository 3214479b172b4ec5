"""Values that are one number by definition are that number; values that say little are noted; near ones keep digits."""

from __future__ import annotations

import itertools
import re
from typing import Any

import mpmath
import numpy as np
import pytest

import resi
from resi.measures.shared import chance
from resi.measures.shared.precision import count_above_rounding
from tests.exact import definitions

from .samples import MEASURES

MP = mpmath.mp.clone()
MP.dps = 50
SHAPES = ["procrustes", "normalized_procrustes", "angular_shape"]


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def note(name: str, R: Any, S: Any) -> str:
    return str(resi.pairwise({"a": R, "b": S}, [name])["note"][0])


def exact_shape_distances(R: Any, S: Any) -> list[float]:
    """Return the values of the three distances with 50 digits."""
    sides = []
    for X in (R, S):
        matrix = MP.matrix(X.tolist())
        for j in range(matrix.cols):
            mean = sum(matrix[:, j]) / matrix.rows
            for i in range(matrix.rows):
                matrix[i, j] -= mean
        sides.append(matrix)
    norms = [MP.sqrt(sum(entry**2 for entry in side)) for side in sides]
    nuclear = sum(MP.svd_r(sides[0].T * sides[1], compute_uv=False))
    cosine = nuclear / norms[0] / norms[1]
    squared = norms[0] ** 2 + norms[1] ** 2 - 2 * nuclear
    return [float(value) for value in (MP.sqrt(squared), MP.sqrt(2 - 2 * cosine), MP.acos(cosine))]


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-7, 1e-8, 1e-10])
@pytest.mark.parametrize(("shape", "offset"), [((15, 3), 0.0), ((15, 3), 100.0), ((5, 8), 0.0)])
def test_small_distances_keep_their_digits(distance: float, shape: tuple[int, int], offset: float) -> None:
    rng = draws()
    R = rng.normal(size=shape) + offset
    S = R + distance * rng.normal(size=shape)
    turned = S @ np.linalg.qr(rng.normal(size=(shape[1], shape[1])))[0]
    wider = np.hstack((S, distance * rng.normal(size=(shape[0], 1))))
    for other in (S, turned, wider):
        expected = exact_shape_distances(R, other)
        tolerance = 1e-9 + 1e-15 / distance
        for pair in ((R, other), (other, R)):
            found = [MEASURES[name]()(*pair) for name in SHAPES]
            assert found == pytest.approx(expected, rel=tolerance)
        values = resi.pairwise({"a": R, "b": other}, SHAPES)["value"].to_list()
        assert values == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("size", [9.8e-8, 9.8e-9, 9.8e-11])
def test_distance_of_a_known_size(size: float) -> None:
    """A change that no rotation takes back: of one side's directions, which are orthogonal, each is stretched."""
    rng = draws()
    left = np.linalg.qr(rng.normal(size=(500, 32)) - 0)[0]
    left = np.linalg.qr(left - left.mean(0))[0]
    stretch = rng.normal(size=32)
    stretch *= size / np.linalg.norm(stretch)
    R, S = left, left * (1 + stretch)
    turned = S @ np.linalg.qr(rng.normal(size=(32, 32)))[0]
    for other in (S, turned):
        assert MEASURES["procrustes"]()(R, other) == pytest.approx(size, rel=1e-4)


@pytest.mark.parametrize("name", [*SHAPES, "permutation_procrustes"])
def test_equal_shapes_are_at_no_distance(name: str) -> None:
    rng = draws()
    R = rng.normal(size=(200, 30))
    assert MEASURES[name]()(R, R.copy()) == 0
    if name != "permutation_procrustes":
        assert MEASURES[name]()(R, R @ np.linalg.qr(rng.normal(size=(30, 30)))[0] - 1) == 0


@pytest.mark.parametrize("condition", [1e6, 1e8, 1e10])
def test_nearly_equal_shapes_keep_their_digits_in_directions_of_any_size(condition: float) -> None:
    rng = draws()
    left, *turns = (np.linalg.qr(rng.normal(size=size))[0] for size in ((15, 6), (6, 6), (6, 6)))
    R = left * np.geomspace(1, 1 / condition, 6) @ turns[0]
    S = R @ turns[1]
    for name in SHAPES:
        assert MEASURES[name]()(R, R.copy()) == MEASURES[name]()(R, S) == MEASURES[name]()(S, R) == 0
    S += 1e-9 * rng.normal(size=(15, 6))
    for pair in ((R, S), (S, R)):
        found = [MEASURES[name]()(*pair) for name in SHAPES]
        assert found == pytest.approx(exact_shape_distances(*pair), rel=1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "best"), [("pwcca", 1), ("svcca", 1), ("linear_regression", 1), ("gulp", 0)])
def test_fewer_samples_than_features_is_a_tie(name: str, best: int, dtype: Any) -> None:
    arrays = {str(i): draws(i).normal(size=(20, 60 + i)).astype(dtype) for i in range(4)}
    table = resi.pairwise(arrays, [name])
    assert set(table["value"]) == {best}
    assert all(text.startswith("with 20 rows and ") for text in table["note"])


@pytest.mark.parametrize("name", ["cka", "pwcca", "svcca", "linear_regression", "aligned_cosine", "gulp"])
def test_the_best_value_is_exact(name: str) -> None:
    """Whatever the order of samples and the rotation of the features that sums depend on."""
    best = 0.0 if name == "gulp" else 1.0
    for seed in range(5):
        rng = draws(seed)
        R = rng.normal(size=(40, 7))
        order = rng.permutation(40)
        turned = R @ np.linalg.qr(rng.normal(size=(7, 7)))[0]
        assert MEASURES[name]()(R[order], turned[order]) == best


def test_gulp_and_overlap_of_spaces_that_hold_all_vectors() -> None:
    R, S = draws().normal(size=(20, 60)), draws(1).normal(size=(20, 5))
    assert MEASURES["gulp"]()(R, S) == 19 - 5
    assert MEASURES["eigenspace_overlap"]()(R, S) == 5 / 60


def test_published_pwcca_has_the_signs_of_numpy() -> None:
    """Signs of singular vectors count; those of torch differ where S has twice the features of R or more."""
    for seed in range(4):
        R, S = draws(seed).normal(size=(300, 10)), draws(seed + 10).normal(size=(300, 60))
        whitened = []
        for X in (R, S):
            left, _, right = np.linalg.svd(X - X.mean(0), full_matrices=False)
            whitened.append((left, right))
        cross = whitened[0][1].T @ (whitened[0][0].T @ whitened[1][0]) @ whitened[1][1]
        rotation, correlations, _ = np.linalg.svd(cross)
        directions = np.linalg.qr((R - R.mean(0)) @ rotation + R.mean(0))[0]
        weights = abs(directions.T @ R).sum(1)
        expected = (weights * correlations).sum() / weights.sum()
        assert MEASURES["pwcca"](variant="published")(R, S) == pytest.approx(expected, rel=1e-9)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cka", r"with 50 rows and variance in 4\d and 4\d directions, unrelated data score about 0.91 too"),
        ("pwcca", "with 50 rows and 49 and 49 directions, unrelated data score about 1 too"),
        ("svcca", r"with 50 rows and 4\d and 4\d directions, unrelated data score about 1 too"),
        ("linear_regression", "with 50 rows and rank 49 of S, unrelated data score about 1 too"),
        ("gulp", "with 50 rows and ranks 49 and 49, unrelated data score about 0 too"),
        ("eigenspace_overlap", "with 50 rows and ranks 50 and 50, unrelated data score about 0.098 too"),
        ("normalized_procrustes", r"with 50 rows and variance in .*, unrelated data score about 0.4\d or less too"),
        ("angular_shape", r"with 50 rows and variance in .*, unrelated data score about 0.4\d or less too"),
        ("procrustes", r"with 50 rows and variance in .*, unrelated data score about \d+ or less too"),
    ],
)
def test_values_that_say_little_are_noted(name: str, expected: str) -> None:
    R, S = draws().normal(size=(2, 50, 512))
    for dtype in (np.float64, np.float32):
        assert re.fullmatch(expected, note(name, R.astype(dtype), S.astype(dtype)))
    for dtype in (np.float64, np.float32):
        tall = draws().normal(size=(2, 300, 10)).astype(dtype)
        assert note(name, *tall) == ""
    if name != "eigenspace_overlap":  # that has a value for constant features
        assert note(name, np.ones((50, 3)), R) == ""


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("cka", (70, 70)),
        *itertools.product(
            ("pwcca", "svcca", "linear_regression", "gulp", "eigenspace_overlap"), ((25, 30), (20, 45), (70, 70))
        ),
    ],
)
def test_what_is_noted_is_what_unrelated_data_score(name: str, widths: tuple[int, int]) -> None:
    rng = draws(3)
    R, S = (rng.normal(size=(40, width)) for width in widths)
    values = [MEASURES[name]()(R[rng.permutation(40)], S) for _ in range(30)]
    score = float(note(name, R, S).split("about ")[1].split()[0])
    assert score == pytest.approx(np.mean(values), rel=0.06, abs=0.01)


@pytest.mark.parametrize("name", SHAPES)
def test_unrelated_shapes_are_no_further_than_noted(name: str) -> None:
    rng = draws(4)
    R, S = rng.normal(size=(2, 40, 100))
    score = float(note(name, R, S).split("about ")[1].split()[0])
    values = [MEASURES[name]()(R[rng.permutation(40)], S) for _ in range(10)]
    assert max(values) < 1.02 * score


@pytest.mark.parametrize(("ranks", "n"), [((5, 20), 99), ((49, 49), 99), ((60, 30), 99), ((60, 50), 99), ((1, 24), 49)])
def test_mean_correlation_of_random_subspaces(ranks: tuple[int, int], n: int) -> None:
    rng, found = draws(), []
    for _ in range(20):
        bases = [np.linalg.qr(rng.normal(size=(n, rank)))[0] for rank in ranks]
        found.append(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).clip(0, 1).mean())
    assert chance.mean_correlation(*ranks, n) == pytest.approx(np.mean(found), rel=0.1 if 1 in ranks else 0.02)


@pytest.mark.parametrize(
    ("shares", "count"),
    [
        ([1e6, 1e5, 0.3, 0.29, 0.2, 0.1, 0.01], 2),  # rounding of sums behind data
        ([5.0, 1.7, 0.3, 0.25, 0.002, 0.001], 4),  # small data over rounding of what is stored
        ([5.0, 2.0, 1.1, 0.6, 0.35, 0.2, 0.1, 0.06, 0.035, 0.02], 6),  # no clear step
        ([0.5, 0.4, 0.3, 0.2, 0.1, 0.05], 4),
        ([0.9, 0.8, 0.01], 2),
        ([0.2, 0.18, 0.15, 0.05], 0),
        ([], 0),
    ],
)
def test_data_are_told_from_rounding_by_the_largest_step(shares: list[float], count: int) -> None:
    assert count_above_rounding(shares, least=1 / 64).directions == count


@pytest.mark.parametrize("name", ["pwcca", "svcca", "linear_regression", "gulp", "eigenspace_overlap"])
def test_a_rank_that_rounding_leaves_open_is_noted(name: str) -> None:
    """Of numbers a million times larger than their spread, single precision keeps a digit or two."""
    rng = np.random.default_rng(0)
    R = rng.normal(size=(40, 6))
    S = R @ rng.normal(size=(6, 5)) + 0.5 * rng.normal(size=(40, 5))
    layer = np.float32(R) @ np.float32(rng.normal(size=(6, 20)))  # of rank 6, which is sure
    cases = {"ordinary": (R, S), "layer": (layer, S), "far": (R + 1e6 * rng.normal(size=6), S)}
    notes = {}
    for case, sides in cases.items():
        given = {"a": np.float32(sides[0]), "b": np.float32(sides[1])}
        notes[case] = resi.pairwise(given, [name])["note"][0]
    assert "is a guess" not in notes["ordinary"] + notes["layer"]
    assert "the rank of R (" in notes["far"], notes
    assert resi.pairwise({"a": cases["far"][0], "b": S}, [name])["note"][0] == notes["ordinary"]


def test_rows_that_are_a_hundred_million_times_shorter_are_aligned_as_well() -> None:
    """In the product of two matrices the directions of such rows are 1e-16 times as large as those of the others."""
    rng = np.random.default_rng(2)
    R = np.zeros((20, 8))
    R[:10, :4] = rng.normal(size=(10, 4))
    R[10:, 4:] = 1e-8 * rng.normal(size=(10, 4))
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    noise = rng.normal(size=(20, 8)) * np.where(np.arange(20) < 10, 1, 1e-8)[:, None]
    assert resi.compare(R, R, "aligned_cosine") == 1
    assert resi.compare(R, R @ rotation, "aligned_cosine") == 1
    S = R @ rotation + 0.3 * noise
    expected = definitions.aligned_cosine(definitions.exact(R), definitions.exact(S), definitions.Ranks())
    assert resi.compare(R, S, "aligned_cosine") == pytest.approx(float(expected), abs=1e-12)
    # Short rows of one side are long on the other: the short directions have nothing in common.
    first, second = R.copy(), R[:, ::-1].copy()
    first[15:], second[10:15] = R[5:10], R[5:10, ::-1]
    expected = definitions.aligned_cosine(definitions.exact(first), definitions.exact(second), definitions.Ranks())
    assert resi.compare(first @ rotation, second, "aligned_cosine") == pytest.approx(float(expected), abs=1e-12)
