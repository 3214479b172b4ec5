"""Correlations of many vectors at once against scipy's of one pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from resi.groundings.correlation import COEFFICIENTS, average_ranks, correlate, weighted_correlations

SCIPY = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}
# Few different values, so that there are ties.
VECTORS = st.integers(3, 12).flatmap(lambda n: arrays(float, (2, n), elements=st.integers(-4, 4).map(float)))


@given(VECTORS)
def test_ranks_are_those_of_scipy(values) -> None:
    assert np.array_equal(average_ranks(values), stats.rankdata(values, axis=1))


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
@given(values=VECTORS)
def test_coefficients_are_those_of_scipy_and_undefined_for_constants(coefficient: str, values) -> None:
    x, y = values
    found = correlate(x[None], y[None], coefficient)[0, 0]
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(SCIPY[coefficient](x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_every_row_meets_every_row_in_any_block(coefficient: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 20)), rng.integers(0, 5, size=(7, 20))
    expected = [[SCIPY[coefficient](a, b).statistic for b in y] for a in x]
    assert correlate(x, y, coefficient) == pytest.approx(np.array(expected), abs=1e-12)
    monkeypatch.setattr("resi.groundings.correlation.BLOCK_ENTRIES", 1)
    assert correlate(x, y, coefficient) == pytest.approx(np.array(expected), abs=1e-12)


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
@given(values=VECTORS, seed=st.integers(0, 1000))
def test_a_weight_is_a_number_of_copies(coefficient: str, values, seed: int) -> None:
    x, y = values
    weights = np.random.default_rng(seed).integers(0, 4, size=len(x))
    found = weighted_correlations(x[None], y, weights[None].astype(float), coefficient)[0, 0]
    x, y = np.repeat(x, weights), np.repeat(y, weights)
    if len(x) == 0 or np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(SCIPY[coefficient](x, y).statistic, abs=1e-9)
