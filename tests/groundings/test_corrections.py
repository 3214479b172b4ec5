"""p-values corrected for the number of measures, by hand; and how small a p-value can be."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

import resi
from resi.choices import Protocol
from resi.errors import UsageError
from resi.groundings import GROUNDINGS
from resi.groundings.base import MeasureFacts, Member, Similarities
from resi.groundings.corrections import METHODS, adjusted, correct
from resi.groundings.readable import best_marks, read_scores
from resi.results.schema import SCORES
from tests.groundings.test_readable import score

# Sorted 0.005, 0.01, 0.03, 0.04, by hand: Holm 4 * 0.005, 3 * 0.01, 2 * 0.03, then no smaller than the one before.
RAW = [0.01, 0.04, 0.03, 0.005]
BY_HAND = {
    "holm": [0.03, 0.06, 0.06, 0.02],
    "bonferroni": [0.04, 0.16, 0.12, 0.02],
    "fdr_bh": [0.02, 0.04, 0.04, 0.02],
}
MEASURES = ["cka", "rsa", "gulp", "jaccard"]


def table(p_values: list[float | None], **changes) -> pl.DataFrame:
    rows = [score(name, 0.9, p_value=p, **changes) for name, p in zip(MEASURES, p_values, strict=False)]
    return pl.DataFrame(rows, schema=SCORES)


@pytest.mark.parametrize("method", METHODS)
def test_corrections_by_hand(method: str) -> None:
    assert adjusted(np.array(RAW), method) == pytest.approx(BY_HAND[method])
    assert correct(table(RAW), method)["p_value"].to_list() == pytest.approx(BY_HAND[method])
    assert adjusted(np.array([0.6, 0.9]), method).max() <= 1
    assert len(adjusted(np.array([]), method)) == 0


def test_the_false_discovery_rate_is_that_of_scipy() -> None:
    raw = np.random.default_rng(0).uniform(size=30) ** 2
    assert adjusted(raw, "fdr_bh") == pytest.approx(stats.false_discovery_control(raw))


def test_measures_without_a_p_value_do_not_count_and_other_models_are_another_family() -> None:
    found = correct(pl.concat([table([0.01, None, 0.03]), table([0.01, 0.02], architecture="gat")]))
    assert found["p_value"].to_list() == pytest.approx([0.02, None, 0.03, 0.02, 0.02])
    assert found["correction"].unique().to_list() == ["holm"]
    other_metric = correct(pl.concat([table([0.01]), table([0.01], metric="violation_rate")]))
    assert other_metric["p_value"].to_list() == [0.01, 0.01]


def test_the_smallest_p_value_is_corrected_too_and_noted_where_it_says_nothing() -> None:
    found = correct(table(RAW, smallest_p=0.008))
    assert found["smallest_p"].to_list() == pytest.approx([0.032] * 4)
    assert set(found["note"]) == {"with 4 measures to correct for no p-value can be below 0.032"}
    assert correct(table(RAW, smallest_p=0.0001))["note"].unique().to_list() == [""]
    assert correct(table(RAW, smallest_p=0.008), "fdr_bh")["smallest_p"].to_list() == [0.008] * 4
    assert correct(table(RAW, smallest_p=0.4))["smallest_p"].to_list() == [1] * 4


def test_marks_follow_the_corrected_p_values() -> None:
    scores = table([0.02, 0.5, 0.5], low=0.5, influences=[0.1, 0.1], smallest_p=0.0001)
    (block,), (corrected,) = read_scores(scores), read_scores(correct(scores))
    assert [row["best"] for row in block.rows] == [True, False, False]
    assert [row["best"] for row in corrected.rows] == [None] * 3
    few = correct(table([0.008] * 4, low=0.5, influences=[0.1, 0.1], smallest_p=0.008))
    (block,) = read_scores(few)
    assert "too few models" in block.why_unmarked
    assert best_marks([]) == (None, "")


def test_a_table_is_corrected_once_and_by_a_known_method() -> None:
    for scores, method, words in (
        (table(RAW), "hohm", "unknown correction .hohm.; did you mean holm"),
        (correct(table(RAW)), "holm", "corrected already \\(by holm\\)"),
        (table(RAW).drop("p_value"), "holm", "lacks the columns p_value"),
        ([1, 2], "holm", "expected a table of polars, not a list"),
    ):
        with pytest.raises(UsageError, match=words):
            resi.correct(scores, method)


@pytest.mark.parametrize(
    ("test", "members", "smallest"),
    [
        # 15!/(5!^3 3!) = 126126 ways are more than the 9999 that are drawn; of two groups of three there are ten.
        ("augmentation", [Member(setting, seed) for setting in "abc" for seed in range(5)], 1e-4),
        ("augmentation", [Member(setting, seed) for setting in "ab" for seed in range(3)], 0.1),
        # Of these there are 35, 126 and 280, though the orders of their models are more than are drawn.
        ("augmentation", [Member(setting, seed) for setting in "ab" for seed in range(4)], 1 / 35),
        ("shortcut", [Member(setting, seed) for setting in "ab" for seed in range(5)], 1 / 126),
        ("label_randomization", [Member(setting, seed) for setting in "abc" for seed in range(3)], 1 / 280),
        # 4!/2 orders of the layers of each of two models; an order and its reverse are one.
        ("layer_monotonicity", [Member("a", seed, str(layer)) for seed in range(2) for layer in range(4)], 1 / 144),
        ("layer_monotonicity", [Member("a", 0, str(layer)) for layer in range(7)], 2 / 5040),
        ("layer_monotonicity", [Member("a", 0, str(layer)) for layer in range(9)], 1e-3),
        ("output_correlation", [Member("a", seed) for seed in range(5)], 1 / 120),
        ("output_correlation", [Member("a", seed) for seed in range(9)], 1e-4),
    ],
)
def test_a_perfect_score_has_the_smallest_p_value(test: str, members: list[Member], smallest: float) -> None:
    def place(member: Member) -> float:
        return 100.0 * ord(member.setting) + (member.seed if test != "layer_monotonicity" else 0) ** 1.7

    places = np.array([place(member) + 0.1 * int(member.layer or 0) ** 1.1 for member in members])
    distances = np.abs(places[:, None] - places)
    facts = (MeasureFacts("m", "{}", larger_is_more_similar=False, symmetric=True),)
    found = GROUNDINGS[test]().score(
        Similarities(tuple(members), facts, distances[None], {"jsd": distances}), Protocol.corrected, seed=0
    )
    (best,) = [one for one in found if one.metric == GROUNDINGS[test].headline and one.seed is None]
    assert best.value == pytest.approx(1)
    assert best.smallest_p == pytest.approx(smallest)
    assert best.p_value == pytest.approx(best.smallest_p, rel=1e-12)
