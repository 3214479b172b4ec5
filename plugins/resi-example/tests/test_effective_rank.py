import numpy as np
import pytest

import resi
from resi.testing import check_measure


def effective_rank(matrix: np.ndarray) -> float:
    values = np.linalg.svd(matrix - matrix.mean(0), compute_uv=False)
    shares = values / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def test_matches_its_definition() -> None:
    generator = np.random.default_rng(0)
    wide, narrow = generator.normal(size=(50, 8)), generator.normal(size=(50, 3))
    value = resi.compare(wide, narrow, measure="effective_rank_difference")
    assert value == pytest.approx(effective_rank(wide) - effective_rank(narrow), rel=1e-9)


def test_is_found_by_name() -> None:
    assert "effective_rank_difference" in resi.list_measures()


def test_conforms_to_what_it_declares() -> None:
    from resi_example import EffectiveRankDifference

    check_measure(EffectiveRankDifference)
