"""Correlation tests: signs, ties and missing pairs by hand, p-values and intervals against slow formulas."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from resi.choices import Protocol
from resi.groundings import GROUNDINGS
from resi.groundings.base import MeasureFacts, Member, Similarities
from resi.groundings.output_correlation import uncertainty

SIMILARITY = MeasureFacts("m", "{}", larger_is_more_similar=True, symmetric=True)
DISTANCE = SIMILARITY._replace(larger_is_more_similar=False)
ASYMMETRIC = SIMILARITY._replace(symmetric=False)
SCIPY = {
    "pearson": lambda x, y: stats.pearsonr(x, y).statistic,
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "kendall": lambda x, y: stats.kendalltau(x, y).statistic,
}


def score(values, predictions, measures=(SIMILARITY,), protocol: str = "corrected"):
    values, predictions = np.array(values, float), np.array(predictions, float)
    members = tuple(Member("standard", seed) for seed in range(len(predictions)))
    found = Similarities(members, tuple(measures), values.reshape(-1, *predictions.shape), {"jsd": predictions})
    return GROUNDINGS["output_correlation"]().score(found, Protocol(protocol), seed=0)


def by_metric(scores) -> dict:
    return {entry.metric: entry for entry in scores}


def symmetric(size: int, seed: int) -> np.ndarray:
    table = np.triu(np.random.default_rng(seed).normal(size=(size, size)), 1)
    return table + table.T


def upper(table) -> np.ndarray:
    return np.asarray(table)[np.triu_indices(len(table), 1)]


def test_agreement_is_positive_for_similarities_and_distances_alike() -> None:
    predictions = [[0, 1, 2], [1, 0, 3], [2, 3, 0]]
    distances = by_metric(score(predictions, predictions, [DISTANCE]))
    similarities = by_metric(score(5 - np.array(predictions), predictions))
    for metric in SCIPY:
        assert distances[metric].value == pytest.approx(1)
        assert similarities[metric].value == pytest.approx(1)
    assert by_metric(score(predictions, predictions))["spearman"].value == pytest.approx(-1)


def test_coefficients_by_hand() -> None:
    # Pairs 01, 02, 12: dissimilar 1, 3, 2; predictions 1, 2, 4.
    found = by_metric(score([[0, 1, 3], [1, 0, 2], [3, 2, 0]], [[0, 1, 2], [1, 0, 4], [2, 4, 0]], [DISTANCE]))
    assert found["spearman"].value == pytest.approx(0.5)
    assert found["kendall"].value == pytest.approx(1 / 3)
    # Means 2 and 7/3; products 4/3 - 1/3 + 0 = 1; squares 2 and 14/3.
    assert found["pearson"].value == pytest.approx(1 / np.sqrt(2 * 14 / 3))
    assert found["pearson"].functional == "jsd"
    assert (found["pearson"].pairs, found["pearson"].failed_pairs, found["pearson"].models) == (3, 0, 3)


@pytest.mark.parametrize("protocol", ["corrected", "published"])
def test_pairs_without_a_value_are_left_out_and_counted(protocol: str) -> None:
    values, predictions = symmetric(6, 1), symmetric(6, 2)
    values[0, 1] = values[1, 0] = np.nan
    predictions[4, 5] = predictions[5, 4] = np.nan
    x, y = upper(values), upper(predictions)
    kept = ~np.isnan(x) & ~np.isnan(y)
    for entry in score(values, predictions, [DISTANCE], protocol):
        assert entry.value == pytest.approx(SCIPY[entry.metric](x[kept], y[kept]), abs=1e-12)
        assert (entry.pairs, entry.failed_pairs) == (13, 2)


def test_scores_say_what_so_few_models_cannot_tell() -> None:
    for models, has_interval, note in (
        (4, False, "no interval: fewer than 5 models; with 4 models no p-value can be below 0.0417"),
        (5, True, ""),
    ):
        for entry in score(symmetric(models, 1), symmetric(models, 2)):
            assert (entry.low is not None) == has_interval
            assert entry.note == note
    predictions = symmetric(6, 4)
    predictions[0, 1] = predictions[1, 0] = np.nan
    assert by_metric(score(symmetric(6, 3), predictions))["spearman"].note == (
        "no p-value: some pairs of models have no jsd"
    )


def test_influences_are_the_jackknife_of_correlations() -> None:
    values, predictions = symmetric(6, 1), symmetric(6, 2)
    for entry in score(values, predictions, [DISTANCE]):
        without = []
        for model in range(6):
            kept = np.ix_(*[np.delete(np.arange(6), model)] * 2)
            without.append(SCIPY[entry.metric](upper(values[kept]), upper(predictions[kept])))
        expected = np.sqrt(5 / 6) * (np.mean(without) - without)
        assert entry.influences == pytest.approx(expected)


def test_measures_with_other_failures_do_not_disturb_each_other() -> None:
    predictions = symmetric(6, 0)
    values = np.stack([symmetric(6, seed) for seed in (1, 2, 3)])
    values[1, 0, 1] = values[1, 1, 0] = np.nan
    together = score(values, predictions, [DISTANCE] * 3)
    for number in range(3):
        alone = by_metric(score(values[number], predictions, [DISTANCE]))
        for entry in together:
            if entry.measure == number:
                ours, theirs = entry._replace(measure=0)._asdict(), alone[entry.metric]._asdict()
                numbers = ("value", "low", "high")
                assert [ours.pop(name) for name in numbers] == pytest.approx([theirs.pop(name) for name in numbers])
                assert ours.pop("influences") == pytest.approx(theirs.pop("influences"))
                assert ours == theirs


def test_nothing_to_correlate_is_undefined_and_has_no_p_value() -> None:
    predictions = symmetric(5, 0)
    for protocol in ("corrected", "published"):
        for entry in score(np.ones((5, 5)), predictions, protocol=protocol):
            assert (entry.value, entry.p_value, entry.low) == (None, None, None)
            assert entry.reason == "all pairs of models have the same similarity"
        for entry in score(predictions, np.zeros((5, 5)), protocol=protocol):
            assert (entry.value, entry.p_value) == (None, None)
            assert entry.reason == "all pairs of models have the same jsd"
        for entry in score(np.full((5, 5), np.nan), predictions, protocol=protocol):
            assert (entry.value, entry.pairs, entry.failed_pairs) == (None, 0, 10)
            assert entry.reason == "fewer than two pairs of models have values"


def test_an_asymmetric_measure_has_one_value_a_pair_unless_published() -> None:
    values = np.random.default_rng(0).normal(size=(5, 5))
    predictions = symmetric(5, 1)
    off = ~np.eye(5, dtype=bool)
    for entry in score(values, predictions, [ASYMMETRIC], "published"):
        assert entry.value == pytest.approx(SCIPY[entry.metric](-values[off], predictions[off]), abs=1e-12)
        assert entry.pairs == 20
    for entry in score(values, predictions, [ASYMMETRIC]):
        mean = upper((values + values.T) / 2)
        assert entry.value == pytest.approx(SCIPY[entry.metric](-mean, upper(predictions)), abs=1e-12)
        assert entry.pairs == 10
    values[0, 1] = np.nan
    assert by_metric(score(values, predictions, [ASYMMETRIC]))["pearson"].failed_pairs == 1


@pytest.mark.parametrize("holes", [0, 2])
def test_the_mantel_test_permutes_models_jointly(holes: int) -> None:
    """With five models there are 120 permutations, all of which are tried."""
    values, predictions = symmetric(5, 3), symmetric(5, 4)
    values += predictions
    for pair in range(holes):
        values[pair, 4] = values[4, pair] = np.nan
    known = ~np.isnan(upper(values))
    for entry in score(values, predictions, [DISTANCE]):
        orders = [list(order) for order in permutations(range(5))]
        null = [
            SCIPY[entry.metric](upper(values)[known], upper(predictions[np.ix_(order, order)])[known])
            for order in orders
        ]
        assert entry.p_value == pytest.approx(np.mean(np.array(null) >= entry.value - 1e-9))


def test_a_model_that_predicts_nothing_is_left_out_of_the_mantel_test() -> None:
    values, predictions = symmetric(6, 3), symmetric(6, 4)
    predictions[2] = predictions[:, 2] = np.nan
    rest = np.array([0, 1, 3, 4, 5])
    whole = by_metric(score(values, predictions))
    part = by_metric(score(values[np.ix_(rest, rest)], predictions[np.ix_(rest, rest)]))
    assert whole["spearman"].p_value == part["spearman"].p_value
    assert whole["spearman"].failed_pairs == 5
    # A single hole would move about.
    predictions = symmetric(6, 4)
    predictions[0, 1] = predictions[1, 0] = np.nan
    assert by_metric(score(values, predictions))["spearman"].p_value is None


def test_published_p_values_permute_pairs_and_are_two_sided() -> None:
    """With four models there are 720 permutations of six pairs, all of which are tried, as scipy does."""
    values, predictions = symmetric(4, 5), symmetric(4, 6)
    for entry in score(values, predictions, [DISTANCE], "published"):
        coefficient = SCIPY[entry.metric]
        expected = stats.permutation_test(
            (upper(values),), lambda x, f=coefficient: f(x, upper(predictions)), permutation_type="pairings"
        )
        assert entry.p_value == pytest.approx(expected.pvalue, abs=1e-12)
        assert entry.low is None


def test_p_values_hold_their_level_where_those_of_pairs_do_not() -> None:
    """Distances among random points, unrelated to predictions: pairs that share a model go together by themselves."""
    rng = np.random.default_rng(0)

    def distances(count: int) -> np.ndarray:
        points = rng.normal(size=(count, 10, 2)) * rng.lognormal(sigma=0.7, size=(count, 10, 1))
        return np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)

    rejected = {"corrected": [], "published": []}
    for predictions in distances(8):
        values = distances(60)
        for protocol, share in rejected.items():
            scores = score(values, predictions, [DISTANCE] * 60, protocol)
            # Twice as much on the one side is as much on either.
            share += [entry.p_value <= 0.05 for entry in scores if entry.metric == "pearson"]
    assert 0.02 < np.mean(rejected["corrected"]) < 0.08
    assert np.mean(rejected["published"]) > 0.1


def test_intervals_are_those_of_fishers_scale_and_the_jackknife() -> None:
    values, predictions = symmetric(7, 7), symmetric(7, 8)
    values += predictions
    for entry in score(values, predictions, [DISTANCE]):
        without = []
        for model in range(7):
            kept = np.ix_(*[np.delete(np.arange(7), model)] * 2)
            without.append(SCIPY[entry.metric](upper(values[kept]), upper(predictions[kept])))
        error = np.sqrt(6 / 7 * ((np.array(without) - np.mean(without)) ** 2).sum())
        step = stats.norm.ppf(0.975) * error
        ends = np.tanh(np.arctanh(entry.value) + np.array([-1, 1]) * step / (1 - entry.value**2))
        # At most three times as far as on the scale of correlations, see the pages on intervals.
        assert entry.low == pytest.approx(max(ends[0], entry.value - 3 * step))
        assert entry.high == pytest.approx(min(ends[1], entry.value + 3 * step))


def test_a_perfect_correlation_has_the_limit_of_one_with_a_few_pairs_out_of_order() -> None:
    """Ten pairs of five models: one swap of neighbours costs Kendall 2/45 and Spearman 12/990; here are five."""
    place = np.array([0, 1, 3.1, 7.4, 15.9])
    distances = np.abs(place[:, None] - place)
    found = by_metric(score(distances, distances, [DISTANCE]))
    assert (found["kendall"].low, found["kendall"].high) == pytest.approx((1 - 5 * 4 / 90, 1))
    assert (found["spearman"].low, found["spearman"].high) == pytest.approx((1 - 5 * 12 / 990, 1))


def test_intervals_hold_the_expected_correlation() -> None:
    """Ten models of which predictions show the representations with noise; docs/coverage.md has all designs."""
    random = np.random.default_rng(0)
    inner = random.normal(size=(400, 10, 3))
    outer = inner + random.normal(size=inner.shape)
    inside, outside = (np.linalg.norm(x[:, :, None] - x[:, None], axis=-1) for x in (inner, outer))
    expected = np.mean([SCIPY["pearson"](upper(a), upper(b)) for a, b in zip(inside, outside, strict=True)])
    pairs = np.stack(np.triu_indices(10, 1))
    limits = [
        uncertainty(upper(a)[None], upper(b), pairs, 10, "pearson")[1] for a, b in zip(inside, outside, strict=True)
    ]
    held = [low[0] <= expected <= high[0] for low, high in limits]
    assert 0.92 <= np.mean(held) <= 0.98
