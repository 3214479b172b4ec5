"""What measures owe to any input: single precision, many features, few samples, and large offsets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from resi_more_measures import (
    cca,
    covariances,
    dimension,
    encoding,
    gromov,
    held_out,
    predictivity,
    shape,
    subspaces,
    topology,
    transport,
)

import resi
from resi.errors import ResiError
from resi.measures.features import Features

FAMILIES = (
    cca,
    covariances,
    dimension,
    encoding,
    gromov,
    held_out,
    predictivity,
    shape,
    subspaces,
    topology,
    transport,
)
MEASURES = [measure for family in FAMILIES for measure in family.MEASURES]
FOR_ALL = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)

Pair = tuple[np.ndarray, np.ndarray]


def value_or_reason(measure: resi.Measure, first: np.ndarray, second: np.ndarray) -> float:
    """Return a value, or NaN where the measure says in one line why there is none."""
    try:
        value = measure(first, second)
    except ResiError as reason:
        assert "\n" not in str(reason)
        assert measure.name in str(reason)
        return math.nan
    assert math.isfinite(value)
    return value


@FOR_ALL
def test_single_precision_gives_the_same_to_its_digits(measure: type[resi.Measure], pair: Pair) -> None:
    first, second = (matrix.astype(np.float32) for matrix in pair)
    expected = measure()(first.astype(np.float64), second.astype(np.float64))
    assert measure()(first, second) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@FOR_ALL
def test_more_features_than_samples_give_a_value_or_a_reason(measure: type[resi.Measure], wide_pair: Pair) -> None:
    first, second = wide_pair
    value = value_or_reason(measure(), first, second)
    itself = value_or_reason(measure(), first, first.copy())
    sign = 1 if measure.larger_is_more_similar else -1
    if "isotropic_scaling" in measure.invariances and not math.isnan(value) and not math.isnan(itself):
        assert sign * itself >= sign * value - 1e-9
    if measure.self_value is not None and not math.isnan(itself):
        assert itself == pytest.approx(measure.self_value, abs=1e-6)


@FOR_ALL
@pytest.mark.parametrize("n_samples", [2, 3, 5])
def test_few_samples_give_a_value_or_a_reason(measure: type[resi.Measure], n_samples: int, pair: Pair) -> None:
    value_or_reason(measure(), pair[0][:n_samples], pair[1][:n_samples])


@FOR_ALL
@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_constant_input_gives_a_value_or_a_reason(measure: type[resi.Measure], constant: float, pair: Pair) -> None:
    value_or_reason(measure(), pair[0], np.full((40, 3), constant))
    value_or_reason(measure(), np.full((40, 3), constant), np.full((40, 2), constant))


@FOR_ALL
def test_one_feature_gives_a_value_or_a_reason(measure: type[resi.Measure], pair: Pair) -> None:
    value_or_reason(measure(), pair[0][:, :1], pair[1][:, :1])


@FOR_ALL
@pytest.mark.parametrize("size", [1e-120, 1e120])
def test_any_unit_gives_the_same_value(measure: type[resi.Measure], size: float, pair: Pair) -> None:
    if "isotropic_scaling" not in measure.invariances:
        value_or_reason(measure(), size * pair[0], size * pair[1])
    else:
        expected = measure()(*pair)
        assert measure()(size * pair[0], size * pair[1]) == pytest.approx(expected, rel=1e-6)


OF_PERMUTED = [m for m in MEASURES if getattr(m, "permuted", None) is not getattr(resi.Measure, "permuted", None)]
"""Measures that make the state of rows in another order from what is prepared."""


@pytest.mark.parametrize("measure", OF_PERMUTED, ids=lambda measure: measure.name)
@pytest.mark.parametrize("which", ["pair", "wide_pair"])
def test_permuted_states_are_those_of_permuted_rows(
    measure: Any, which: str, request: pytest.FixtureRequest, rng: np.random.Generator
) -> None:
    first, second = (torch.from_numpy(matrix) for matrix in request.getfixturevalue(which))
    order = torch.from_numpy(rng.permutation(len(first)))
    chosen = measure()
    a, b = chosen.prepare(Features(first)), chosen.prepare(Features(second))
    expected = chosen.compare(a, chosen.prepare(Features(second[order])))
    assert chosen.compare(a, chosen.permuted(b, order)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_only_folds_and_draws_need_the_rows_again(pair: Pair) -> None:
    names = {measure.name for measure in OF_PERMUTED}
    folded = {measure.name for family in (encoding, held_out, predictivity) for measure in family.MEASURES}
    assert names == {measure.name for measure in MEASURES} - folded
    state = gromov.GromovWasserstein(rows=10).prepare(Features(torch.from_numpy(pair[0])))
    assert gromov.GromovWasserstein(rows=10).permuted(state, torch.arange(40).flip(0)) is None
