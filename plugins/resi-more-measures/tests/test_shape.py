"""Shape metrics and distances of Gram matrices against matrix roots, scipy's solvers, and all permutations."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from resi_more_measures import covariances, shape
from resi_more_measures.cca import MeanCCA
from resi_more_measures.covariances import BuresDistance, NormalizedBuresSimilarity, RiemannianDistance
from resi_more_measures.shape import (
    CCAAngular,
    CCAEuclidean,
    PartialWhiteningAngular,
    PartialWhiteningEuclidean,
    PermutationAngular,
    PermutationEuclidean,
    SquaredProcrustes,
    UncentredProcrustes,
)
from scipy.linalg import eigvalsh, fractional_matrix_power, orthogonal_procrustes, sqrtm
from scipy.spatial.distance import pdist, squareform

import resi
from resi.errors import DegenerateInputError

Pair = tuple[np.ndarray, np.ndarray]


def centred(matrix: np.ndarray) -> np.ndarray:
    return matrix - matrix.mean(0)


def whitened(matrix: np.ndarray, alpha: float) -> np.ndarray:
    matrix = centred(matrix)
    root = np.real(fractional_matrix_power(matrix.T @ matrix, -0.5))
    return matrix @ (alpha * np.eye(len(root)) + (1 - alpha) * root)


def padded(*matrices: np.ndarray) -> list[np.ndarray]:
    width = max(matrix.shape[1] for matrix in matrices)
    return [np.pad(matrix, ((0, 0), (0, width - matrix.shape[1]))) for matrix in matrices]


def rotated(first: np.ndarray, second: np.ndarray) -> Pair:
    first, second = padded(first, second)
    rotation, _ = orthogonal_procrustes(first, second)
    return first @ rotation, second


def angle(first: np.ndarray, second: np.ndarray) -> float:
    return math.acos(np.sum(first * second) / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_partial_whitening_follows_its_definition(pair: Pair, alpha: float) -> None:
    first, second = rotated(*(whitened(matrix, alpha) for matrix in pair))
    assert PartialWhiteningAngular(alpha)(*pair) == pytest.approx(angle(first, second), rel=1e-9)
    assert PartialWhiteningEuclidean(alpha)(*pair) == pytest.approx(np.linalg.norm(first - second), rel=1e-9)


def test_ends_of_partial_whitening_are_known_measures(pair: Pair) -> None:
    assert PartialWhiteningAngular(1)(*pair) == pytest.approx(resi.compare(*pair, measure="angular_shape"), rel=1e-9)
    assert PartialWhiteningEuclidean(1)(*pair) == pytest.approx(resi.compare(*pair, measure="procrustes"), rel=1e-9)
    assert PartialWhiteningAngular(0)(*pair) == pytest.approx(CCAAngular()(*pair), rel=1e-9)
    assert PartialWhiteningEuclidean(0)(*pair) == pytest.approx(CCAEuclidean()(*pair), rel=1e-9)


def test_normalised_mixtures_do_not_depend_on_units(pair: Pair) -> None:
    first, second = pair
    for measure in (PartialWhiteningAngular, PartialWhiteningEuclidean):
        value = measure(0.5, normalised=True)(first, second)
        assert measure(0.5, normalised=True)(1e6 * first, 1e-6 * second) == pytest.approx(value, rel=1e-9)
        assert abs(measure(0.5)(1e6 * first, second) - measure(0.5)(first, second)) > 1e-3
    units = [matrix / np.sqrt(np.mean(np.linalg.svd(matrix, compute_uv=False) ** 2)) for matrix in map(centred, pair)]
    expected = angle(*rotated(*(whitened(matrix, 0.5) for matrix in units)))
    assert PartialWhiteningAngular(0.5, normalised=True)(*pair) == pytest.approx(expected, rel=1e-9)


def test_whitened_angles_are_made_of_canonical_correlations(pair: Pair) -> None:
    total = 7 * MeanCCA()(*pair)
    assert CCAAngular()(*pair) == pytest.approx(math.acos(total / math.sqrt(12 * 7)), rel=1e-9)
    assert CCAEuclidean()(*pair) == pytest.approx(math.sqrt(12 + 7 - 2 * total), rel=1e-9)


@pytest.mark.parametrize("gap", [1e-3, 1e-9])
def test_small_distances_keep_their_digits(pair: Pair, rng: np.random.Generator, gap: float) -> None:
    """To first order, the angle of a matrix and one that is moved is the part of the move at right angles."""
    first = centred(pair[0])
    first /= np.linalg.norm(first)
    move = centred(rng.normal(size=first.shape))
    inner = first.T @ move
    # What rotations do, and what scaling does, does not count.
    skew = np.linalg.solve(
        np.kron(first.T @ first, np.eye(12)) + np.kron(np.eye(12), first.T @ first), (inner - inner.T).ravel()
    ).reshape(12, 12)
    move -= first @ skew
    move -= first * np.sum(first * move)
    value = PartialWhiteningAngular(1)(first, first + gap * move)
    assert value == pytest.approx(gap * np.linalg.norm(move), rel=10 * gap + 1e-5)


@pytest.mark.parametrize("widths", [(5, 5), (5, 3), (2, 5)])
@pytest.mark.parametrize("alpha", [1.0, 0.4])
def test_permutations_are_the_best_of_all(widths: tuple[int, int], alpha: float, rng: np.random.Generator) -> None:
    first, second = (rng.normal(size=(9, width)) + 3 for width in widths)
    one, other = padded(*(centred(x) if alpha == 1 else whitened(x, alpha) for x in (first, second)))
    orders = [one[:, list(order)] for order in itertools.permutations(range(5))]
    assert PermutationEuclidean(alpha)(first, second) == pytest.approx(
        min(np.linalg.norm(matrix - other) for matrix in orders), rel=1e-9
    )
    assert PermutationAngular(alpha)(first, second) == pytest.approx(
        min(angle(matrix, other) for matrix in orders), rel=1e-9
    )


def test_opposite_neurons_are_far_apart() -> None:
    neuron = np.arange(6.0)[:, None]
    assert PermutationAngular()(neuron, -neuron) == pytest.approx(math.pi)


def test_procrustes_without_centring(pair: Pair) -> None:
    first, second = rotated(*pair)
    assert UncentredProcrustes()(*pair) == pytest.approx(np.linalg.norm(first - second), rel=1e-9)
    assert UncentredProcrustes()(1e170 * pair[0], 1e170 * pair[1]) == pytest.approx(
        1e170 * np.linalg.norm(first - second), rel=1e-9
    )


def test_squared_procrustes_is_the_square(pair: Pair) -> None:
    units = [matrix / np.linalg.norm(matrix) for matrix in map(centred, pair)]
    first, second = rotated(*units)
    assert SquaredProcrustes()(*pair) == pytest.approx(np.linalg.norm(first - second) ** 2, rel=1e-9)


def fidelity(first: np.ndarray, second: np.ndarray) -> float:
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    return float(np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum())


@pytest.mark.parametrize("which", ["pair", "wide_pair"])
def test_bures_follows_from_the_roots_of_gram_matrices(which: str, request: pytest.FixtureRequest) -> None:
    pair: Pair = request.getfixturevalue(which)
    first, second = (matrix @ matrix.T for matrix in map(centred, pair))
    found = fidelity(first, second)
    distance = math.sqrt(np.trace(first) + np.trace(second) - 2 * found)
    similarity = found / math.sqrt(np.trace(first) * np.trace(second))
    assert BuresDistance()(*pair) == pytest.approx(distance, rel=1e-6)
    assert NormalizedBuresSimilarity()(*pair) == pytest.approx(similarity, rel=1e-6)
    assert NormalizedBuresSimilarity(squared=True)(*pair) == pytest.approx(similarity**2, rel=1e-6)


def test_bures_is_dual_to_shapes(pair: Pair) -> None:
    assert BuresDistance()(*pair) == pytest.approx(resi.compare(*pair, measure="procrustes"), rel=1e-9)
    cosine = math.cos(resi.compare(*pair, measure="angular_shape"))
    assert NormalizedBuresSimilarity()(*pair) == pytest.approx(cosine, rel=1e-9)


def test_bures_of_gaussians_in_one_dimension() -> None:
    """Standard deviations of centred data of one neuron: the distance is their difference."""
    neuron = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    assert BuresDistance()(3 * neuron, 5 * neuron) == pytest.approx(2 * 2)


@pytest.mark.parametrize("which", ["pair", "wide_pair"])
@pytest.mark.parametrize("shrinkage", [0.1, 0.5])
def test_riemannian_distance_of_full_matrices(which: str, shrinkage: float, request: pytest.FixtureRequest) -> None:
    pair: Pair = request.getfixturevalue(which)
    grams = [matrix @ matrix.T for matrix in map(centred, pair)]
    count = len(grams[0])
    first, second = ((1 - shrinkage) * count * k / np.trace(k) + shrinkage * np.eye(count) for k in grams)
    expected = np.linalg.norm(np.log(eigvalsh(second, first)))
    value = RiemannianDistance(shrinkage=shrinkage)(*pair)
    assert value == pytest.approx(expected, rel=1e-9)
    root = np.real(fractional_matrix_power(first, -0.5))
    assert value == pytest.approx(np.linalg.norm(np.log(np.linalg.eigvalsh(root @ second @ root))), rel=1e-7)
    assert np.allclose(sqrtm(first) @ root, np.eye(count), atol=1e-8)


@pytest.mark.parametrize("kernel", ["rbf", "laplacian", "polynomial"])
def test_riemannian_distance_of_other_kernels(pair: Pair, kernel: str) -> None:
    measure = RiemannianDistance(kernel=kernel)
    centring = np.eye(40) - 1 / 40
    full = []
    for matrix in pair:
        gram = centring @ gram_of(kernel, matrix) @ centring
        full.append(0.9 * 40 * gram / np.trace(gram) + 0.1 * np.eye(40))
    assert measure(*pair) == pytest.approx(np.linalg.norm(np.log(eigvalsh(full[1], full[0]))), rel=1e-8)


def gram_of(kernel: str, matrix: np.ndarray) -> np.ndarray:
    if kernel == "polynomial":
        return (matrix @ matrix.T / matrix.shape[1] + 1) ** 3
    distances = squareform(pdist(matrix)) / np.median(pdist(matrix))
    return np.exp(-(distances**2) / 2 if kernel == "rbf" else -distances)


def test_riemannian_distance_of_the_identity_is_zero(pair: Pair) -> None:
    assert RiemannianDistance(shrinkage=1.0)(*pair) == 0


@pytest.mark.parametrize(
    ("measure", "parameters"),
    [
        (PartialWhiteningAngular, {"alpha": 1.5}),
        (PermutationAngular, {"alpha": -0.1}),
        (RiemannianDistance, {"shrinkage": 0.0}),
    ],
)
def test_parameters_that_make_no_sense_are_errors(measure: Any, parameters: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{measure.name}: {next(iter(parameters))}"):
        measure(**parameters)


@pytest.mark.parametrize(
    "measure",
    [
        measure
        for measure in (*shape.MEASURES, *covariances.MEASURES)
        if measure not in (BuresDistance, PermutationEuclidean, UncentredProcrustes)
    ],
)
def test_constant_representations_have_no_shape(measure: type[resi.Measure], pair: Pair) -> None:
    with pytest.raises(DegenerateInputError, match="constant"):
        measure()(pair[0], np.ones((40, 4)))


@pytest.mark.parametrize("measure", [BuresDistance, PermutationEuclidean])
def test_constant_representations_are_a_point(measure: type[resi.Measure], pair: Pair) -> None:
    assert measure()(pair[0], np.ones((40, 4))) == pytest.approx(np.linalg.norm(centred(pair[0])), rel=1e-12)
