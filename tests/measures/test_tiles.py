"""Distances of many samples are computed tile by tile, with the values of whole matrices and of slow formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import rankdata, spearmanr

import resi
from resi.errors import DegenerateInputError
from resi.measures import MEASURES, rsa, rsm
from resi.measures.features import Features
from resi.measures.guard import needed_bytes
from resi.measures.needs import Size
from resi.measures.shared import binned_ranks, compiled_sort, difference_norm, ranks, tiles
from resi.measures.shared.compiled_bins import BAND, COUNT, count_bins, look_up
from resi.registry import make_measure

NAMES = ("rsa", "distance_correlation", "rsm_norm_difference")
KINDS = ("plain", "far", "clusters", "integers", "missing")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of 32 rows, of which a few samples have many, and fewer bins."""
    monkeypatch.setattr(tiles, "SIDE", 32)
    monkeypatch.setattr(rsa, "MOST_HELD", 10)
    monkeypatch.setattr(rsm, "MOST_HELD", 10)
    monkeypatch.setattr(binned_ranks, "N_BINS", 2**17)
    monkeypatch.setattr(difference_norm, "VECTORS", 4)


def matrix(kind: str, seed: int, n_samples: int = 75, n_features: int = 9) -> torch.Tensor:
    draws = np.random.default_rng(seed)
    found = draws.normal(size=(n_samples, n_features))
    if kind == "far":
        found += 1e5
    if kind == "clusters":
        found = found[draws.integers(4, size=n_samples)] + 1e-7 * found
    if kind == "integers":
        found = np.round(found)
        found[3:9] = found[2]
    if kind == "missing":
        found[[2, 30, 31]] = 0
    return torch.as_tensor(found)


def plain_squares(rows: torch.Tensor) -> np.ndarray:
    long = rows.numpy().astype(np.longdouble)
    return ((long[:, None] - long[None]) ** 2).sum(2)


def profiles(rows: torch.Tensor) -> torch.Tensor:
    centred = rows.numpy().astype(np.longdouble)
    centred = centred - centred.mean(1, keepdims=True)
    norms = np.sqrt((centred**2).sum(1, keepdims=True))
    return centred / np.where(norms > 0, norms, 1)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", KINDS)
def test_tiles_are_squared_distances(kind: str) -> None:
    x = matrix(kind, 0)
    directions = profiles(x)
    expected = ((directions[:, None] - directions[None]) ** 2).sum(2)
    missing = np.flatnonzero((directions == 0).all(1))
    expected[missing], expected[:, missing] = 2, 2
    np.fill_diagonal(expected, 0)
    cases = ((tiles.rows_of_positions, plain_squares(x)), (tiles.rows_of_profiles, expected))
    for build, squares in cases:
        rows = build(Features(x))
        covered = np.zeros((75, 75), dtype=int)
        for stripe in tiles.stripes(75):
            for tile in stripe:
                part = squares[tile]
                found = rows.squares(tile, rows.left(tile.rows)).numpy()
                np.testing.assert_allclose(found, part.astype(float), rtol=1e-9, atol=1e-25)
                covered[tile] += 1
        assert (covered[np.tril_indices(75)] == 1).all()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", KINDS)
def test_distance_correlation_has_the_digits_of_long_numbers(kind: str) -> None:
    sides = matrix(kind, 0), matrix("plain", 1, n_features=80)  # of the second one all distances are held
    centred = []
    for side in sides:
        distances = np.sqrt(plain_squares(side))
        centred.append(distances - distances.mean(0) - distances.mean(1)[:, None] + distances.mean())
    product, first, second = ((centred[i] * centred[j]).mean() for i, j in ((0, 1), (0, 0), (1, 1)))
    expected = float(np.sqrt(product / np.sqrt(first * second)))
    assert make_measure("distance_correlation", {})(*sides) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("variant", ["published", "paper"])
@pytest.mark.parametrize("kind", KINDS)
def test_norms_by_tiles_are_those_of_matrices(kind: str, variant: str, request: pytest.FixtureRequest) -> None:
    measure = make_measure("rsm_norm_difference", {"variant": variant})
    R, S, wide = matrix(kind, 0), matrix("plain", 1), matrix(kind, 2, n_features=90) * 1e3
    held = [measure(R, S), measure(R, wide), measure(R, R)]
    request.getfixturevalue("small")
    assert [measure(R, S), measure(R, wide)] == pytest.approx(held[:2], rel=1e-12)
    assert measure(R, R.clone()) == held[2] == 0


@pytest.mark.usefixtures("small")
def test_norms_are_found_with_few_vectors_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difference_norm, "MOST_BLOCKS", 3)
    draws = np.random.default_rng(0)
    R, S = (torch.as_tensor(np.cumsum(draws.normal(size=(150, 40)), 0)) for _ in range(2))
    distances = [np.sqrt(plain_squares(side)).astype(float) for side in (R, S)]
    expected = np.abs(np.linalg.eigvalsh(distances[0] - distances[1])).max()
    assert make_measure("rsm_norm_difference", {})(R, S) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(difference_norm, "MOST_PRODUCTS", 1)
    measure = make_measure("rsm_norm_difference", {})
    with pytest.raises(DegenerateInputError, match="did not converge"):
        measure(R, S)
    states = [measure.prepare(Features(side)) for side in (R, S)]
    assert measure.compare_many(states, [(0, 1), (1, 1)], map) == [None, 0], "a pair is the concern of no other"


@pytest.mark.usefixtures("small")
def test_norm_of_a_difference_that_is_rounding_alone() -> None:
    R = matrix("plain", 0, n_samples=700)
    turned = R @ torch.linalg.qr(matrix("plain", 1, n_samples=9)).Q
    for same in (turned, R + 5):
        assert 0 < make_measure("rsm_norm_difference", {})(R, same) < 1e-14 * 700 * 4


@pytest.mark.parametrize("kind", KINDS)
def test_rank_correlations_by_bins_are_within_their_bound(kind: str, request: pytest.FixtureRequest) -> None:
    measure = make_measure("rsa", {})
    R, S = matrix(kind, 0), matrix("plain", 1)
    held = measure(R, S)
    if kind != "clusters":  # there, rounding these would make ties
        below = np.tril_indices(75, -1)
        expected = spearmanr(*(np.round((profiles(x) @ profiles(x).T).astype(float), 12)[below] for x in (R, S)))[0]
        assert held == pytest.approx(expected, abs=1e-12)
    request.getfixturevalue("small")
    states = [measure.prepare(Features(side)) for side in (R, S)]
    found = measure.compare(*states)
    assert found == measure.compare_many(states, [(0, 1)], map)[0]
    assert abs(found - held) <= binned_ranks.error_bound(*states)
    assert found == pytest.approx(held, abs=1e-3)
    assert measure.compare(states[0], states[0]) == 1


@pytest.mark.usefixtures("small")
def test_values_around_a_bound_stay_in_one_bin() -> None:
    draws = np.random.default_rng(0)
    values = np.array([2 - 4e-16, 2, 2 + 9e-16, 1.5, 3.0, 2 - 2e-16, 2.5, 1.2]).reshape(2, 4)
    rows = tiles.rows_of_profiles(Features(torch.as_tensor(draws.normal(size=(40, 5)))))
    cells = binned_ranks._cells(rows)
    counts = torch.zeros(binned_ranks.N_BINS, dtype=torch.int64)
    below, has_above = np.zeros(len(counts) + 1, dtype=np.uint32), np.zeros(len(counts) + 1, dtype=bool)
    count_bins(values, False, cells, counts.numpy(), below, has_above)
    assert int((counts & COUNT).max()) == 2
    moved = binned_ranks._moved(counts, below, has_above)
    assert sorted((counts & COUNT)[counts & COUNT > 0].tolist()) == [1, 1, 1, 1, 4]
    table, _, _ = binned_ranks._ranks(counts, 8)
    found = np.empty_like(values)
    look_up(values, False, cells, moved, table.numpy(), found)
    expected = 4.5 - rankdata(np.round(values, 12)).reshape(2, 4)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("small")
def test_what_bins_do_not_tell_apart_is_said_and_ties_are_not() -> None:
    measure = make_measure("rsa", {})
    groups = matrix("plain", 0)[torch.arange(75) % 4]
    tied = measure.prepare(Features(groups * matrix("plain", 1, n_features=1).exp()))
    assert tied.bins.largest_error == 0
    assert measure.note(tied, tied) == ""
    close = measure.prepare(Features(groups + 1e-7 * matrix("plain", 2)))
    assert close.bins.largest_error > 1e-2
    assert f"off by up to {close.bins.largest_error:.0e}" in measure.note(tied, close)


def test_bins_are_wider_than_rounding() -> None:
    """Also where many distances are small and nearly equal, so that nothing but their bins would be narrow."""
    groups = matrix("plain", 0, n_features=75)[torch.arange(75) % 3]
    rows = tiles.rows_of_profiles(Features(groups + 1e-7 * torch.eye(75, dtype=torch.float64)))
    assert binned_ranks._cells(rows)[:, BAND].max() < 1.1 / binned_ranks.LEAST_WIDTHS


@pytest.mark.parametrize("way", ["_average_ranks_of_many", "_average_ranks_in_parts"])
@pytest.mark.parametrize("kind", ["continuous", "tied", "one value", "one far away", "all magnitudes", "smallest"])
def test_ranks_of_many_values(kind: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(0)
    values = {
        "continuous": draws.random(3000),
        "tied": draws.integers(5, size=3000) / 7,
        "one value": np.ones(3000),
        "one far away": np.append(1 + 1e-9 * draws.random(2999), 1e300),
        "all magnitudes": 10.0 ** draws.uniform(-320, 300, 3000),
        "smallest": draws.integers(1000, size=3000) * 5e-324,
    }[kind]
    monkeypatch.setattr(ranks, "SORTED_AT_ONCE", 256)
    monkeypatch.setattr(compiled_sort, "BUCKET", 64)
    found = getattr(ranks, way)(torch.as_tensor(values.copy()), torch.zeros_like, 0.0)
    np.testing.assert_array_equal(found.numpy(), rankdata(values))


@pytest.mark.usefixtures("small")
def test_values_depend_neither_on_threads_nor_on_other_pairs() -> None:
    given = {f"r{seed}": matrix("plain", seed, n_features=5 + seed).numpy() for seed in range(5)}
    expected = resi.pairwise(given, list(NAMES), threads=1).drop("seconds")
    assert resi.pairwise(given, list(NAMES), threads=3).drop("seconds").equals(expected)
    alone = resi.pairwise({name: given[name] for name in ("r1", "r3")}, list(NAMES), threads=2)
    for measure, value in alone.select("measure", "value").rows():
        pair = {"measure": measure, "source": "r1", "target": "r3"}
        assert expected.row(by_predicate=_is(expected, pair), named=True)["value"] == value
        assert resi.compare(given["r1"], given["r3"], measure=measure) == value


def _is(frame, wanted):
    import polars as pl

    del frame
    return pl.all_horizontal(*(pl.col(name) == value for name, value in wanted.items()))


@pytest.mark.parametrize("name", NAMES)
def test_permutations_and_draws_have_the_values_of_matrices(name: str, request: pytest.FixtureRequest) -> None:
    given = {f"r{seed}": matrix("plain", seed).numpy() for seed in range(2)}
    asked = {"null": 19} | ({"bootstrap": 40} if name == "distance_correlation" else {})
    held = resi.pairwise(given, name, **asked).row(0, named=True)
    request.getfixturevalue("small")
    tiled = resi.pairwise(given, name, **asked).row(0, named=True)
    numbers = [column for column, value in held.items() if isinstance(value, float) and "seconds" not in column]
    assert len(numbers) > 4
    assert [tiled[column] for column in numbers] == pytest.approx([held[column] for column in numbers], rel=2e-3)


def test_all_measures_of_many_samples_fit_into_eight_gigabytes() -> None:
    for measure in MEASURES:
        assert needed_bytes(measure(), *[Size(50_000, 256)] * 2) < 8e9
