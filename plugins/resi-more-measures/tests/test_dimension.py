"""Dimensions against their formulas by loops, and against data whose dimension is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from resi_more_measures.dimension import IntrinsicDimensionCorrelation, intrinsic_dimension

import resi
from resi.errors import DegenerateInputError


def dimension(points: np.ndarray) -> float:
    """Return the slope through the origin of -log(1 - F) on log mu, over nine tenths of the points."""
    ratios = []
    for index, point in enumerate(points):
        near = np.sort(np.linalg.norm(np.delete(points, index, 0) - point, axis=1))
        ratios.append(math.log(near[1] / near[0]))
    ratios.sort()
    kept = int(0.9 * len(ratios))
    heights = [-math.log(1 - (rank + 1) / len(ratios)) for rank in range(kept)]
    return sum(x * y for x, y in zip(ratios, heights, strict=False)) / sum(x * x for x in ratios[:kept])


def unit(matrix: np.ndarray) -> np.ndarray:
    matrix = matrix - matrix.mean(0)
    return matrix / math.sqrt(np.mean(np.sum(matrix**2, 1)))


@pytest.mark.parametrize("which", ["pair", "wide_pair"])
def test_correlation_of_dimensions_follows_its_formula(which: str, request: pytest.FixtureRequest) -> None:
    first, second = map(unit, request.getfixturevalue(which))
    one, other, both = dimension(first), dimension(second), dimension(np.hstack([first, second]))
    expected = (one + other - both) / max(one, other)
    assert IntrinsicDimensionCorrelation()(first * 7 + 1, second) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("true", [1, 2, 4])
def test_dimension_of_a_curved_sheet(true: int, rng: np.random.Generator) -> None:
    flat = rng.uniform(size=(2000, true))
    curved = np.hstack([flat, np.sin(3 * flat), flat.sum(1, keepdims=True) ** 2])
    assert intrinsic_dimension(torch.from_numpy(curved)) == pytest.approx(true, rel=0.1)


def test_relations_that_are_not_linear_count(rng: np.random.Generator) -> None:
    """The base of a cylinder has one dimension, which its coordinates determine, and its height does not."""
    angle, height = rng.uniform(0, 2 * math.pi, 2000), rng.uniform(size=2000)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    assert IntrinsicDimensionCorrelation()(circle, np.cos(angle)[:, None]) == pytest.approx(1, abs=0.1)
    assert IntrinsicDimensionCorrelation()(circle, height[:, None]) == pytest.approx(0, abs=0.2)
    assert resi.compare(circle, np.cos(2 * angle)[:, None], measure="cka") < 0.05
    assert IntrinsicDimensionCorrelation()(circle, np.cos(2 * angle)[:, None]) > 0.8


def test_copies_of_samples_are_left_out(rng: np.random.Generator) -> None:
    points = rng.normal(size=(100, 3))
    some = torch.from_numpy(np.vstack([points, points[:20]]))
    near = [np.sort(np.linalg.norm(points - point, axis=1))[1:3] for point in points[20:]]
    ratios = sorted(math.log(second / first) for first, second in near if second > first)
    # Neighbours that are copies of each other are equally far: those points have no ratio either.
    assert intrinsic_dimension(some) == pytest.approx(intrinsic_dimension(torch.from_numpy(points)), rel=0.3)
    assert len(ratios) == 80
    with pytest.raises(DegenerateInputError, match="0 of 200 samples"):
        intrinsic_dimension(torch.from_numpy(np.vstack([points, points])))


def test_few_samples_have_no_dimension(rng: np.random.Generator) -> None:
    with pytest.raises(DegenerateInputError, match=r"8 of 8 samples .* at least 10 are needed"):
        IntrinsicDimensionCorrelation()(rng.normal(size=(8, 3)), rng.normal(size=(8, 3)))
    with pytest.raises(DegenerateInputError, match="at least 10 are needed"):
        IntrinsicDimensionCorrelation()([[0.0], [1.0]], [[0.0], [1.0]])
    with pytest.raises(DegenerateInputError, match="constant"):
        IntrinsicDimensionCorrelation()(np.ones((20, 2)), rng.normal(size=(20, 3)))
