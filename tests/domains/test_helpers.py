"""Helpers that domains share with those of plugins."""

from __future__ import annotations

import numpy as np
import pytest

from resi.domains.graph import GraphDomain
from resi.domains.labels import partly_random
from resi.domains.scikit_learn import hash_scikit_learn
from resi.errors import DatasetError

LABELS = np.arange(4000) % 4


def test_random_labels_are_of_a_share_of_the_rows_and_independent_of_the_true_ones() -> None:
    rows = np.arange(0, 4000, 2)
    half, whole = (partly_random(LABELS, rows, 5, share, "test") for share in (0.5, 1.0))
    changed = half != LABELS
    assert not changed[1::2].any()
    assert (half[changed] == whole[changed]).all()
    # Of 1000 rows that draw from 5 labels, four in five change: 800, with a standard deviation of 13.
    assert abs(changed.sum() - 800) < 60
    for label in (0, 2):  # the true ones of these rows
        drawn = whole[rows][LABELS[rows] == label]
        assert np.abs(np.bincount(drawn, minlength=5) / len(drawn) - 0.2).max() < 0.06
    assert (partly_random(LABELS, rows, 5, 0.0, "test") == LABELS).all()
    assert (partly_random(LABELS, rows, 5, 1.0, "another") != whole).any()
    assert (LABELS == np.arange(4000) % 4).all()


def test_a_file_of_scikit_learn_is_named_where_it_is_missing() -> None:
    assert hash_scikit_learn("digits.csv.gz") != hash_scikit_learn("wine_data.csv")
    with pytest.raises(DatasetError, match=r"holds no boston\.csv; install it again"):
        hash_scikit_learn("boston.csv")


def test_what_a_domain_needs_is_an_extra_of_the_distribution_that_provides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GraphDomain.needs() == "resi[graph]"
    monkeypatch.setattr(GraphDomain, "extra", "")
    assert GraphDomain.needs() == "resi"
