"""Cross-validated predictions against scikit-learn's regressions on the same splits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from resi_more_measures.encoding import EncodedRSA, PairwiseMatchPredictivity
from resi_more_measures.predictivity import (
    MEASURES,
    FixedRidgePredictivity,
    FixedRidgePredictivityR2,
    LinearPredictivity,
    LinearPredictivityR2,
    PLSPredictivity,
    PLSPredictivityR2,
    RidgePredictivity,
    RidgePredictivityR2,
)
from resi_more_measures.regressions import PENALTIES
from resi_more_measures.splits import Scheme
from scipy.spatial.distance import pdist
from scipy.stats import kendalltau, pearsonr
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.metrics import r2_score

import resi
from resi.errors import DegenerateInputError, ShapeError

Pair = tuple[np.ndarray, np.ndarray]


class RidgeByLeavingOneOut:
    """Ridge regression with the penalty chosen by scikit-learn, in units of the mean squared singular value."""

    def fit(self, inputs: np.ndarray, targets: np.ndarray) -> Any:
        values = np.linalg.svd(inputs - inputs.mean(0), compute_uv=False)
        values = values[values > 1e-9 * values[0]]
        return RidgeCV(np.array(PENALTIES) * np.mean(values**2)).fit(inputs, targets)


class PLS:
    """Partial least squares without scaling, iterated to the end."""

    def __init__(self, components: int) -> None:
        self.components = components

    def fit(self, inputs: np.ndarray, targets: np.ndarray) -> Any:
        return PLSRegression(self.components, scale=False, tol=1e-14, max_iter=100_000).fit(inputs, targets)


def predictions(
    pair: Pair, model: Any, folds: int = 5, scheme: str = "folds", seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return predictions of the first representation from the second, its values, and its training means."""
    first, second = pair
    found = []
    for train, test in Scheme(folds, scheme, seed).splits("test", len(first)):
        fitted = model.fit(second[train], first[train])
        found.append((fitted.predict(second[test]), first[test], first[train].mean(0)))
    return found


def correlation_of(found: list[tuple[np.ndarray, ...]], combine: Any = np.mean, power: int = 1) -> float:
    scores = [[pearsonr(a, b).statistic ** power for a, b in zip(p.T, y.T, strict=True)] for p, y, _ in found]
    return float(combine(np.mean(scores, axis=0)))


def variance_of(found: list[tuple[np.ndarray, ...]]) -> float:
    wrong = sum(np.sum((y - p) ** 2) for p, y, _ in found)
    return float(1 - wrong / sum(np.sum((y - mean) ** 2) for _, y, mean in found))


@pytest.mark.parametrize(
    ("by_correlation", "by_variance", "model"),
    [
        (LinearPredictivity(), LinearPredictivityR2(), LinearRegression()),
        (RidgePredictivity(), RidgePredictivityR2(), RidgeByLeavingOneOut()),
        (FixedRidgePredictivity(), FixedRidgePredictivityR2(), Ridge(1.0)),
        (FixedRidgePredictivity(penalty=50.0), FixedRidgePredictivityR2(penalty=50.0), Ridge(50.0)),
        (PLSPredictivity(components=3), PLSPredictivityR2(components=3), PLS(3)),
        (PLSPredictivity(), PLSPredictivityR2(), PLS(7)),
    ],
    ids=["linear", "ridge", "ridge 1", "ridge 50", "pls 3", "pls all"],
)
def test_regressions_are_those_of_scikit_learn(
    pair: Pair, by_correlation: resi.Measure, by_variance: resi.Measure, model: Any
) -> None:
    found = predictions(pair, model)
    assert by_correlation(*pair) == pytest.approx(correlation_of(found), rel=1e-7)
    assert by_variance(*pair) == pytest.approx(variance_of(found), rel=1e-7)


@pytest.mark.parametrize(
    ("measure", "model"),
    [
        (LinearPredictivity(), LinearRegression()),
        (RidgePredictivity(), RidgeByLeavingOneOut()),
        (FixedRidgePredictivity(), Ridge(1.0)),
        (PLSPredictivity(components=4), PLS(4)),
    ],
)
def test_more_features_than_samples(wide_pair: Pair, measure: resi.Measure, model: Any) -> None:
    assert measure(*wide_pair) == pytest.approx(correlation_of(predictions(wide_pair, model)), rel=1e-6)


@pytest.mark.parametrize("measure", [LinearPredictivity, LinearPredictivityR2])
def test_linear_maps_that_are_not_determined_are_noted(measure: type[resi.Measure], rng: np.random.Generator) -> None:
    representations = {"narrow": rng.normal(size=(20, 3)), "wide": rng.normal(size=(20, 15))}
    table = resi.pairwise(representations, measures=[measure()])
    notes = dict(zip(table["target"], table["note"], strict=True))
    assert "S has 15 directions in 16 training samples" in notes["wide"]
    assert not notes["narrow"]


def test_a_part_of_the_scores(pair: Pair) -> None:
    found = predictions(pair, LinearRegression())
    assert LinearPredictivity(units="median")(*pair) == pytest.approx(correlation_of(found, np.median), rel=1e-7)
    assert LinearPredictivity(squared=True)(*pair) == pytest.approx(correlation_of(found, power=2), rel=1e-7)


@pytest.mark.parametrize("scheme", ["folds", "shuffled"])
def test_splits_follow_from_seed_and_scheme(pair: Pair, scheme: str) -> None:
    found = predictions(pair, LinearRegression(), 10, scheme, 3)
    measure = LinearPredictivityR2(folds=10, scheme=scheme, seed=3)
    assert measure(*pair) == pytest.approx(variance_of(found), rel=1e-7)
    assert measure(*pair) != LinearPredictivityR2(folds=10, scheme=scheme, seed=4)(*pair)


@pytest.mark.parametrize("n_samples", [40, 43])
def test_folds_are_a_partition(n_samples: int) -> None:
    splits = Scheme(5, "folds", 0).splits("test", n_samples)
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(n_samples))
    assert {len(split.test) for split in splits} == {n_samples // 5, -(-n_samples // 5)}
    for train, test in splits:
        assert sorted([*train.tolist(), *test.tolist()]) == list(range(n_samples))


def test_shuffled_splits_are_draws_of_their_own() -> None:
    splits = Scheme(10, "shuffled", 0).splits("test", 40)
    assert [len(split.test) for split in splits] == [4] * 10
    assert len({tuple(split.test.tolist()) for split in splits}) == 10
    assert len(np.unique(np.concatenate([split.test for split in splits]))) < 40


def test_explained_variance_agrees_with_scikit_learn_where_folds_do(pair: Pair) -> None:
    """Within one fold, means of the held-out samples instead of the training samples are what differs."""
    for predicted, values, mean in predictions(pair, LinearRegression()):
        own = variance_of([(predicted, values, values.mean(0))])
        assert own == pytest.approx(r2_score(values, predicted, multioutput="variance_weighted"), rel=1e-9)
        assert variance_of([(predicted, values, mean)]) > own


def test_a_linear_image_is_predicted_perfectly(pair: Pair, rng: np.random.Generator) -> None:
    first, _ = pair
    image = first @ rng.normal(size=(12, 4)) + 3
    assert LinearPredictivityR2()(image, first) == pytest.approx(1, abs=1e-9)
    assert LinearPredictivity()(image, first) == pytest.approx(1, abs=1e-9)
    assert LinearPredictivityR2()(first, image) < 0.9


def test_unrelated_representations_are_not_predicted(rng: np.random.Generator) -> None:
    first, second = rng.normal(size=(400, 5)), rng.normal(size=(400, 20))
    assert LinearPredictivityR2()(first, second) < 0
    assert abs(RidgePredictivityR2()(first, second)) < 0.02
    assert abs(LinearPredictivity()(first, second)) < 0.1


@pytest.mark.parametrize("measure", [*MEASURES, PairwiseMatchPredictivity])
def test_neurons_that_are_constant_have_no_score(measure: type[resi.Measure], pair: Pair) -> None:
    first, second = pair
    dead = np.hstack([first, np.full((40, 3), 0.1)])
    assert measure()(dead, second) == pytest.approx(measure()(first, second), rel=1e-9)
    assert measure()(second, dead) == pytest.approx(measure()(second, first), rel=1e-9)
    with pytest.raises(DegenerateInputError, match=r"no neuron of R varies|R does not vary|constant"):
        measure()(np.full((40, 3), 0.1), second)
    with pytest.raises(DegenerateInputError, match=r"constant|no neuron of S varies"):
        measure()(first, np.full((40, 3), 0.1))


def test_a_neuron_is_scored_in_the_folds_where_it_varies(pair: Pair) -> None:
    """The first neuron varies in one fold alone, where the constant that is learned for it predicts nothing."""
    first, second = pair
    rare = first.copy()
    fold = Scheme(5, "folds", 0).splits("test", 40)[0].test
    rare[np.setdiff1d(np.arange(40), fold), 0] = 0
    others = LinearPredictivity()(first[:, 1:], second)
    assert LinearPredictivity()(rare, second) == pytest.approx(11 / 12 * others, rel=1e-9)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [({"folds": 1}, "folds 1"), ({"scheme": "random"}, "scheme 'random'"), ({"units": "max"}, "units 'max'")],
)
def test_parameters_that_make_no_sense_are_errors(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"linear_predictivity: {words}"):
        LinearPredictivity(**parameters)
    with pytest.raises(ValueError, match="fixed_ridge_predictivity: penalty"):
        FixedRidgePredictivity(penalty=0)
    with pytest.raises(ValueError, match="pls_predictivity: components"):
        PLSPredictivity(components=0)


def test_too_few_samples_for_the_folds() -> None:
    with pytest.raises(ShapeError, match="linear_predictivity: 9 samples cannot be split into 5 folds"):
        LinearPredictivity()(np.arange(18.0).reshape(9, 2) ** 2, np.arange(9.0)[:, None])


def test_partners_are_chosen_in_training_and_scored_outside(pair: Pair) -> None:
    first, second = pair
    scores = []
    for train, test in Scheme(5, "folds", 0).splits("test", 40):
        for neuron in first.T:
            partner = max(second.T, key=lambda other: pearsonr(neuron[train], other[train]).statistic)
            scores.append(pearsonr(neuron[test], partner[test]).statistic)
    assert PairwiseMatchPredictivity()(*pair) == pytest.approx(np.mean(scores), rel=1e-9)


def test_dissimilarities_of_predictions(pair: Pair) -> None:
    found = predictions(pair, RidgeByLeavingOneOut())
    expected = np.mean([kendalltau(pdist(p, "correlation"), pdist(y, "correlation")).statistic for p, y, _ in found])
    assert EncodedRSA()(*pair) == pytest.approx(expected, rel=1e-9)


def test_one_neuron_has_no_dissimilarities(pair: Pair) -> None:
    with pytest.raises(DegenerateInputError, match="R needs two neurons"):
        EncodedRSA()(pair[0][:, :1], pair[1])


@pytest.mark.parametrize("measure", [*MEASURES, EncodedRSA, PairwiseMatchPredictivity])
def test_maps_are_one_row_for_each_sample(measure: type[resi.Measure], rng: np.random.Generator) -> None:
    first, second = rng.normal(size=(30, 2, 2, 3)), rng.normal(size=(30, 3, 2, 2))
    flat = measure()(first.reshape(30, -1), second.reshape(30, -1))
    assert measure()(first, second, "nchw") == pytest.approx(flat, rel=1e-12)
