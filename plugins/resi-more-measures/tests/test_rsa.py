"""Representational similarity analysis beside scipy, the formulas of the papers, and values of rsatoolbox."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import pdist, squareform
from scipy.stats import kendalltau, pearsonr, rankdata, spearmanr
from sklearn.covariance import ledoit_wolf

import resi
from resi.errors import DegenerateInputError, ShapeError, UsageError

Matrix = np.ndarray
Pair = tuple[Matrix, Matrix]


def mahalanobis(x: Matrix) -> Matrix:
    return pdist(x, "mahalanobis", VI=np.linalg.inv(ledoit_wolf(x)[0])) ** 2


DISTANCES = {
    "correlation": lambda x: pdist(x, "correlation"),
    "cosine": lambda x: pdist(x, "cosine"),
    "euclidean": pdist,
    "squared_euclidean": lambda x: pdist(x, "sqeuclidean"),
    "gaussian": lambda x: 1 - np.exp(-pdist(x, "sqeuclidean") / (2 * np.median(pdist(x)) ** 2)),
    "mahalanobis": mahalanobis,
}


def cosine(d: Matrix, e: Matrix) -> float:
    return float(d @ e / math.sqrt((d @ d) * (e @ e)))


def tau_a(d: Matrix, e: Matrix) -> float:
    order = [np.sign(v[:, None] - v[None]) for v in (d, e)]
    return float((order[0] * order[1]).sum() / (len(d) * (len(d) - 1)))


def rho_a(d: Matrix, e: Matrix) -> float:
    """Return the formula of Schütt et al. 2023."""
    n = len(d)
    return float(12 / (n**3 - n) * rankdata(d) @ rankdata(e) - 3 * (n + 1) / (n - 1))


def whitened(d: Matrix, e: Matrix) -> float:
    """Return the cosine with the covariance that Diedrichsen et al. 2021 derive, made and inverted."""
    n = int((1 + math.sqrt(1 + 8 * len(d))) / 2)
    contrasts = np.array([np.eye(n)[i] - np.eye(n)[j] for i, j in itertools.combinations(range(n), 2)])
    inverse = np.linalg.inv((contrasts @ contrasts.T) ** 2)
    return float(d @ inverse @ e / math.sqrt((d @ inverse @ d) * (e @ inverse @ e)))


def bures(d: Matrix, e: Matrix) -> float:
    n = len(squareform(d))
    h = np.eye(n) - np.ones((n, n)) / n
    a, b = (h @ squareform(v) @ h / -2 for v in (d, e))
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    return float(np.real(np.trace(sqrtm(root @ b @ root))) / math.sqrt(np.trace(a) * np.trace(b)))


COMPARISONS = {
    "rsa_pearson": lambda d, e: pearsonr(d, e).statistic,
    "rsa_cosine": cosine,
    "rsa_spearman": lambda d, e: spearmanr(d, e).statistic,
    "rsa_kendall": lambda d, e: kendalltau(d, e).statistic,
    "rsa_tau_a": tau_a,
    "rsa_rho_a": rho_a,
    "rsa_whitened_cosine": whitened,
    "rsa_whitened_correlation": lambda d, e: whitened(d - d.mean(), e - e.mean()),
    "rsa_distance": lambda d, e: float(np.linalg.norm(d - e)),
}


@pytest.fixture
def few(sides: Pair) -> Pair:
    """Twelve samples of each pair, so that the covariance of their 66 distances can be inverted."""
    return sides[0][:12], sides[1][:12]


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("name", COMPARISONS)
def test_every_comparison_of_every_distance(name: str, distance: str, few: Pair) -> None:
    expected = COMPARISONS[name](*map(DISTANCES[distance], few))
    assert resi.compare(*few, measure=name, distance=distance) == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_bures_similarity(few: Pair) -> None:
    for distance in ("correlation", "squared_euclidean"):
        expected = bures(*map(DISTANCES[distance], few))
        assert resi.compare(*few, measure="rsa_bures", distance=distance) == pytest.approx(expected, rel=1e-6)


# rsatoolbox 0.3, of the first twelve rows of the fixture pair, for poisson of their absolute values.
RECORDED = {
    ("correlation", "rsa_pearson"): 0.09828559605355806,
    ("correlation", "rsa_cosine"): 0.8856514393140714,
    ("correlation", "rsa_spearman"): 0.09086734161361028,
    ("correlation", "rsa_kendall"): 0.07226107226107226,
    ("correlation", "rsa_tau_a"): 0.07226107226107226,
    ("correlation", "rsa_rho_a"): 0.09086734161361028,
    ("correlation", "rsa_whitened_cosine"): 0.5059007557466056,
    ("correlation", "rsa_whitened_correlation"): 0.158931172744045,
    ("squared_euclidean", "rsa_pearson"): 0.6481235153286089,
    ("squared_euclidean", "rsa_cosine"): 0.9062144409344218,
    ("squared_euclidean", "rsa_spearman"): 0.5342866089134746,
    ("squared_euclidean", "rsa_tau_a"): 0.3902097902097902,
    ("squared_euclidean", "rsa_whitened_cosine"): 0.6644088497216221,
    ("squared_euclidean", "rsa_whitened_correlation"): 0.47963795678069165,
    ("poisson", "rsa_pearson"): 0.4009859133909241,
    ("poisson", "rsa_cosine"): 0.8588912534516157,
    ("poisson", "rsa_rho_a"): 0.3230769230769231,
    ("poisson", "rsa_whitened_cosine"): 0.4917237300003004,
}


@pytest.mark.parametrize(("distance", "name"), RECORDED)
def test_values_are_those_of_rsatoolbox(distance: str, name: str, pair: Pair) -> None:
    first, second = (abs(side[:12]) if distance == "poisson" else side[:12] for side in pair)
    value = resi.compare(first, second, measure=name, distance=distance)
    assert value == pytest.approx(RECORDED[distance, name], rel=1e-9)


def test_whitened_cosine_of_squared_distances_is_the_linear_cka(sides: Pair) -> None:
    assert resi.compare(*sides, measure="rsa_whitened_cosine") == pytest.approx(resi.compare(*sides), rel=1e-9)


def test_spearman_of_correlation_distances_is_the_built_in_measure(sides: Pair) -> None:
    value = resi.compare(*sides, measure="rsa_spearman", distance="correlation")
    assert value == pytest.approx(resi.compare(*sides, measure="rsa"), rel=1e-9)


def test_equal_distances_are_tied(rng: np.random.Generator) -> None:
    """Points of a grid have few different distances; a rotation rounds them, and must not order them."""
    grid = np.array(list(itertools.product(range(3), repeat=3)), dtype=float)
    other = rng.normal(size=(27, 4))
    d, e = pdist(grid, "sqeuclidean").round(), pdist(other, "sqeuclidean")
    turned = grid @ np.linalg.qr(rng.normal(size=(3, 3)))[0] + 0.1
    for name in ("rsa_spearman", "rsa_kendall", "rsa_tau_a", "rsa_rho_a"):
        value = resi.compare(turned, other, measure=name, distance="squared_euclidean")
        assert value == pytest.approx(COMPARISONS[name](d, e), rel=1e-10), name
    itself = resi.compare(grid, turned, measure="rsa_tau_a", distance="euclidean")
    assert itself == pytest.approx(tau_a(d, d), rel=1e-10)
    assert itself < 0.95


def test_rho_a_is_the_mean_over_ways_to_break_ties(rng: np.random.Generator) -> None:
    grid = np.array(list(itertools.product(range(2), repeat=3)), dtype=float)
    other = rng.normal(size=(8, 3))
    d, e = pdist(grid, "sqeuclidean").round(), pdist(other)
    values = [spearmanr(d + 1e-6 * rng.random(len(d)), e).statistic for _ in range(500)]
    value = resi.compare(grid, other, measure="rsa_rho_a", distance="euclidean")
    assert value == pytest.approx(np.mean(values), abs=4 * np.std(values) / math.sqrt(500))


def crossnobis(runs: list[Matrix], covariance: Matrix | None = None) -> Matrix:
    """Return distances as Walther et al. 2016 write them, with products over all pairs of runs."""
    n, mean = len(runs[0]), np.mean(runs, axis=0)
    residuals = np.concatenate([run - mean for run in runs])
    if covariance is None:
        covariance = ledoit_wolf(residuals, assume_centered=True)[0] * len(runs) / (len(runs) - 1)
    inverse = np.linalg.inv(covariance)
    return np.array(
        [
            np.mean([(a[i] - a[j]) @ inverse @ (b[i] - b[j]) for a, b in itertools.permutations(runs, 2)])
            for i, j in itertools.combinations(range(n), 2)
        ]
    )


@pytest.mark.parametrize("width", [5, 40])
def test_crossnobis(width: int, rng: np.random.Generator) -> None:
    runs = [[side + 0.7 * rng.normal(size=side.shape) for _ in range(3)] for side in rng.normal(size=(2, 10, width))]
    d, e = map(crossnobis, runs)
    for name in ("rsa_pearson", "rsa_cosine", "rsa_whitened_cosine", "rsa_rho_a"):
        value = resi.compare(*map(np.hstack, runs), measure=name, distance="crossnobis", repeats=3)
        assert value == pytest.approx(COMPARISONS[name](d, e), rel=1e-8), name


def test_cross_euclidean(rng: np.random.Generator) -> None:
    runs = [[side + 0.7 * rng.normal(size=side.shape) for _ in range(3)] for side in rng.normal(size=(2, 10, 6))]
    d, e = (crossnobis(side, np.eye(6)) for side in runs)
    value = resi.compare(*map(np.hstack, runs), measure="rsa_whitened_cosine", distance="cross_euclidean", repeats=3)
    assert value == pytest.approx(whitened(d, e), rel=1e-8)


def test_noise_alone_is_zero_on_average(rng: np.random.Generator) -> None:
    def similarity(distance: str, **repeats: int) -> float:
        first, second = rng.normal(size=(2, 12, 16))
        return resi.compare(first, second, measure="rsa_cosine", distance=distance, **repeats)

    assert np.mean([similarity("squared_euclidean") for _ in range(50)]) > 0.85
    assert abs(np.mean([similarity("cross_euclidean", repeats=2) for _ in range(50)])) < 0.1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"distance": "hamming"}, "distance 'hamming' does not exist; known: correlation"),
        ({"distance": "crossnobis"}, "distance=crossnobis needs repeats=2 or more, not 1"),
        ({"repeats": 2}, "repeats = 2 is for distance=cross_euclidean or crossnobis, not correlation"),
    ],
)
def test_parameters_that_do_not_fit_are_named(parameters: dict[str, object], message: str, pair: Pair) -> None:
    with pytest.raises(UsageError, match=message):
        resi.compare(*pair, measure="rsa_pearson", **parameters)


def test_what_has_no_distances(pair: Pair, rng: np.random.Generator) -> None:
    first, second = pair
    with pytest.raises(ShapeError, match="7 features are not 2 measurements"):
        resi.compare(second, second, measure="rsa_pearson", distance="crossnobis", repeats=2)
    with pytest.raises(ShapeError, match="at least 3 samples"):
        resi.compare(first[:2], second[:2], measure="rsa_pearson")
    with pytest.raises(DegenerateInputError, match="Poisson"):
        resi.compare(first, second, measure="rsa_pearson", distance="poisson")
    with pytest.raises(DegenerateInputError, match="are the same: there is no noise"):
        resi.compare(
            np.hstack([first] * 2), np.hstack([second] * 2), measure="rsa_cosine", distance="crossnobis", repeats=2
        )
    flat = first.copy()
    flat[3] = 2.5
    with pytest.raises(DegenerateInputError, match="all features of row 3 are the same"):
        resi.compare(flat, second, measure="rsa_pearson")
    corners = np.eye(6)
    for name in ("rsa_pearson", "rsa_spearman", "rsa_kendall"):
        with pytest.raises(DegenerateInputError, match="all distances between samples are the same"):
            resi.compare(corners, rng.normal(size=(6, 3)), measure=name, distance="euclidean")


def test_a_large_offset_takes_no_digits(pair: Pair) -> None:
    first, second = pair
    for name in ("rsa_cosine", "rsa_spearman", "rsa_whitened_correlation"):
        value = resi.compare(first + 1e4, second - 1e4, measure=name)
        assert value == pytest.approx(resi.compare(first, second, measure=name), rel=1e-8), name
