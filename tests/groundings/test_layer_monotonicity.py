"""The layer test: small networks by hand, and a slow and obvious formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from resi.groundings import GROUNDINGS
from resi.groundings.base import MeasureFacts, Member, Similarities
from resi.groundings.layer_monotonicity import layer_correlation, layer_violations

SIMILARITY = MeasureFacts("m", "{}", larger_is_more_similar=True, symmetric=True)


def score(matrices, measure=SIMILARITY, protocol: str = "corrected"):
    """Score one measure, given a matrix of layers for each model."""
    layers, models = len(matrices[0]), len(matrices)
    members = tuple(Member("six_layers", seed, str(layer)) for seed in range(models) for layer in range(layers))
    values = np.full((1, len(members), len(members)), np.nan)
    for number, matrix in enumerate(matrices):
        block = slice(number * layers, (number + 1) * layers)
        values[0, block, block] = matrix
    return GROUNDINGS["layer_monotonicity"]().score(Similarities(members, (measure,), values, {}), protocol, seed=0)


def by_model(scores) -> dict:
    return {(entry.metric, entry.seed): entry for entry in scores}


def fading(layers: int) -> np.ndarray:
    place = np.arange(layers)
    return -np.abs(place[:, None] - place).astype(float)


def slow_violations(matrix) -> float:
    size, counts = len(matrix), []
    for i in range(size):
        for direction in (1, -1):
            for j in range(i + direction, size if direction > 0 else -1, direction):
                for k in range(j + direction, size if direction > 0 else -1, direction):
                    counts.append((matrix[i][k] > matrix[i][j]) + (matrix[i][k] == matrix[i][j]) / 2)
    return float(np.mean(counts))


def slow_correlation(matrix) -> float:
    size, found = len(matrix), []
    for i in range(size):
        for targets in (range(i + 1, size), range(i)):
            values, distances = [-matrix[i][j] for j in targets], [abs(j - i) for j in targets]
            if len(values) > 1:
                found.append(0 if np.ptp(values) == 0 else stats.spearmanr(values, distances).statistic)
    return float(np.mean(found))


MATRICES = st.integers(3, 7).flatmap(lambda n: arrays(float, (n, n), elements=st.integers(0, 5).map(float)))


@given(MATRICES)
def test_scores_are_those_of_a_plain_loop(matrix) -> None:
    """Rows of an asymmetric matrix: forwards one reads above the diagonal, backwards below it."""
    assert layer_violations(matrix, "corrected") == pytest.approx(slow_violations(matrix))
    assert layer_correlation(matrix[None], "corrected")[0] == pytest.approx(slow_correlation(matrix))


def test_similarity_that_fades_with_distance_is_perfect() -> None:
    found = by_model(score([fading(5), fading(5)]))
    for seed in (0, 1, None):
        assert found["spearman", seed].value == pytest.approx(1)
        assert found["violation_rate", seed].value == 0
    assert (found["spearman", 0].pairs, found["spearman", 0].models) == (10, 1)
    assert (found["spearman", None].pairs, found["spearman", None].models) == (20, 2)
    distance = SIMILARITY._replace(larger_is_more_similar=False)
    found = by_model(score([-fading(5)], distance))
    assert found["spearman", 0].value == pytest.approx(1)
    found = by_model(score([fading(5)], distance))
    assert found["spearman", 0].value == pytest.approx(-1)
    assert found["violation_rate", 0].value == 1


def test_violations_by_hand() -> None:
    # Three layers: forwards 0-1-2, backwards 2-1-0. From 0, layer 2 is more similar than 1; from 2, 1 is.
    matrix = [[0, 1, 2], [1, 0, 3], [2, 3, 0]]
    assert by_model(score([matrix]))["violation_rate", 0].value == 0.5
    assert by_model(score([matrix]))["spearman", 0].value == pytest.approx(0)


def test_a_measure_that_cannot_tell_layers_apart_is_at_chance() -> None:
    found = by_model(score([np.ones((5, 5))]))
    assert found["violation_rate", 0].value == 0.5
    assert found["spearman", 0].value == 0
    published = by_model(score([np.ones((5, 5))], protocol="published"))
    assert published["violation_rate", 0].value == 0
    assert published["spearman", 0].value is None


def test_missing_values_are_no_conformity_unless_published() -> None:
    nothing = np.full((5, 5), np.nan)
    found = by_model(score([nothing]))
    assert found["violation_rate", 0].value is None
    assert found["violation_rate", 0].reason == "no layer can be compared with two others"
    assert (found["spearman", 0].pairs, found["spearman", 0].failed_pairs) == (0, 10)
    published = by_model(score([nothing], protocol="published"))
    assert published["violation_rate", 0].value == 0
    assert published["spearman", 0].value is None


def test_a_missing_pair_is_left_out_of_what_it_is_part_of() -> None:
    matrix = fading(4)
    matrix[0, 3] = matrix[3, 0] = np.nan
    matrix[0, 1] = matrix[1, 0] = -9  # now 0 is farther from 1 than from 2
    found = by_model(score([matrix]))
    # Triples with values: 0-1-2, 1-2-3 and back 3-2-1, 2-1-0; wrong is 0-1-2. 2-1-0 has -1 and -2.
    assert found["violation_rate", 0].value == pytest.approx(1 / 4)
    # Layers 0 (over 1, 2): -1; 1 (over 2, 3): 1; 3 (over 2, 1): 1; 2 (over 1, 0): 1.
    assert found["spearman", 0].value == pytest.approx(0.5)
    assert found["spearman", 0].failed_pairs == 1
    published = by_model(score([matrix], protocol="published"))
    # All eight triples count, those with a missing value as right; layers 0 and 3 drop out.
    assert published["violation_rate", 0].value == pytest.approx(1 / 8)
    assert published["spearman", 0].value == pytest.approx(1)


def test_an_asymmetric_measure_goes_forwards_and_backwards_by_its_directions_only_if_published() -> None:
    asymmetric = SIMILARITY._replace(symmetric=False)
    matrix = np.triu(fading(4)) + np.tril(-fading(4) - 4)
    published = by_model(score([matrix], asymmetric, "published"))
    assert published["spearman", 0].value == pytest.approx(0)
    assert published["violation_rate", 0].value == 0.5
    assert published["spearman", 0].pairs == 12
    # The mean of -d and d - 4 is the same for all.
    corrected = by_model(score([matrix], asymmetric))
    assert corrected["violation_rate", 0].value == 0.5
    assert corrected["spearman", 0].pairs == 6


def test_the_mean_over_models_comes_with_an_interval_over_models() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(6, 5, 5), scale=2)
    found = by_model(score([fading(5) + table + table.T for table in noise]))
    each = [found["spearman", seed].value for seed in range(6)]
    mean = found["spearman", None]
    assert mean.value == pytest.approx(np.mean(each))
    assert min(each) < mean.low < mean.value < mean.high < max(each)
    assert found["spearman", 0].low is None
    assert by_model(score([fading(5)] * 2))["spearman", None].low is None  # two models say nothing of their spread
