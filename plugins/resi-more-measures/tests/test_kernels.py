"""Kernel measures beside the formulas of their papers, written with matrices of N x N and scikit-learn's kernels."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.linalg import eigvalsh
from scipy.spatial.distance import cdist, pdist
from sklearn.metrics.pairwise import cosine_similarity, linear_kernel, polynomial_kernel, rbf_kernel

import resi
from resi.errors import DegenerateInputError, ShapeError, UsageError

Matrix = np.ndarray
Pair = tuple[Matrix, Matrix]
CONSTANT_IS_NOTHING = ("debiased_cka", "zero_diagonal_cka", "angular_cka", "rbf_cka", "laplacian_cka", "ensd")


def laplacian(x: Matrix, sigma: float) -> Matrix:
    return np.exp(-cdist(x, x) / sigma)


def rbf(x: Matrix, sigma: float) -> Matrix:
    return rbf_kernel(x, gamma=1 / (2 * sigma**2))


def median(x: Matrix) -> float:
    return float(np.median(pdist(x)))


KERNELS = {
    "linear": linear_kernel,
    "rbf": lambda x: rbf(x, median(x)),
    "laplacian": lambda x: laplacian(x, median(x)),
    "polynomial": lambda x: polynomial_kernel(x, degree=3, coef0=1),
    "cosine": cosine_similarity,
}


def biased(k: Matrix, q: Matrix) -> float:
    n = len(k)
    h = np.eye(n) - np.ones((n, n)) / n
    return float(np.trace(k @ h @ q @ h)) / (n - 1) ** 2


def unbiased(k: Matrix, q: Matrix) -> float:
    """Return the estimate of Song et al. 2012, eq. 5."""
    n, one = len(k), np.ones(len(k))
    k, q = k - np.diag(np.diag(k)), q - np.diag(np.diag(q))
    middle = (one @ k @ one) * (one @ q @ one) / ((n - 1) * (n - 2))
    return float(np.trace(k @ q) + middle - 2 / (n - 2) * (one @ k @ q @ one)) / (n * (n - 3))


def zero_diagonal(k: Matrix, q: Matrix) -> float:
    n = len(k)
    h = np.eye(n) - np.ones((n, n)) / n
    k, q = h @ k @ h, h @ q @ h
    return float(sum(k[i, j] * q[i, j] for i, j in itertools.permutations(range(n), 2)))


ESTIMATORS = {"biased": biased, "unbiased": unbiased, "zero_diagonal": zero_diagonal}


def cka(k: Matrix, q: Matrix, estimator: str) -> float:
    hsic = ESTIMATORS[estimator]
    return hsic(k, q) / math.sqrt(hsic(k, k) * hsic(q, q))


@pytest.mark.parametrize("kernel", KERNELS)
def test_debiased_cka(kernel: str, sides: Pair) -> None:
    expected = cka(*map(KERNELS[kernel], sides), "unbiased")
    assert resi.compare(*sides, measure="debiased_cka", kernel=kernel) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
def test_zero_diagonal_and_angular_cka(kernel: str, sides: Pair) -> None:
    grams = [KERNELS[kernel](side) for side in sides]
    value = resi.compare(*sides, measure="zero_diagonal_cka", kernel=kernel)
    assert value == pytest.approx(cka(*grams, "zero_diagonal"), rel=1e-9)
    for estimator in ESTIMATORS:
        angle = resi.compare(*sides, measure="angular_cka", kernel=kernel, estimator=estimator)
        assert angle == pytest.approx(math.acos(cka(*grams, estimator)), rel=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_named_kernels(estimator: str, sides: Pair) -> None:
    expected = {
        "rbf_cka": [rbf(side, 0.4 * median(side)) for side in sides],
        "laplacian_cka": [laplacian(side, median(side)) for side in sides],
        "polynomial_cka": [polynomial_kernel(side, degree=3, coef0=1) for side in sides],
        "cosine_cka": [cosine_similarity(side) for side in sides],
    }
    for name, grams in expected.items():
        value = resi.compare(*sides, measure=name, estimator=estimator)
        assert value == pytest.approx(cka(*grams, estimator), rel=1e-9), name


def test_wreath_cka(sides: Pair, rng: np.random.Generator) -> None:
    def kernel(x: Matrix) -> Matrix:
        x = (x - x.mean(0)) / np.linalg.norm(x - x.mean(0), axis=0)
        return np.array([[max(a * b for a, b in zip(one, other, strict=True)) for other in x] for one in x])

    first, second = sides
    value = resi.compare(first, second, measure="wreath_cka")
    assert value == pytest.approx(cka(kernel(first), kernel(second), "unbiased"), rel=1e-9)
    stretched = (first * rng.uniform(0.1, 10, first.shape[1]))[:, rng.permutation(first.shape[1])]
    assert resi.compare(stretched, second, measure="wreath_cka") == pytest.approx(value, rel=1e-9)


def test_parameters_of_kernels(pair: Pair) -> None:
    with_sigma = resi.compare(*pair, measure="rbf_cka", sigma=3.0)
    assert with_sigma == pytest.approx(cka(*(rbf(side, 3.0) for side in pair), "biased"), rel=1e-9)
    squared = [polynomial_kernel(side, degree=2, coef0=0.5) for side in pair]
    value = resi.compare(*pair, measure="polynomial_cka", degree=2, offset=0.5)
    assert value == pytest.approx(cka(*squared, "biased"), rel=1e-9)


def test_wide_gaussian_kernels_tend_to_the_linear_one(pair: Pair) -> None:
    assert resi.compare(*pair, measure="rbf_cka", bandwidth=1e3) == pytest.approx(resi.compare(*pair), rel=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernel_alignment(kernel: str, sides: Pair) -> None:
    k, q = (KERNELS[kernel](side) for side in sides)
    expected = (k * q).sum() / math.sqrt((k**2).sum() * (q**2).sum())
    assert resi.compare(*sides, measure="kernel_alignment", kernel=kernel) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
def test_hsic(kernel: str, sides: Pair) -> None:
    k, q = (KERNELS[kernel](side) for side in sides)
    assert resi.compare(*sides, measure="hsic", kernel=kernel) == pytest.approx(biased(k, q), rel=1e-9)
    value = resi.compare(*sides, measure="hsic", kernel=kernel, estimator="unbiased")
    assert value == pytest.approx(unbiased(k, q), rel=1e-8)


def test_nocco(sides: Pair) -> None:
    n = len(sides[0])
    h = np.eye(n) - np.ones((n, n)) / n
    k, q = (h @ KERNELS["rbf"](side) @ h for side in sides)
    for epsilon in (1e-3, 0.1):
        r, s = (gram @ np.linalg.inv(gram + n * epsilon * np.eye(n)) for gram in (k, q))
        assert resi.compare(*sides, measure="nocco", epsilon=epsilon) == pytest.approx(np.trace(r @ s), rel=1e-9)


def test_debiased_cka_of_unrelated_wide_representations_is_near_zero(rng: np.random.Generator) -> None:
    pairs = [(rng.normal(size=(30, 300)), rng.normal(size=(30, 300))) for _ in range(20)]
    assert min(resi.compare(*pair, measure="cka") for pair in pairs) > 0.85
    assert abs(np.mean([resi.compare(*pair, measure="debiased_cka") for pair in pairs])) < 0.02


def test_modified_rv_is_zero_diagonal_cka(sides: Pair) -> None:
    """Smilde et al. 2009: products of centred features, without the diagonal."""
    k, q = ((side - side.mean(0)) @ (side - side.mean(0)).T for side in sides)
    np.fill_diagonal(k, 0)
    np.fill_diagonal(q, 0)
    expected = (k * q).sum() / math.sqrt((k**2).sum() * (q**2).sum())
    assert resi.compare(*sides, measure="zero_diagonal_cka") == pytest.approx(expected, rel=1e-9)


def test_adjusted_rv_is_that_of_all_pairs_of_features(sides: Pair) -> None:
    n = len(sides[0])

    def total(x: Matrix, y: Matrix) -> float:
        squares = [np.corrcoef(a, b)[0, 1] ** 2 for a in x.T for b in y.T]
        return sum(1 - (n - 1) / (n - 2) * (1 - square) for square in squares)

    x, y = sides
    expected = total(x, y) / math.sqrt(total(x, x) * total(y, y))
    assert resi.compare(x, y, measure="adjusted_rv") == pytest.approx(expected, rel=1e-9)
    with_constant = np.hstack([x, np.ones((n, 1))])
    assert resi.compare(with_constant, y, measure="adjusted_rv") == pytest.approx(expected, rel=1e-9)


def test_chance_adjusted_rv_takes_off_the_mean_over_all_orders(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    mean = np.mean([resi.compare(x, y[list(order)]) for order in itertools.permutations(range(6))])
    expected = (resi.compare(x, y) - mean) / (1 - mean)
    assert resi.compare(x, y, measure="chance_adjusted_rv") == pytest.approx(expected, rel=1e-9)


def test_ensd(sides: Pair) -> None:
    def ratio(x: Matrix) -> float:
        values = np.linalg.eigvalsh(np.cov(x.T))
        return float(values.sum() ** 2 / (values**2).sum())

    x, y = sides
    expected = resi.compare(x, y) * math.sqrt(ratio(x) * ratio(y))
    assert resi.compare(x, y, measure="ensd") == pytest.approx(expected, rel=1e-9)
    assert resi.compare(x, x, measure="ensd") == pytest.approx(ratio(x), rel=1e-9)


def test_riemannian_distance(sides: Pair) -> None:
    n = len(sides[0])
    h = np.eye(n) - np.ones((n, n)) / n
    grams = [h @ (side @ side.T) @ h for side in sides]
    a, b = (0.9 * gram / np.trace(gram) * n + 0.1 * np.eye(n) for gram in grams)
    expected = math.sqrt((np.log(eigvalsh(b, a)) ** 2).sum())
    assert resi.compare(*sides, measure="riemannian_distance") == pytest.approx(expected, rel=1e-9)


def test_values_stay_as_they_are(pair: Pair) -> None:
    """Recorded when the measures were checked against their formulas."""
    for name, value in {"debiased_cka": 0.4956191668045898, "rbf_cka": 0.8023228206002254}.items():
        assert resi.compare(*pair, measure=name) == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize("name", CONSTANT_IS_NOTHING)
def test_nothing_varies(name: str, pair: Pair) -> None:
    with pytest.raises(DegenerateInputError, match=f"{name}: R of shape"):
        resi.compare(np.full((40, 3), 0.1), pair[1], measure=name)


def test_rows_that_are_mostly_the_same_have_no_median_distance(rng: np.random.Generator) -> None:
    rows = np.zeros((20, 3))
    rows[0] = 1
    with pytest.raises(DegenerateInputError, match="give sigma"):
        resi.compare(rows, rng.normal(size=(20, 3)), measure="rbf_cka")
    assert 0 < resi.compare(rows, rows + rng.normal(size=(20, 3)), measure="rbf_cka", sigma=1.0) < 1


def test_a_row_of_zeros_has_no_direction(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(20, 3))
    rows[4] = 0
    with pytest.raises(DegenerateInputError, match="row 4 is all zero"):
        resi.compare(rows, rng.normal(size=(20, 3)), measure="cosine_cka")


def test_unbiased_estimates_need_four_samples(rng: np.random.Generator) -> None:
    with pytest.raises(ShapeError, match="at least 4 samples"):
        resi.compare(rng.normal(size=(3, 5)), rng.normal(size=(3, 4)), measure="debiased_cka")


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("debiased_cka", {"kernel": "gauss"}, "kernel 'gauss' does not exist; known: linear"),
        ("rbf_cka", {"bandwidth": 0.0}, "bandwidth = 0.0; it has to be positive"),
        ("rbf_cka", {"sigma": -1.0}, "sigma = -1.0"),
        ("polynomial_cka", {"degree": 0}, "degree = 0"),
        ("angular_cka", {"estimator": "song"}, "estimator 'song' does not exist"),
        ("hsic", {"estimator": "zero_diagonal"}, "does not exist"),
        ("nocco", {"epsilon": 0.0}, "epsilon = 0.0"),
        ("riemannian_distance", {"shrinkage": 0.0}, "shrinkage = 0.0"),
    ],
)
def test_parameters_that_do_not_fit_are_named(
    name: str, parameters: dict[str, object], message: str, pair: Pair
) -> None:
    with pytest.raises(UsageError, match=message):
        resi.compare(*pair, measure=name, **parameters)


@pytest.mark.parametrize("name", ["cosine_cka", "polynomial_cka", "kernel_alignment"])
def test_an_offset_counts_where_it_is_not_declared_not_to(name: str, pair: Pair) -> None:
    first, second = pair
    assert abs(resi.compare(first + 2, second, measure=name) - resi.compare(first, second, measure=name)) > 1e-3


def test_a_large_offset_takes_no_digits(pair: Pair) -> None:
    first, second = pair
    for name in ("debiased_cka", "zero_diagonal_cka", "rbf_cka", "hsic", "ensd"):
        value = resi.compare(first + 1e4, second - 1e4, measure=name)
        assert value == pytest.approx(resi.compare(first, second, measure=name), rel=1e-8), name
