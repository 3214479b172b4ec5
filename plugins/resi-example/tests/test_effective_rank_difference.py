"""The measure against its definition, and what it declares."""

import numpy as np
import pytest
from resi_example import EffectiveRankDifference

import resi
from resi.errors import DegenerateInputError
from resi.testing import check_measure


def effective_rank(matrix: np.ndarray) -> float:
    values = np.linalg.svd(matrix - matrix.mean(0), compute_uv=False)
    shares = values / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def test_it_matches_its_definition() -> None:
    generator = np.random.default_rng(0)
    wide, narrow = generator.normal(size=(50, 8)), generator.normal(size=(50, 3))
    value = resi.compare(wide, narrow, measure="effective_rank_difference")
    assert value == pytest.approx(effective_rank(wide) - effective_rank(narrow), rel=1e-9)


def test_it_has_no_value_for_a_constant() -> None:
    with pytest.raises(DegenerateInputError, match="constant"):
        resi.compare(np.ones((10, 3)), np.eye(10), measure="effective_rank_difference")


def test_resi_finds_it() -> None:
    assert "effective_rank_difference" in resi.list_measures()


def test_what_it_declares_holds() -> None:
    check_measure(EffectiveRankDifference)
