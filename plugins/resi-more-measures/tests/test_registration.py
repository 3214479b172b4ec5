"""What resi knows of this distribution."""

from __future__ import annotations

import pytest
from resi_more_measures import FAMILIES, resi_measures

import resi
from resi.testing import check_measure


def test_every_measure_is_found_by_its_name() -> None:
    assert {measure.name for measure in resi_measures()} <= set(resi.list_measures())


@pytest.mark.parametrize("measure", resi_measures(), ids=lambda measure: measure.name)
def test_conforms_to_what_it_declares(measure: type[resi.Measure]) -> None:
    check_measure(measure)


def test_no_name_is_given_twice() -> None:
    names = [measure.name for family in FAMILIES for measure in family.MEASURES]
    assert len(names) == len(set(names))
