"""Canonical correlations against principal angles, explicit projections and inverse roots of covariances."""

from __future__ import annotations

import numpy as np
import pytest
from resi_more_measures.cca import MEASURES, MeanCCA, PLSSimilarity, RegularizedCCA, SquaredCCA, TruncatedCCA, YanaiGCD
from scipy.linalg import fractional_matrix_power, subspace_angles
from sklearn.decomposition import PCA

import resi
from resi.errors import DegenerateInputError

Pair = tuple[np.ndarray, np.ndarray]


def centred(matrix: np.ndarray) -> np.ndarray:
    return matrix - matrix.mean(0)


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.cos(subspace_angles(centred(first), centred(second)))


def test_mean_and_mean_square_of_the_cosines_of_principal_angles(pair: Pair) -> None:
    correlations = angles(*pair)
    assert len(correlations) == 7
    assert MeanCCA()(*pair) == pytest.approx(correlations.mean(), rel=1e-9)
    assert SquaredCCA()(*pair) == pytest.approx(np.mean(correlations**2), rel=1e-9)


def test_yanai_is_the_cosine_of_the_projections(pair: Pair) -> None:
    first, second = (matrix @ np.linalg.pinv(matrix) for matrix in map(centred, pair))
    expected = np.trace(first @ second) / np.sqrt(np.trace(first) * np.trace(second))
    assert YanaiGCD()(*pair) == pytest.approx(expected, rel=1e-9)


def test_yanai_is_one_only_for_the_same_space(pair: Pair, rng: np.random.Generator) -> None:
    first, _ = pair
    image = first @ rng.normal(size=(12, 5))
    assert MeanCCA()(first, image) == pytest.approx(1, abs=1e-9)
    assert YanaiGCD()(first, image) == pytest.approx(np.sqrt(5 / 12), rel=1e-9)


def ridge_roots(matrix: np.ndarray, regularization: float) -> np.ndarray:
    covariance = np.cov(matrix.T)
    ridge = regularization * np.trace(covariance) / len(covariance)
    return np.real(fractional_matrix_power(covariance + ridge * np.eye(len(covariance)), -0.5))


@pytest.mark.parametrize("regularization", [0.0, 0.1, 3.0])
def test_ridge_is_added_to_the_covariances(pair: Pair, regularization: float) -> None:
    first, second = pair
    cross = centred(first).T @ centred(second) / (len(first) - 1)
    whitened = ridge_roots(first, regularization) @ cross @ ridge_roots(second, regularization)
    expected = np.linalg.svd(whitened, compute_uv=False).mean()
    assert RegularizedCCA(regularization=regularization)(*pair) == pytest.approx(expected, rel=1e-9)


def test_components_of_a_share_of_the_variance(pair: Pair) -> None:
    parts = [PCA(0.95, svd_solver="full").fit_transform(matrix) for matrix in pair]
    assert parts[0].shape[1] < 12
    assert TruncatedCCA(share=0.95)(*pair) == pytest.approx(angles(*parts).mean(), rel=1e-9)
    assert TruncatedCCA(share=0.99)(*pair) == pytest.approx(resi.compare(*pair, measure="svcca"), rel=1e-9)


def test_a_number_of_components(pair: Pair) -> None:
    parts = [PCA(3).fit_transform(matrix) for matrix in pair]
    assert TruncatedCCA(components=3)(*pair) == pytest.approx(angles(*parts).mean(), rel=1e-9)
    assert TruncatedCCA(components=100)(*pair) == pytest.approx(MeanCCA()(*pair), rel=1e-9)


def test_pls_is_the_mean_singular_value_of_the_cross_covariance(pair: Pair) -> None:
    first, second = pair
    cross = np.cov(first.T, second.T)[:12, 12:]
    expected = np.linalg.svd(cross, compute_uv=False).mean()
    assert PLSSimilarity()(*pair) == pytest.approx(expected, rel=1e-9)
    assert PLSSimilarity()(1e160 * first, second) == pytest.approx(1e160 * expected, rel=1e-9)


def test_pls_of_more_features_than_samples(wide_pair: Pair) -> None:
    first, second = wide_pair
    expected = np.linalg.svd(np.cov(first.T, second.T)[:30, 30:], compute_uv=False).mean()
    assert PLSSimilarity()(*wide_pair) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("measure", [MeanCCA, SquaredCCA])
def test_filled_spaces_correlate_perfectly_and_a_note_says_so(
    measure: type[resi.Measure], wide_pair: Pair, rng: np.random.Generator
) -> None:
    other = rng.normal(size=(15, 3))
    assert measure()(wide_pair[0], other) == 1
    table = resi.pairwise({"wide": wide_pair[0], "other": other}, measures=[measure()])
    assert "unrelated data score about 1" in table["note"][0]


@pytest.mark.parametrize("widths", [(60, 20), (20, 60)])
@pytest.mark.parametrize("measure", [m for m in MEASURES if m is not PLSSimilarity])
def test_notes_say_what_unrelated_representations_score(
    measure: type[resi.Measure], widths: tuple[int, int], rng: np.random.Generator
) -> None:
    representations = {str(width): rng.normal(size=(100, width)) for width in widths}
    table = resi.pairwise(representations, measures=[measure()])
    value, note = table["value"][0], table["note"][0]
    if measure is YanaiGCD:
        assert value < 0.5
        assert not note
    else:
        assert float(note.split("about ")[1].split(" ")[0]) == pytest.approx(value, abs=0.05)


@pytest.mark.parametrize("parameters", [{"share": 0.0}, {"share": 1.1}, {"components": -1}])
def test_parameters_that_make_no_sense_are_errors(parameters: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="truncated_cca"):
        TruncatedCCA(**parameters)
    with pytest.raises(ValueError, match="regularized_cca"):
        RegularizedCCA(regularization=-1)


@pytest.mark.parametrize("measure", MEASURES)
def test_constant_representations_have_no_value(measure: type[resi.Measure], pair: Pair) -> None:
    with pytest.raises(DegenerateInputError, match="constant"):
        measure()(pair[0], np.ones((40, 4)))
