"""What differs by rounding alone is a tie."""

from __future__ import annotations

import numpy as np
import pytest

from resi.choices import Protocol
from resi.groundings import GROUNDINGS
from resi.groundings.base import MeasureFacts, Member, Similarities
from resi.groundings.ties import merge_ties

MEASURE = MeasureFacts("m", "{}", larger_is_more_similar=True, symmetric=True)


def test_neighbours_within_their_error_become_one_value() -> None:
    values = np.array([1.0, 0.9999999999999999, 0.5, np.nan, 0.9999999999999998, 0.5 + 1e-9])
    assert merge_ties(values).tolist()[:3] == [0.9999999999999998, 0.9999999999999998, 0.5]
    assert np.isnan(merge_ties(values)[3])
    assert merge_ties(values)[5] == 0.5 + 1e-9
    assert merge_ties(values, resolution=1e-8)[5] == 0.5
    assert values[0] == 1  # what was given stays as it is


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_the_error_follows_the_size_of_the_values(size: float) -> None:
    values = size * np.array([1.0, 1.0 + 2e-13, 2.0, 2.0 + 4e-12, 3.0])
    assert len(set(merge_ties(values))) == 4


def test_values_that_are_zero_but_for_rounding_are_ties_where_others_say_how_large_values_are() -> None:
    values = np.array([1e-17, -3e-17, 0.3, 0.4, 0.5])
    assert len(set(merge_ties(values))) == 4
    zeros = np.array([1e-17, -3e-17, 2e-16])
    assert len(set(merge_ties(zeros))) == 3  # distances may be as small as that
    assert len(set(merge_ties(zeros, scale=1.0))) == 1  # similarities of at most 1 may not


def test_values_that_are_one_number_by_definition_score_as_ties() -> None:
    """With fewer samples than features, pwcca is 1 for any two representations."""
    rng = np.random.default_rng(0)
    table = rng.choice([1.0, 0.9999999999999999, 0.9999999999999998], size=(6, 6))
    table = np.triu(table, 1) + np.triu(table, 1).T
    members = tuple(Member(group, seed) for group in "ab" for seed in range(3))
    found = {}
    for protocol in ("corrected", "published"):
        similarities = Similarities(members, (MEASURE,), table[None], {})
        found[protocol] = {
            s.metric: s for s in GROUNDINGS["augmentation"]().score(similarities, Protocol(protocol), seed=0)
        }
    auprc, violations = (found["corrected"][metric] for metric in ("auprc", "violation_rate"))
    assert (auprc.value, violations.value) == (3 / 12, 0.5)
    assert (auprc.chance, violations.chance) == (pytest.approx(3 / 12), 0.5)
    assert auprc.p_value == 1
    assert auprc.note.startswith("all pairs have the same value")
    assert found["published"]["auprc"].value != auprc.value  # scores as the published code does


def test_differences_of_accuracies_that_are_whole_samples_are_ties() -> None:
    """0.8 - 0.7 and 0.7 - 0.6 are both one sample of ten, and differ by rounding."""
    accuracies = np.array([0.6, 0.7, 0.8, 0.9, 0.5])
    predictions = np.abs(accuracies[:, None] - accuracies)
    exact = np.abs((10 * accuracies).round()[:, None] - (10 * accuracies).round()) / 10
    values = np.triu(np.random.default_rng(0).normal(size=(5, 5)), 1)
    members = tuple(Member("standard", seed) for seed in range(5))
    scores = []
    for table in (predictions, exact):
        similarities = Similarities(members, (MEASURE,), (values + values.T)[None], {"accuracy_difference": table})
        scores.append(GROUNDINGS["accuracy_correlation"]().score(similarities, Protocol.corrected, seed=0))
    for found, expected in zip(*scores, strict=True):
        assert found.value == pytest.approx(expected.value, abs=1e-9)
        assert found.p_value == expected.p_value
