"""Scores by groups against values worked out by hand, and against independent implementations."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from resi.groundings.base import Experiment, Item
from resi.groundings.group_separation import (
    Augmentation,
    Split,
    average_precision,
    expected_average_precision,
    split_pairs,
    violation_rate,
)

SIMILARITY = SimpleNamespace(larger_is_more_similar=True, symmetric=True)
DISTANCE = SimpleNamespace(larger_is_more_similar=False, symmetric=True)
ASYMMETRIC = SimpleNamespace(larger_is_more_similar=True, symmetric=False)


def split_of(within, across) -> Split:
    return Split(np.array(within, float), np.array(across, float))


def score(groups: str, similarity, measure=SIMILARITY, protocol: str = "corrected"):
    items = tuple(Item(SimpleNamespace(name=i), "0", group) for i, group in enumerate(groups))
    experiment = Experiment("augmentation", "graph", "data", "gcn", items, None)
    found = Augmentation().score(experiment, np.array(similarity, float), measure, protocol)
    return {entry.metric: entry for entry in found}


def test_average_precision_by_hand() -> None:
    # Order: within .9, across .8, within .7, across .1 -> precision 1 at the first, 2/3 at the third.
    assert average_precision(split_of([0.9, 0.7], [0.8, 0.1])) == pytest.approx((1 + 2 / 3) / 2)
    # All equal: one threshold, where 1 of 4 is relevant.
    assert average_precision(split_of([1.0], [1.0, 1.0, 1.0])) == pytest.approx(1 / 4)
    assert average_precision(split_of([2.0, 3.0], [1.0, 0.0])) == 1


VALUES = st.lists(st.integers(0, 6), min_size=1, max_size=12)


@given(VALUES, VALUES)
def test_average_precision_is_that_of_scikit_learn_ties_included(within, across) -> None:
    labels = [1] * len(within) + [0] * len(across)
    expected = average_precision_score(labels, np.array(within + across, float))
    assert average_precision(split_of(within, across)) == pytest.approx(expected, abs=1e-12)


@given(VALUES, VALUES)
def test_violation_rate_is_a_plain_count(within, across) -> None:
    worse = np.mean([[a > w for a in across] for w in within])
    equal = np.mean([[a == w for a in across] for w in within])
    assert violation_rate(split_of(within, across), ties=1) == pytest.approx(worse + equal)
    assert violation_rate(split_of(within, across), ties=0.5) == pytest.approx(worse + equal / 2)


@pytest.mark.parametrize(("within", "across"), [(1, 3), (2, 3), (3, 4)])
def test_chance_is_the_mean_over_all_orders(within: int, across: int) -> None:
    total = within + across
    every = []
    for chosen in combinations(range(total), within):
        values = -np.arange(total, dtype=float)
        mask = np.isin(np.arange(total), chosen)
        every.append(average_precision(Split(values[mask], values[~mask])))
    assert expected_average_precision(split_of(range(within), range(across))) == pytest.approx(np.mean(every))


def test_split_takes_each_pair_once_and_members_first() -> None:
    table = np.arange(16, dtype=float).reshape(4, 4)
    found = split_pairs(table, np.array([True, True, False, False]), both_directions=False)
    assert found.within.tolist() == [1]
    assert found.across.tolist() == [2, 3, 6, 7]
    both = split_pairs(table, np.array([True, True, False, False]), both_directions=True)
    assert sorted(both.within) == [1, 4]
    assert sorted(both.across) == [2, 3, 6, 7, 8, 9, 12, 13]


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
    assert found["violation_rate"].value is None
    assert found["auprc"].failed_pairs == 2


def test_an_asymmetric_measure_uses_both_directions_unless_published() -> None:
    table = [[0, 9, 1, 1], [0, 0, 1, 1], [1, 1, 0, 9], [1, 1, 0, 0]]
    assert score("aabb", table, ASYMMETRIC, "published")["violation_rate"].value == 0
    # The other directions, 0 within and 1 across, are all in the wrong order: half of all combinations.
    assert score("aabb", table, ASYMMETRIC, "corrected")["violation_rate"].value == 0.5
    assert score("aabb", table, ASYMMETRIC, "corrected")["auprc"].pairs == 12


def test_published_scores_of_cka_on_cora(shared) -> None:
    """From the published comparisons, ours are the published scores."""
    import polars as pl

    folder = shared / "reference" / "cora"
    values = dict(pl.read_parquet(folder / "results_augmentation.parquet", columns=["id", "metric_value"]).iter_rows())
    expected = pl.read_csv(folder / "scores_augmentation.csv")
    settings = ("Normal", "Augmentation_25", "Augmentation_100")
    for architecture, layer in (("GCN", 1), ("GraphSAGE", 1), ("GAT", 0)):
        ids = [f"{s}__{architecture}__cora__{seed}__cora__{layer}" for s in settings for seed in range(5)]
        groups = [s[:-1] + s[-1] for s in settings for _ in range(5)]
        for measure, kind in (("CKA", SIMILARITY), ("RSA", SIMILARITY), ("ProcrustesSizeAndShapeDistance", DISTANCE)):
            table = [[values.get(f"{a}___{b}___{measure}", np.nan) for b in ids] for a in ids]
            found = score(groups, table, kind, "published")
            rows = expected.filter(architecture=architecture, similarity_measure=measure)
            published = dict(rows.select("quality_measure", "value").iter_rows())
            assert found["auprc"].value == pytest.approx(published["AUPRC"], abs=1e-12)
            assert found["violation_rate"].value == pytest.approx(published["violation_rate"], abs=1e-12)
