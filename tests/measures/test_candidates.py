"""Neighbours looked for in single precision are those that double precision finds among all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from resi.machine.devices import torch_threads
from resi.measures.features import Features
from resi.measures.shared import candidates, nearest
from resi.measures.shared.distances import cloud_of_positions

from .samples import MEASURES

if TYPE_CHECKING:
    from resi.measures.shared.distances import Cloud

    Array = np.ndarray[Any, Any]

N = 300


def rng(key: int) -> np.random.Generator:
    return np.random.default_rng([23, key])


def normal(n_features: int = 12, key: int = 0) -> Array:
    return rng(key).normal(size=(N, n_features))


def clusters(spread: float) -> Array:
    return rng(1).normal(size=(3, 12))[rng(2).integers(0, 3, N)] + spread * normal()


def with_zeros_and_copies() -> Array:
    R = normal()
    R[::7] = 3 * R[1::7]
    R[[5, 40, 77]] = 0
    return R


DATA = {
    "random": normal(),
    "wide": normal(1300),
    "shifted": normal() + 2,
    "nearly parallel": normal() + 1e7,
    "nearly parallel, with a zero row": np.where(np.arange(N)[:, None] == 9, 0, normal() + 1e5),
    "plane": normal(2),
    "space": normal(3),
    "one feature of another size": normal() * [1e4, *np.ones(11)],
    "rows of all sizes": normal() * 10 ** rng(3).uniform(-4, 4, size=(N, 1)),
    "integers": rng(4).integers(0, 3, size=(N, 5)).astype(float),
    "zeros and copies": with_zeros_and_copies(),
    "pairs": np.repeat(normal()[::2], 2, axis=0),
    "groups": clusters(0.1),
    "groups near each other": clusters(1e-2),
    "groups too near for single precision": clusters(1e-6),
}


@pytest.fixture(autouse=True)
def _few_rows_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "FEWEST_ROWS", 100)
    monkeypatch.setattr(candidates, "LEAST_PART", 2)
    monkeypatch.setattr(candidates, "TILE_ROWS", 80)


def cloud_of(R: Array, dtype: torch.dtype = torch.float64, by_direction: bool = True) -> Cloud:
    x = Features(torch.tensor(R).to(dtype))
    return x.shared(nearest.all_directions if by_direction else cloud_of_positions)


def among_all(cloud: Cloud, k: int) -> nearest.Neighbours:
    return nearest._among_all(cloud, k, cloud.squares, slice(0, len(cloud.points)))


def assert_same(found: nearest.Neighbours, expected: nearest.Neighbours) -> None:
    rows = torch.arange(len(expected.nearest))
    for a, b in zip(found.shares(rows), expected.shares(rows), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(found[2:], expected[2:], strict=True):
        assert torch.equal(a, b)
    settled = torch.full((len(rows),), True).index_fill_(0, expected.tied, False)
    assert torch.equal(found.nearest[settled], expected.nearest[settled])


@pytest.mark.parametrize("by_direction", [True, False], ids=["cosine", "euclidean"])
@pytest.mark.parametrize("name", DATA)
def test_the_same_neighbours_as_among_all_rows(name: str, by_direction: bool) -> None:
    cloud = cloud_of(DATA[name], by_direction=by_direction)
    for k in (1, 9, 148, N - 1):
        assert_same(nearest.nearest_in(cloud, k, cloud.squares), among_all(cloud, k))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [1e-35, 1e-4, 1e3, 1e35])
def test_the_same_neighbours_in_every_precision_and_size(dtype: torch.dtype, size: float) -> None:
    if dtype == torch.float16 and not 1e-5 < size < 1e4:
        pytest.skip("float16 holds no such numbers")
    cloud = cloud_of(size * normal(20), dtype)
    expected = among_all(cloud, 10)
    assert_same(nearest.nearest_in(cloud, 10, cloud.squares), expected)
    with torch_threads(3):
        assert_same(nearest.nearest_in(cloud, 10, cloud.squares), expected)


@pytest.mark.parametrize(
    ("name", "compared"), [("random", 0), ("zeros and copies", 3), ("groups too near for single precision", N)]
)
def test_rows_that_single_precision_leaves_open_are_compared_with_all(name: str, compared: int) -> None:
    asked = []
    cloud = cloud_of(DATA[name])

    def squares(rows: slice | torch.Tensor) -> torch.Tensor:
        found = cloud.squares(rows)
        asked.append(len(found))
        return found

    nearest.nearest_in(cloud, 5, squares)
    assert sum(asked) == compared


def test_the_bound_is_what_keeps_neighbours_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a smaller one, rounding to single precision would decide; which is noticed, and all rows are compared."""
    cloud = cloud_of(clusters(1e-3))
    expected = among_all(cloud, 10)
    assert_same(nearest.nearest_in(cloud, 10, cloud.squares), expected)
    bound = candidates._errors
    monkeypatch.setattr(candidates, "_errors", lambda *given: bound(*given) / 100)
    assert_same(nearest.nearest_in(cloud, 10, cloud.squares), expected)
    monkeypatch.setattr(candidates, "CHECKED_ROWS", 0)
    assert not torch.equal(nearest.nearest_in(cloud, 10, cloud.squares).nearest, expected.nearest)


@pytest.mark.parametrize("by_direction", [True, False], ids=["cosine", "euclidean"])
@pytest.mark.parametrize("n_features", [2, 40, 500, 1300])
def test_products_are_within_the_bound(n_features: int, by_direction: bool) -> None:
    """Also where each of many products is too small to change the sum, though all of them together do."""
    R = rng(5).normal(size=(60, n_features))
    R[:20] = 2.0**-12.52
    R[:20, 0] = 1
    cloud = cloud_of(R, by_direction=by_direction)
    order = torch.arange(60)
    single = candidates._single(cloud, order)
    points = cloud.points * single.factor
    lengths = points.square().sum(1) / 2
    exact = points @ points.T - (0 if cloud.is_unit else lengths)
    ((_, products),) = candidates._tiles(single.points, 60)
    off = (products - single.heights).double().sub_(exact).abs_().fill_diagonal_(0)
    assert (off <= single.errors.unsqueeze(1)).all()
    if by_direction and n_features == 500:
        assert (off > single.errors.unsqueeze(1) / 50).any(), "the rows are no test of a bound much smaller than this"


def test_products_of_fewer_digits_than_they_should_have_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = cloud_of(clusters(0.1))
    whole = candidates._single
    for dtype, is_used in ((torch.float32, True), (torch.bfloat16, False)):

        def rounded(*given: Any, dtype: torch.dtype = dtype) -> Any:
            single = whole(*given)
            return single._replace(points=single.points.to(dtype).float())

        monkeypatch.setattr(candidates, "_single", rounded)
        assert (candidates.candidates(cloud, 10) is not None) == is_used
        assert_same(nearest.nearest_in(cloud, 9, cloud.squares), among_all(cloud, 9))


@pytest.mark.parametrize("spread", [1.0, 1e-1, 1e-2])
def test_all_rows_within_reach_are_candidates(spread: float) -> None:
    cloud = cloud_of(clusters(spread))
    found = candidates.candidates(cloud, 6)
    assert found is not None
    squares = cloud.squares(slice(0, N)).fill_diagonal_(torch.inf)
    is_candidate = torch.full((N, N), False)
    for line, row in enumerate(found.order):
        is_candidate[row, found.order[found.others[line, : found.counts[line]].long()]] = True
    reach = torch.empty_like(found.reach).index_copy_(0, found.order, found.reach)
    assert (is_candidate | (squares >= reach.unsqueeze(1))).all()
    assert (squares.kthvalue(6, dim=1).values < reach)[reach.isfinite()].all()


@pytest.mark.parametrize("name", ["jaccard", "rank_similarity", "second_order_cosine", "imd"])
@pytest.mark.parametrize("data", ["random", "integers", "nearly parallel", "zeros and copies"])
def test_values_do_not_depend_on_the_way(name: str, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    R, S = DATA[data], DATA[data] + 0.3 * normal(key=6)[:, : DATA[data].shape[1]]
    value = MEASURES[name]()(R, S)
    monkeypatch.setattr(candidates, "FEWEST_ROWS", 10**9)
    assert MEASURES[name]()(R, S) == pytest.approx(value, rel=1e-14)
