"""Intervals and p-values of group tests against slow and obvious formulas."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np
import pytest

from resi.groundings import group_resampling, output_correlation
from resi.groundings.group_resampling import p_values, smallest_p_value, uncertainty
from resi.groundings.resampling import distinct_deals, relabellings, share_as_large
from resi.groundings.separation import Split, average_precision, pair_index, violation_rate


def symmetric(count: int, size: int, seed: int, decimals: int = 1) -> np.ndarray:
    """Return matrices with ties."""
    table = np.triu(np.random.default_rng(seed).normal(size=(count, size, size)).round(decimals), 1)
    return table + table.transpose(0, 2, 1)


def scores(signed, groups) -> dict[str, np.ndarray]:
    splits = [pair_index(np.array(groups) == group).split(signed) for group in sorted(set(groups))]
    return {
        "auprc": np.mean([average_precision(split) for split in splits], axis=0),
        "violation_rate": np.mean([violation_rate(split, 0.5) for split in splits], axis=0),
    }


def test_more_pairs_than_a_small_integer_counts_are_counted() -> None:
    similar = np.arange(2**15 + 10, dtype=np.int32)[:, None] + 1  # all across are more similar than both within
    ranks = np.concatenate([np.zeros_like(similar[:2]), similar])
    (auprc,), (violations,) = group_resampling._score_ranks(
        ranks, np.array([[0], [1]]), np.arange(2, len(ranks))[:, None]
    )
    assert auprc == 2 / (2 + len(similar))
    assert violations == 1.0


def test_p_values_are_shares_of_all_deals_of_models_to_groups() -> None:
    signed = symmetric(3, 6, seed=0)
    signed[0, :2, :2] += 2  # a group that is one
    signed[2, 0, 3] = signed[2, 3, 0] = np.nan
    groups = np.array(list("aabbbb"))
    observed = scores(signed, groups)
    null = [scores(signed, groups[list(order)]) for order in permutations(range(6))]
    found = p_values(signed, groups, observed, seed=0)
    auprc, violations = (np.array([deal[metric] for deal in null]) for metric in ("auprc", "violation_rate"))
    # Of the last measure, a deal that puts 0 and 3 together leaves nothing to score.
    defined = (~np.isnan(auprc)).sum(axis=0)
    assert defined.tolist() == [720, 720, 672]
    assert found["auprc"] == pytest.approx((auprc >= observed["auprc"] - 1e-9).sum(axis=0) / defined)
    reached = (violations <= observed["violation_rate"] + 1e-9).sum(axis=0)
    assert found["violation_rate"] == pytest.approx(reached / defined)


@pytest.mark.parametrize("sizes", [(4, 4), (5, 5), (3, 3, 3), (2, 6), (2, 2, 4), (3, 2, 2, 2)])
def test_where_few_deals_differ_p_values_are_shares_of_all_of_them(sizes: tuple[int, ...]) -> None:
    """Even where the orders of the models are too many to be tried: the p-value does not depend on draws."""
    count = sum(sizes)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    signed = symmetric(3, count, seed=count, decimals=6)
    signed[0] += 9 * (groups[:, None] == groups)  # perfect
    signed[1] += groups[:, None] == groups
    signed[2, 0, -1] = signed[2, -1, 0] = np.nan  # a deal that puts both in a group of two cannot be scored
    shuffled = np.random.default_rng(0).permutation(count)  # the order of models makes no difference
    groups, signed = groups[shuffled], signed[:, shuffled][:, :, shuffled]
    observed = scores(signed, groups)
    found = p_values(signed, groups, observed, seed=0)
    deals = {}
    for one in every_labelling(sizes):
        deals.setdefault(frozenset(frozenset(np.flatnonzero(one == group).tolist()) for group in set(one)), one)
    assert len(deals) == distinct_deals(sizes) == round(1 / smallest_p_value(groups))
    null = [scores(signed, one) for one in deals.values()]
    for metric, sign in (("auprc", 1), ("violation_rate", -1)):
        others = sign * np.array([deal[metric] for deal in null])
        reached = (others >= sign * observed[metric] - 1e-9).sum(axis=0)
        assert found[metric] == pytest.approx(reached / (~np.isnan(others)).sum(axis=0), rel=1e-12)
        assert found[metric][0] == smallest_p_value(groups)
        assert (found[metric] == p_values(signed, groups, observed, seed=1)[metric]).all()


def every_labelling(sizes: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield all ways to give labels to models so that so many have each label."""
    for labels in product(range(len(sizes)), repeat=sum(sizes)):
        if all(labels.count(label) == size for label, size in enumerate(sizes)):
            yield np.array(labels)


def test_p_values_of_more_deals_than_are_drawn_are_those_of_earlier_versions() -> None:
    groups = np.repeat(["a", "b", "c"], 5)
    signed = symmetric(3, 15, seed=5)
    signed[1] += 0.7 * (groups[:, None] == groups)
    found = p_values(signed, groups, scores(signed, groups), seed=0)
    assert (found["auprc"] * 10000).round(9).tolist() == [9743, 1, 1768]
    assert (found["violation_rate"] * 10000).round(9).tolist() == [9377, 1, 1020]


def test_many_models_are_dealt_at_random_and_the_number_of_bits_makes_no_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed = symmetric(2, 10, seed=1)
    groups = np.array(list("aaaabbbccc"))
    signed[0] += groups[:, None] == groups
    observed = scores(signed, groups)
    monkeypatch.setattr(group_resampling, "PERMUTATIONS", 2099)
    found = p_values(signed, groups, observed, seed=0)
    # 10!/(4! 3! 3! 2!) = 2100 deals of ten models.
    assert found["auprc"][0] == pytest.approx(1 / 2100, abs=0.001)
    monkeypatch.setattr(group_resampling, "MOST_BITS", 5)
    monkeypatch.setattr(group_resampling, "BLOCK", 1000)
    again = p_values(signed, groups, observed, seed=0)
    assert again["auprc"] == pytest.approx(found["auprc"])
    assert again["violation_rate"] == pytest.approx(found["violation_rate"])


def test_resampled_scores_are_those_of_copies_without_pairs_of_a_model_with_its_copy() -> None:
    signed = symmetric(2, 7, seed=2)
    signed[1, 0, 4] = signed[1, 4, 0] = np.nan
    groups = np.array(list("aaabbbb"))
    draws = np.random.default_rng(0)
    counts = np.hstack([draws.multinomial(size, [1 / size] * size, size=40) for size in (3, 4)]).astype(float)
    for group in "ab":
        index = pair_index(groups == group)
        found = group_resampling._weighted_scores(signed, index, counts)
        for number, count in enumerate(counts):
            drawn = np.repeat(np.arange(7), count.astype(int))
            inside, outside = drawn[groups[drawn] == group], drawn[groups[drawn] != group]
            within = [(a, b) for place, a in enumerate(inside) for b in inside[:place] if a != b]
            for measure in range(2):
                split = Split(
                    np.array([signed[measure][pair] for pair in within], float),
                    np.array([signed[measure][a, b] for a in inside for b in outside], float),
                )
                assert found[0, measure, number] == pytest.approx(float(average_precision(split)), nan_ok=True)
                assert found[1, measure, number] == pytest.approx(float(violation_rate(split, 0.5)), nan_ok=True)


def test_relabellings_are_all_there_are_where_they_are_few() -> None:
    few = relabellings(4, 0, "test")
    assert few.exact
    assert len({tuple(order) for order in few.orders}) == 24
    many = relabellings(8, 0, "test")
    assert not many.exact
    assert many.orders.shape == (9999, 8)
    assert (np.sort(many.orders, axis=1) == np.arange(8)).all()
    assert not np.array_equal(many.orders, relabellings(8, 1, "test").orders)
    assert not np.array_equal(many.orders, relabellings(8, 0, "other").orders)


def test_p_values_count_the_observed_arrangement_once_and_nothing_undefined() -> None:
    null = np.array([[0.1, 0.5, np.nan, 0.9]])
    assert share_as_large(np.array([0.5]), null, exact=False) == pytest.approx(3 / 4)
    assert share_as_large(np.array([0.5]), null, exact=True) == pytest.approx(2 / 3)
    assert np.isnan(share_as_large(np.array([np.nan]), null, exact=False))


def uncertain(signed, groups):
    indices = [pair_index(groups == group) for group in sorted(set(groups))]
    return uncertainty(signed, groups, indices, scores(signed, groups))


def test_influences_are_the_jackknife_of_plain_scores() -> None:
    signed, groups = symmetric(3, 9, seed=4), np.array(list("aaabbbbcc"))
    signed[1, 0, 5] = signed[1, 5, 0] = np.nan
    groups[7:] = "b"  # two groups, of three and six
    found = uncertain(signed, groups)
    for metric in ("auprc", "violation_rate"):
        without = []
        for model in range(9):
            kept = np.arange(9) != model
            without.append(scores(signed[:, kept][:, :, kept], groups[kept])[metric])
        without = np.array(without).T
        variance = sum(
            (size - 1) / size * ((part - part.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
            for size, part in ((3, without[:, :3]), (6, without[:, 3:]))
        )
        assert (found[metric].influences ** 2).sum(axis=1) == pytest.approx(variance)


@pytest.mark.parametrize(("sizes", "has_one"), [((3, 3, 3), True), ((3, 3), True), ((2, 5), False), ((5,), False)])
def test_the_design_decides_whether_there_is_an_interval(sizes: tuple[int, ...], has_one: bool) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes).astype(str)
    for seed in range(20):
        low, high = uncertain(symmetric(1, len(groups), seed, decimals=8), groups)["auprc"].limits
        assert np.isfinite([low, high]).all() == has_one


def test_perfect_scores_have_intervals_of_some_width_and_no_score_has_surer_ones() -> None:
    groups = np.repeat(["a", "b", "c"], 5)
    perfect = np.where(groups[:, None] == groups, 0.9, 0.1)[None] + symmetric(1, 15, 0, decimals=8) / 100
    found = uncertain(perfect, groups)
    low, high = found["auprc"].limits[:, 0]
    assert (low, high) == (pytest.approx(0.806, abs=0.001), 1)
    assert found["violation_rate"].limits[:, 0] == pytest.approx([0, 0.188], abs=0.001)
    almost = perfect.copy()
    almost[0, 0, 5] = almost[0, 5, 0] = 0.89
    assert 0.5 < uncertain(almost, groups)["auprc"].limits[0, 0] < low


@pytest.mark.parametrize("sizes", [(3, 3), (2, 2, 2), (2, 4), (3, 2, 2)])
def test_the_smallest_p_value_is_that_of_the_best_deal(sizes: tuple[int, ...]) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    signed = np.where(groups[:, None] == groups, 1.0, 0.0)[None] + symmetric(1, len(groups), 0, decimals=8) / 100
    found = p_values(signed, groups, scores(signed, groups), seed=0)
    assert found["auprc"][0] == pytest.approx(smallest_p_value(groups))
    assert smallest_p_value(np.array(list("aaabbb"))) == pytest.approx(0.1)


def test_intervals_hold_the_expected_score() -> None:
    """Simulated studies; ``nox -s coverage`` has more of them, and of more designs."""
    for effect, spreads in ((0, (1, 1, 1)), (1.5, (1, 1, 1)), (3.5, (1, 1, 1)), (6, (1, 2, 4))):
        for expected, low, high in simulated((5, 5, 5), spreads, effect):
            assert np.mean((low <= expected) & (expected <= high)) >= 0.92
    for expected, low, high in simulated((5, 5), (1, 1), 4.0):  # four of ten studies are perfect
        assert np.mean((low <= expected) & (expected <= high)) >= 0.9


def simulated(sizes, spreads, effect: float, studies: int = 400):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    points = effect * np.eye(3)[groups] + np.array(spreads)[groups][:, None] * rng.normal(size=(2000, len(groups), 3))
    signed = -np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    expected = scores(signed, groups)
    for metric, found in uncertain(signed[:studies], groups).items():
        yield expected[metric].mean(), *found.limits


def test_ranks_hold_however_many_values_there_are() -> None:
    for size in (3, 200):
        values = np.arange(size * size, dtype=float).reshape(size, size)
        assert group_resampling._ranks(values).tolist() == list(range(size * size))
        assert output_correlation._order(values, "kendall").ravel().tolist() == list(range(size * size))
    assert group_resampling._ranks(np.array([2.0, np.nan, 1.0, 2.0])).tolist() == [1, -1, 0, 1]
