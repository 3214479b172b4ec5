"""What measures owe to any input: single precision, many features, few samples, and large offsets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from resi_more_measures import resi_measures

from resi.errors import ResiError

if TYPE_CHECKING:
    import resi

FOR_ALL = pytest.mark.parametrize("measure", resi_measures(), ids=lambda measure: measure.name)

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
