"""Whether measures differ, against other people's tests and simulated studies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from resi.groundings.ranks import (
    RankedColumn,
    best_measures,
    differences,
    drawn_places,
    interval_of_places,
    read_influences,
)


def test_the_friedman_test_is_that_of_scipy_ties_included() -> None:
    rng = np.random.default_rng(0)
    for decimals in (0, 8):
        scores = rng.normal(size=(6, 5)).round(decimals)  # five measures in six columns
        ranks = np.array([stats.rankdata(-column) for column in scores]).T
        found = differences(ranks)
        assert found.p_value == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue)
        assert (found.measures, found.columns) == (5, 6)


@pytest.mark.parametrize(
    ("measures", "columns", "critical"), [(24, 3, 21.0), (24, 9, 12.1), (5, 10, 1.93), (10, 10, 4.28)]
)
def test_critical_differences_are_those_of_tables(measures: int, columns: int, critical: float) -> None:
    """Demšar's table 5: the critical values of five and ten classifiers are 2.728 and 3.164."""
    ranks = np.tile(np.arange(1.0, measures + 1)[:, None], columns)
    assert differences(ranks).critical == pytest.approx(critical, abs=0.06)


def test_measures_without_a_rank_in_every_column_are_left_out() -> None:
    ranks = np.array([[1, 2], [2, 1], [3, 3], [4, np.nan]])
    assert differences(ranks) == differences(ranks[:3])
    assert differences(ranks[:2]) is None
    assert differences(ranks[:, :1]) is None
    assert differences(np.full((4, 3), 2.5)).p_value == 1


def test_intervals_of_places_hold_the_expected_place() -> None:
    """Eight measures whose errors go together, as they are scored on the same models."""
    rng = np.random.default_rng(0)
    truth = 0.5 + 0.05 * np.arange(8)
    held, studies = np.zeros(8), 120
    shares = []
    for study in range(studies):
        influences = 0.02 * (rng.normal(size=(1, 15)) + 0.7 * rng.normal(size=(8, 15)))
        shares.append((truth, influences))
        scores = truth + influences @ rng.normal(size=15)
        column = RankedColumn(f"study {study}", list(range(8)), scores, influences)
        place = (stats.rankdata(-truth) - 0.5) / 8
        intervals = interval_of_places(drawn_places([column], 8))
        held += [low - 1e-9 <= true <= high + 1e-9 for (low, high), true in zip(intervals, place, strict=True)]
    assert (held / studies >= 0.9).all()


def test_a_place_has_no_interval_where_an_influence_is_unknown() -> None:
    known = RankedColumn("a", [0, 1], np.array([0.9, 0.1]), np.full((2, 5), 0.01))
    unknown = RankedColumn("b", [1, 2], np.array([0.9, 0.1]), None)
    assert interval_of_places(drawn_places([known, unknown], 4)) == [(0.25, 0.25), None, None, None]
    assert interval_of_places(drawn_places([], 2)) == [None, None]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("[0.5, -1]", [0.5, -1.0]),
        *((text, None) for text in (None, "", "[]", "x", "{}", "[1e999]", "[null]", '["a"]', "[" * 9999, "[NaN]", "3")),
    ],
)
def test_influences_of_tables_from_elsewhere_are_numbers_or_nothing(text: str | None, numbers: list | None) -> None:
    assert read_influences(text) == numbers


def test_the_confidence_set_holds_the_best_measure_and_leaves_out_the_worst() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([0.5, 0.5, 0.48, 0.3, 0.2])
    held, sizes, studies = 0, [], 200
    for study in range(studies):
        columns = []
        for number in range(3):
            influences = 0.02 * (rng.normal(size=(1, 15)) + 0.7 * rng.normal(size=(5, 15)))
            scores = truth + influences @ rng.normal(size=15)
            columns.append(RankedColumn(f"study {study} {number}", list(range(5)), scores, influences))
        found = best_measures(columns, 5)
        held += bool({0, 1} & set(found))
        sizes.append(len(found))
        assert 4 not in found
    assert held / studies >= 0.95
    assert np.mean(sizes) < 4


def test_a_confidence_set_needs_two_measures_everywhere_and_their_uncertainty() -> None:
    known = RankedColumn("a", [0, 1], np.array([0.9, 0.1]), np.full((2, 5), 0.01))
    assert best_measures([known], 2) == [0]
    assert best_measures([known, known._replace(rows=[0, 2])], 3) is None
    assert best_measures([known._replace(influences=None)], 2) is None
    assert best_measures([], 2) is None
    equal = known._replace(scores=np.array([0.9, 0.9]))
    assert best_measures([equal], 2) == [0, 1]
