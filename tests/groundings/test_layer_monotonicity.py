"""The layer test: small networks by hand, and a slow and obvious formula."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from resi.choices import Protocol
from resi.groundings import GROUNDINGS, layer_orders
from resi.groundings.base import LEVEL, MeasureFacts, Member, Similarities
from resi.groundings.layer_monotonicity import layer_correlation, layer_violations, limits_of_mean

SIMILARITY = MeasureFacts("m", "{}", larger_is_more_similar=True, symmetric=True)


def score(matrices, measure=SIMILARITY, protocol: str = "corrected"):
    """Score one measure, given a matrix of layers for each model."""
    layers, models = len(matrices[0]), len(matrices)
    members = tuple(Member("six_layers", seed, str(layer)) for seed in range(models) for layer in range(layers))
    values = np.full((1, len(members), len(members)), np.nan)
    for number, matrix in enumerate(matrices):
        block = slice(number * layers, (number + 1) * layers)
        values[0, block, block] = matrix
    return GROUNDINGS["layer_monotonicity"]().score(
        Similarities(members, (measure,), values, {}), Protocol(protocol), seed=0
    )


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


few = settings(max_examples=60, deadline=None)
MATRICES = st.integers(3, 7).flatmap(lambda n: arrays(float, (n, n), elements=st.integers(0, 5).map(float)))


@few
@given(MATRICES)
def test_scores_are_those_of_a_plain_loop(matrix) -> None:
    """Rows of an asymmetric matrix: forwards one reads above the diagonal, backwards below it."""
    assert layer_violations(matrix, Protocol.corrected) == pytest.approx(slow_violations(matrix))
    assert layer_correlation(matrix[None], Protocol.corrected)[0] == pytest.approx(slow_correlation(matrix))


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


def noisy(rng, models: int, layers: int, noise: float) -> list[np.ndarray]:
    tables = np.triu(rng.normal(size=(models, layers, layers), scale=noise), 1)
    return [fading(layers) + table + table.T for table in tables]


def test_p_values_are_shares_of_all_orders_of_each_models_layers() -> None:
    """Three models of three layers: 216 combinations of orders, as good ones twice each by reversing them."""
    matrices = noisy(np.random.default_rng(3), 3, 3, noise=1.0)
    found = by_model(score(matrices))
    each = []
    for seed, matrix in enumerate(matrices):
        orders = [list(order) for order in permutations(range(3))]
        scores = [(slow_correlation(matrix[np.ix_(o, o)]), slow_violations(matrix[np.ix_(o, o)])) for o in orders]
        each.append(scores)
        correlations, violations = np.array(scores).T
        assert found["spearman", seed].p_value == pytest.approx(np.mean(correlations >= correlations[0] - 1e-9))
        assert found["violation_rate", seed].p_value == pytest.approx(np.mean(violations <= violations[0] + 1e-9))
    means = np.array([np.mean(chosen, axis=0) for chosen in product(*each)])
    assert found["spearman", None].p_value == pytest.approx(np.mean(means[:, 0] >= means[0, 0] - 1e-9))
    assert found["violation_rate", None].p_value == pytest.approx(np.mean(means[:, 1] <= means[0, 1] + 1e-9))


def test_orders_are_scored_as_single_ones_are() -> None:
    rng = np.random.default_rng(0)
    for layers, decimals in ((3, 0), (6, 1), (9, 8)):
        matrices = rng.normal(size=(4, layers, layers)).round(decimals)
        orders = np.array([rng.permutation(layers) for _ in range(10)])
        correlation, violations = layer_orders.score_orders(layer_orders._ranks(matrices), orders)
        for place, order in enumerate(orders):
            placed = matrices[:, order][:, :, order]
            assert correlation[:, place] == pytest.approx(layer_correlation(placed, Protocol.corrected))
            assert violations[:, place] == pytest.approx(layer_violations(placed, Protocol.corrected))


def test_random_orders_are_each_models_own_and_count_the_observed_one() -> None:
    found = by_model(score([fading(9)] * 5))
    assert found["spearman", 0].p_value == pytest.approx(1 / 1000)
    assert found["spearman", None].p_value == pytest.approx(1 / 10_000)
    assert not np.array_equal(layer_orders._orders(9, 0, 0)[0], layer_orders._orders(9, 0, 1)[0])


def test_models_of_other_depths_make_no_difference_to_the_p_value_of_one() -> None:
    """All orders of five layers are tried, though those of nine are drawn."""
    noise = noisy(np.random.default_rng(0), 1, 5, noise=2.0)[0]
    for few in (fading(5), noise):
        alone, beside = by_model(score([few])), layer_orders.nulls([few[None], fading(9)[None]], seed=0)
        assert beside.exact == [True, False]
        values = np.array([[alone["spearman", 0].value, 1.0]])
        p_values = layer_orders.p_values(values, beside.spearman, beside.exact)
        assert p_values[0].tolist() == [alone["spearman", 0].p_value, 1e-3]
    assert alone["spearman", 0].smallest_p == 2 / 120


def test_the_mean_over_one_model_has_its_p_value() -> None:
    """No combination of one order with itself is drawn again, which would give less than the smallest possible."""
    for seed in range(3):
        found = by_model(score([noisy(np.random.default_rng(seed), 1, 9, noise=3.0)[0]]))
        for metric in ("spearman", "violation_rate"):
            assert found[metric, None].p_value == found[metric, 0].p_value >= found[metric, None].smallest_p == 1e-3


def test_a_missing_pair_leaves_no_p_value_and_published_scores_have_none() -> None:
    matrix = fading(4)
    matrix[0, 3] = matrix[3, 0] = np.nan
    found = by_model(score([matrix, fading(4), fading(4)]))
    assert [found["spearman", seed].p_value for seed in (0, None)] == [None, None]
    assert found["spearman", None].note == "no p-value: some pairs of layers have no value"
    assert found["spearman", 1].p_value == pytest.approx(2 / 24)
    assert by_model(score([fading(4)] * 3, protocol="published"))["spearman", None].p_value is None


def test_scores_say_where_so_few_layers_cannot_tell() -> None:
    found = by_model(score([fading(3)] * 5))
    assert found["spearman", 0].note == "with so few layers no p-value can be below 0.3333"
    assert found["spearman", 0].p_value == pytest.approx(1 / 3)
    assert found["spearman", None].note == ""
    assert found["spearman", None].p_value == pytest.approx(3**-5)
    two = by_model(score([fading(4)] * 2))["spearman", None]
    assert two.note == "no interval: fewer than 3 models have a score"


def test_models_that_all_score_best_leave_an_interval_of_some_width() -> None:
    """As wide as if one of them had two neighbouring layers in the wrong order."""
    for layers, expected in ((3, 0.167), (5, 0.745), (8, 0.866)):
        found = by_model(score([fading(layers)] * 5))
        assert found["spearman", None].low == pytest.approx(expected, abs=0.001)
        assert found["spearman", None].high == 1
        assert found["violation_rate", None].low == 0
        assert 0 < found["violation_rate", None].high < 0.5


def test_intervals_hold_the_expected_score_and_few_scores_of_chance_are_called_better() -> None:
    """Simulated studies; ``nox -s coverage`` has more of them, and of more designs."""
    rng = np.random.default_rng(0)
    for layers, noise in ((3, 0.5), (5, 1000.0), (5, 0.5), (8, 0.7)):
        matrices = np.array([noisy(rng, 5, layers, noise) for _ in range(800)])
        for metric, of in (("spearman", layer_correlation), ("violation_rate", layer_violations)):
            values = of(matrices.reshape(-1, layers, layers), Protocol.corrected).reshape(-1, 5)
            low, high = limits_of_mean(values[:300], layers, metric)
            assert np.mean((low <= values.mean()) & (values.mean() <= high)) >= 0.91
    chance = [by_model(score(noisy(rng, 5, 5, 1000.0)))["spearman", None].p_value for _ in range(40)]
    assert np.mean(np.array(chance) <= LEVEL) <= 0.1
    assert 0.3 < np.mean(chance) < 0.7


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_fewer_than_three_layers_have_no_score_and_say_why(layers: int) -> None:
    for entry in score([fading(layers)] * 3):
        if layers == 3:
            assert entry.value == pytest.approx({"spearman": 1.0, "violation_rate": 0.0}[entry.metric])
            assert entry.p_value == pytest.approx(1 / 3 if entry.seed is not None else 1 / 27)
        else:
            assert (entry.value, entry.p_value, entry.low) == (None, None, None)
            assert entry.reason == "no layer can be compared with two others"
