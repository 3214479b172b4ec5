"""Scores by groups against values worked out by hand, and against independent implementations."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from resi.choices import Protocol
from resi.groundings import GROUNDINGS
from resi.groundings.base import MeasureFacts, Member, Similarities
from resi.groundings.separation import (
    Split,
    average_precision,
    expected_average_precision,
    expected_violation_rate,
    pair_index,
    violation_rate,
)

SIMILARITY = MeasureFacts("m", "{}", larger_is_more_similar=True, symmetric=True)
DISTANCE = SIMILARITY._replace(larger_is_more_similar=False)
ASYMMETRIC = SIMILARITY._replace(symmetric=False)


def split_of(within, across) -> Split:
    return Split(np.array(within, float), np.array(across, float))


def members(groups: str) -> tuple[Member, ...]:
    return tuple(Member(group, groups[:place].count(group)) for place, group in enumerate(groups))


def score(groups: str, similarity, measure=SIMILARITY, protocol: str = "corrected"):
    found = Similarities(members(groups), (measure,), np.array(similarity, float)[None], {})
    scores = GROUNDINGS["augmentation"]().score(found, Protocol(protocol), seed=0)
    return {entry.metric: entry for entry in scores}


def test_average_precision_by_hand() -> None:
    # Order: within .9, across .8, within .7, across .1 -> precision 1 at the first, 2/3 at the third.
    assert average_precision(split_of([0.9, 0.7], [0.8, 0.1])) == pytest.approx((1 + 2 / 3) / 2)
    # All equal: one threshold, where 1 of 4 is relevant.
    assert average_precision(split_of([1.0], [1.0, 1.0, 1.0])) == pytest.approx(1 / 4)
    assert average_precision(split_of([2.0, 3.0], [1.0, 0.0])) == 1


few = settings(max_examples=60, deadline=None)
VALUES = st.lists(st.integers(0, 6), min_size=1, max_size=12)


@few
@given(VALUES, VALUES)
def test_average_precision_is_that_of_scikit_learn_ties_included(within, across) -> None:
    labels = [1] * len(within) + [0] * len(across)
    expected = average_precision_score(labels, np.array(within + across, float))
    assert average_precision(split_of(within, across)) == pytest.approx(expected, abs=1e-12)


@few
@given(VALUES, VALUES)
def test_violation_rate_is_a_plain_count(within, across) -> None:
    worse = np.mean([[a > w for a in across] for w in within])
    equal = np.mean([[a == w for a in across] for w in within])
    assert violation_rate(split_of(within, across), ties=1) == pytest.approx(worse + equal)
    assert violation_rate(split_of(within, across), ties=0.5) == pytest.approx(worse + equal / 2)


@few
@given(VALUES, VALUES)
def test_missing_values_are_as_if_they_were_not_there(within, across) -> None:
    full, holes = split_of(within, across), split_of([np.nan, *within], [*across, np.nan, np.nan])
    assert average_precision(holes) == pytest.approx(average_precision(full), abs=1e-12)
    assert violation_rate(holes, 0.5) == pytest.approx(violation_rate(full, 0.5), abs=1e-12)
    assert expected_average_precision(holes) == pytest.approx(expected_average_precision(full), abs=1e-12)


@pytest.mark.parametrize(("within", "across"), [(1, 3), (2, 3), (3, 4)])
def test_chance_is_the_mean_over_all_orders(within: int, across: int) -> None:
    total = within + across
    every = []
    for chosen in combinations(range(total), within):
        values = -np.arange(total, dtype=float)
        mask = np.isin(np.arange(total), chosen)
        every.append(average_precision(Split(values[mask], values[~mask])))
    assert expected_average_precision(split_of(range(within), range(10, 10 + across))) == pytest.approx(np.mean(every))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.data())
def test_chance_is_the_mean_over_all_deals_of_the_values_ties_included(values, data) -> None:
    relevant = data.draw(st.integers(1, len(values) - 1))
    every = np.array(values, float)
    masks = [np.isin(np.arange(len(values)), chosen) for chosen in combinations(range(len(values)), relevant)]
    splits = [Split(every[mask], every[~mask]) for mask in masks]
    precision = np.mean([average_precision_score(mask, every) for mask in masks])
    for split in splits[:3]:
        assert expected_average_precision(split) == pytest.approx(precision)
        for ties in (0.5, 1.0):
            violations = np.mean([violation_rate(other, ties) for other in splits])
            assert expected_violation_rate(split, ties) == pytest.approx(violations)


def test_a_measure_with_one_value_is_at_chance() -> None:
    """Average precision of ties is the share of pairs within, 10 of 60; a random order has 0.2186."""
    for protocol in ("corrected", "published"):
        found = score("aaaaabbbbbccccc", np.ones((15, 15)), protocol=protocol)
        assert [found["auprc"].value, found["auprc"].chance] == pytest.approx([1 / 6, 1 / 6])
        assert found["violation_rate"].value == found["violation_rate"].chance
        assert found["auprc"].note == "all pairs have the same value"


def test_scores_say_what_so_few_models_cannot_tell() -> None:
    rng = np.random.default_rng(0)
    table = np.triu(rng.normal(size=(6, 6)), 1)
    found = score("aaabbb", table + table.T)["auprc"]
    assert found.p_value >= 0.1
    assert found.note == "with 2 groups of 3 models no p-value can be below 0.1"
    assert found.low is not None
    few = score("aabb", (table + table.T)[:4, :4])["auprc"]
    assert few.low is None
    assert few.note.startswith("no interval: a group has fewer than 3 models; ")
    # Without model 0 there is no value within its group.
    holes = table + table.T
    holes[1, 2] = holes[2, 1] = np.nan
    hangs = score("aaabbb", holes)["auprc"]
    assert hangs.value is not None
    assert hangs.low is None
    assert "no interval: with one model left out, nothing is left to score" in hangs.note
    assert hangs.influences == ()
    fifteen = np.triu(rng.normal(size=(15, 15)), 1)
    assert score("aaaaabbbbbccccc", fifteen + fifteen.T)["auprc"].note == ""


def test_pairs_are_taken_once_and_members_first() -> None:
    table = np.arange(16, dtype=float).reshape(4, 4)
    found = pair_index(np.array([True, True, False, False])).split(table)
    assert found.within.tolist() == [1]
    assert found.across.tolist() == [2, 3, 6, 7]


def test_perfectly_separated_groups_score_one_and_no_violations() -> None:
    table = [[0, 9, 1, 2], [9, 0, 3, 1], [1, 3, 0, 8], [2, 1, 8, 0]]
    found = score("aabb", table)
    assert (found["auprc"].value, found["violation_rate"].value) == (1, 0)
    assert (found["auprc"].pairs, found["auprc"].failed_pairs) == (6, 0)
    distances = score("aabb", -np.array(table), DISTANCE)
    assert (distances["auprc"].value, distances["violation_rate"].value) == (1, 0)


def test_protocols_differ_in_what_a_tie_counts() -> None:
    table = np.ones((4, 4))
    assert score("aabb", table, protocol="published")["violation_rate"].value == 1
    assert score("aabb", table, protocol="corrected")["violation_rate"].value == 0.5


def test_missing_values_are_counted_and_an_empty_group_is_undefined() -> None:
    table = np.array([[0, 9, 1, 2], [9, 0, 3, np.nan], [1, 3, 0, 8], [2, np.nan, 8, 0]], float)
    found = score("aabb", table)
    assert (found["auprc"].value, found["auprc"].pairs, found["auprc"].failed_pairs) == (1, 5, 1)
    table[0, 1] = table[1, 0] = np.nan
    found = score("aabb", table)
    assert found["auprc"].value is None
    assert found["auprc"].p_value is None
    assert found["violation_rate"].value is None
    assert found["auprc"].failed_pairs == 2
    assert found["auprc"].reason == "no pair of two models of a has a value"


def test_an_asymmetric_measure_counts_by_the_mean_of_its_directions_unless_published() -> None:
    table = [[0, 9, 1, 1], [0, 0, 1, 1], [1, 1, 0, 9], [1, 1, 0, 0]]
    assert score("aabb", table, ASYMMETRIC, "published")["violation_rate"].value == 0
    table = [[0, 2, 4, 4], [0, 0, 4, 4], [0, 0, 0, 2], [0, 0, 0, 0]]
    found = score("aabb", table, ASYMMETRIC, "corrected")
    assert found["violation_rate"].value == 1  # means: 1 within, 2 across
    assert found["auprc"].pairs == 6
    published = score("aabb", table, ASYMMETRIC, "published")
    assert published["violation_rate"].value == 0.5  # a sees 4 across, b sees 0; both see 2 within
    assert published["auprc"].pairs == 10
    table[1][0] = np.nan
    assert score("aabb", table, ASYMMETRIC, "corrected")["auprc"].failed_pairs == 1
