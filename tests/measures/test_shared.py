"""Intermediates that measures share: bases, distances, neighbours, ranks and the spectral norm."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from resi.errors import DegenerateInputError
from resi.measures import neighbours
from resi.measures.features import Features
from resi.measures.shared import bases, distances, intermediates, nearest, ranks, rows, spectral, vectors

from .samples import MEASURES


def features(matrix: Any) -> Features:
    return Features(torch.as_tensor(np.asarray(matrix, dtype=np.float64)))


def many_duplicates(n: int = 400, d: int = 37) -> Any:
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(n // 4, d))
    kinds[0] = 0
    return kinds[rng.integers(0, len(kinds), size=n)]


@pytest.mark.parametrize("kind", ["random", "integers", "duplicates", "signed zeros"])
def test_distinct_rows(kind: str) -> None:
    rng = np.random.default_rng(0)
    matrix = {
        "random": rng.normal(size=(50, 3)),
        "integers": rng.integers(0, 8, size=(600, 3)).astype(float),
        "duplicates": many_duplicates(),
        "signed zeros": np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]]),
    }[kind]
    expected = len({tuple(row) for row in matrix.tolist()})
    found = rows.distinct_rows(features(matrix))
    if found is None:
        assert expected == len(matrix)
        return
    assert len(found.first) == expected
    np.testing.assert_array_equal(matrix[found.first[found.kind]], matrix)
    first_seen = [min(i for i in range(len(matrix)) if (matrix[i] == matrix[j]).all()) for j in found.first.tolist()]
    assert found.first.tolist() == first_seen


def test_distinct_rows_survive_collisions_of_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randint", lambda _high, size, **_: torch.zeros(size, dtype=torch.int64))
    matrix = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])
    found = rows.distinct_rows(features(matrix))
    assert found is not None
    assert found.kind[0] == found.kind[2] != found.kind[1]
    assert rows.distinct_rows(features(matrix[:2])) is None


def test_neighbours_of_known_distances_are_the_same() -> None:
    matrix = many_duplicates()
    fresh, known = features(matrix), features(matrix)
    whole = known.shared(nearest.cosine_distances)
    before = whole.clone()
    for one, other in zip(nearest.neighbours(fresh, k=7), nearest.neighbours(known, k=7), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(whole, before)


def test_second_order_cosine_without_kept_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    R, S = many_duplicates(), rng.normal(size=(400, 5))
    measure = MEASURES["second_order_cosine"]()
    expected = measure(R, S)
    monkeypatch.setattr(neighbours, "HELD_ROWS", 10)
    for module in (distances, vectors):
        monkeypatch.setattr(module, "BLOCK_ENTRIES", 2**12)
    assert measure(R, S) == pytest.approx(expected, rel=1e-12)


def test_distances_keep_their_digits() -> None:
    """Near rows far from the mean, and identical ones, are as exact as the rest."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(60, 5)) * 100
    matrix[20:40] = matrix[:20] + rng.normal(size=(20, 5)) * 1e-6
    matrix[40:50] = matrix[:10]
    x = features(matrix + 1000)
    found = distances.euclidean_distances(x)
    used = x.matrix.numpy()
    exact = np.linalg.norm(used[:, None] - used[None], axis=2)
    # Taking off the mean rounds entries in units of 1e-14 here.
    np.testing.assert_allclose(found.matrix, exact, rtol=1e-10, atol=1e-12)
    assert (np.asarray(found.matrix)[exact == 0] == 0).all()
    np.testing.assert_allclose(found.row_means, exact.mean(1), rtol=1e-10)


def test_blocks_of_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(0).normal(size=(50, 4))
    whole = distances.euclidean_distances(features(matrix)).matrix
    uniform = MEASURES["uniformity_difference"]().prepare(features(matrix))
    ranked = ranks.ranked_correlations(features(matrix))
    for module in (distances, vectors, ranks):
        monkeypatch.setattr(module, "BLOCK_ENTRIES", 350)
    np.testing.assert_allclose(distances.euclidean_distances(features(matrix)).matrix, whole, rtol=1e-12)
    assert MEASURES["uniformity_difference"]().prepare(features(matrix)) == pytest.approx(uniform, rel=1e-12)
    torch.testing.assert_close(ranks.ranked_correlations(features(matrix)), ranked)


@pytest.mark.parametrize("n", [1, 2, 1000])
@pytest.mark.parametrize("kinds", [3, 10**9])
def test_average_ranks(n: int, kinds: int) -> None:
    values = np.random.default_rng(0).integers(0, kinds, size=n).astype(float)
    np.testing.assert_array_equal(ranks.average_ranks(torch.tensor(values), torch.zeros_like, 0.0), rankdata(values))


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("shape", [(200, 12), (12, 200)])
def test_rank_of_a_basis(offset: float, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(shape[0], 4)) @ rng.normal(size=(4, shape[1])) + offset
    matrix[:, :2] = offset
    basis = bases.centred_basis(features(matrix))
    assert basis.rank == 4
    rebuilt = basis.left * basis.values @ basis.right.T
    np.testing.assert_allclose(rebuilt, matrix - matrix.mean(0), atol=1e-9 * max(offset, 1))


def test_constant_matrix_has_no_basis() -> None:
    for build in (bases.centred_basis, intermediates.centred, intermediates.unit_columns):
        with pytest.raises(DegenerateInputError, match="constant"):
            build(features(np.full((20, 3), 0.1)))


def test_decomposition_falls_back_on_the_slow_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise torch.linalg.LinAlgError("did not converge")

    matrix = np.random.default_rng(0).normal(size=(20, 3))
    expected = MEASURES["gulp"]()(matrix, matrix[:, :2])
    monkeypatch.setattr(torch.linalg, "svd", fail)
    assert MEASURES["gulp"]()(matrix, matrix[:, :2]) == pytest.approx(expected, rel=1e-12)


def spectrum(values: Any) -> Any:
    """Return a symmetric matrix with the given eigenvalues, and its eigenvectors."""
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(len(values), len(values))))[0]
    return torch.tensor((basis * values) @ basis.T), torch.tensor(basis)


@pytest.mark.parametrize(
    "top",
    [
        [10.0],
        [-10.0],
        [10.0, -10.0],
        [10.0, -9.999999],
        [-10.0, 9.999999],
        [10.0, 10.0],
        [10.0, 9.9999999],
        [10.0, 9.99, 9.98, -9.97, -9.96],
        [1e-3, -1e-3],
        list(np.linspace(9, 10, 40)),
    ],
)
@pytest.mark.parametrize("start", ["top", "other", "zero"])
def test_spectral_norm(top: list[float], start: str) -> None:
    values = np.concatenate([top, np.random.default_rng(1).uniform(-1, 1, size=400 - len(top)) * min(1, abs(top[0]))])
    matrix, vectors = spectrum(values)
    first = {"top": vectors[:, 0], "other": vectors[:, -1], "zero": torch.zeros(400, dtype=torch.float64)}[start]
    exact = float(np.abs(np.linalg.eigvalsh(matrix.numpy())).max())
    assert spectral.spectral_norm(matrix, first) == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("n", [1, 2, 50, 129, 200])
@pytest.mark.parametrize("kind", ["zero", "identity", "rank one", "random"])
def test_spectral_norm_of_special_matrices(n: int, kind: str) -> None:
    random = torch.tensor(np.random.default_rng(0).normal(size=(n, n)))
    matrix = {
        "zero": torch.zeros(n, n, dtype=torch.float64),
        "identity": torch.eye(n, dtype=torch.float64),
        "rank one": torch.outer(random[0], random[0]),
        "random": random + random.T,
    }[kind]
    exact = float(np.abs(np.linalg.eigvalsh(matrix.numpy())).max())
    assert spectral.spectral_norm(matrix, matrix.mean(1)) == pytest.approx(exact, rel=1e-10, abs=1e-14)


def test_products_of_a_pair_are_kept_until_the_next_partner() -> None:
    calls: list[tuple[Features, Features]] = []

    def build(a: Features, b: Features) -> torch.Tensor:
        calls.append((a, b))
        return a.matrix.T @ b.matrix

    x, y, z = (features(np.random.default_rng(i).normal(size=(5, 2))) for i in range(3))
    assert x.shared_with(y, build) is x.shared_with(y, build)
    assert len(calls) == 1
    assert len(x.held()) == 2
    x.shared_with(z, build)
    x.shared_with(y, build)
    assert len(calls) == 3
    z.position = 1
    product = x.shared_with(z, build)
    calls.clear()
    assert torch.equal(z.shared_with(x, build), product.T)
    assert not calls
    assert len(z.held()) == 1
    calls.clear()
    del y
    gc.collect()
    fresh = features(np.eye(5))
    x.shared_with(fresh, build)
    assert len(calls) == 1


def test_published_variant_of_svcca_keeps_one_component() -> None:
    rng = np.random.default_rng(0)
    R, S = rng.normal(size=(50, 6)), rng.normal(size=(50, 6))
    u, v = (np.linalg.svd(X - X.mean(0), full_matrices=False)[0][:, 0] for X in (R, S))
    published = MEASURES["svcca"](variant="published")  # type: ignore[call-arg]
    assert published(R, S) == pytest.approx(abs(u @ v), rel=1e-9)
    # Below a sum of squares of 1.01 there are more components than one, and the share needed shrinks with it.
    small = [X / np.linalg.norm(X - X.mean(0)) for X in (R, S)]
    assert published(*small) == pytest.approx(MEASURES["svcca"]()(R, S), rel=1e-6)


@pytest.mark.parametrize("name", ["jaccard", "rank_similarity", "second_order_cosine"])
def test_published_neighbours_are_the_nearest_ones_where_no_rows_coincide(name: str) -> None:
    draws = np.random.default_rng(0)
    R, S = draws.normal(size=(60, 5)), draws.normal(size=(60, 4))
    published = MEASURES[name](variant="published")  # type: ignore[call-arg]
    assert published(R, S) == pytest.approx(MEASURES[name]()(R, S), rel=1e-12)
    # Four copies of every row: which of them comes first is left to rounding, so that others than itself stay out.
    assert published(np.repeat(R, 4, axis=0), np.repeat(S, 4, axis=0)) <= 1


def test_double_precision_is_made_once_and_only_where_it_is_asked_for() -> None:
    given = torch.rand(5, 2)
    x = Features(given, torch.float32)
    moved = x.shared(intermediates.moved)
    centred = given.double() - given.double().mean(0)
    assert moved.matrix.dtype == torch.float32
    assert moved.norm == pytest.approx(float(centred.norm()), rel=1e-7)
    torch.testing.assert_close(moved.means, given.double().mean(0), rtol=1e-7, atol=0)
    assert sum(hasattr(value, "dtype") and value.dtype == torch.float64 for value in x.held()) == 0
    assert x.matrix is x.matrix
    assert torch.equal(x.matrix, given.double())
    double = Features(given.double())
    assert double.matrix is double.given
