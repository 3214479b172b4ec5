"""What holds of every measure of this distribution."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from resi_more_measures import FAMILIES, resi_measures

import resi
from resi.errors import DegenerateInputError, ShapeError
from resi.measures.features import Features
from resi.testing import check_measure

EVERY = pytest.mark.parametrize("measure", resi_measures(), ids=lambda measure: measure.name)


def test_every_measure_is_found_by_its_name() -> None:
    assert {measure.name for measure in resi_measures()} <= set(resi.list_measures())


def test_no_name_is_given_twice() -> None:
    names = [measure.name for family in FAMILIES for measure in family.MEASURES]
    assert len(names) == len(set(names))


@EVERY
def test_conforms_to_what_it_declares(measure: type[resi.Measure]) -> None:
    check_measure(measure)


@EVERY
def test_states_its_paper_its_cost_and_its_parameters(measure: type[resi.Measure]) -> None:
    text = measure.__doc__ or ""
    assert measure.reference
    assert measure.cost
    assert "References\n" in text
    for field in dataclasses.fields(measure):
        assert field.name in text.split("Parameters\n")[-1], field.name


@EVERY
def test_has_about_the_same_value_in_single_precision(
    measure: type[resi.Measure], pair: tuple[np.ndarray, np.ndarray]
) -> None:
    double, single = measure()(*pair), measure()(*(side.astype(np.float32) for side in pair))
    assert single == pytest.approx(double, rel=1e-3, abs=1e-3)


@EVERY
def test_takes_fewer_samples_than_features(
    measure: type[resi.Measure], wide_pair: tuple[np.ndarray, np.ndarray]
) -> None:
    try:
        assert math.isfinite(measure()(*wide_pair))
    except (DegenerateInputError, ShapeError) as reason:
        assert measure.name in str(reason)


@EVERY
def test_a_constant_representation_has_a_value_or_a_reason(
    measure: type[resi.Measure], pair: tuple[np.ndarray, np.ndarray]
) -> None:
    try:
        assert math.isfinite(measure()(np.full((40, 3), 0.3), pair[1]))
    except DegenerateInputError as reason:
        assert measure.name in str(reason)


OF_PERMUTED = [
    m for m in resi_measures() if getattr(m, "permuted", None) is not getattr(resi.Measure, "permuted", None)
]
"""Measures that make the state of rows in another order from what is prepared."""


@pytest.mark.parametrize("measure", OF_PERMUTED, ids=lambda measure: measure.name)
@pytest.mark.parametrize("repeated", [False, True])
def test_states_of_permuted_rows_are_what_would_be_prepared(
    measure: Any, repeated: bool, sides: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> None:
    first, second = (torch.from_numpy(side[np.maximum(np.arange(len(side)), 3 * repeated)]) for side in sides)
    order = torch.from_numpy(rng.permutation(len(first)))
    chosen = measure()
    a, b = chosen.prepare(Features(first)), chosen.prepare(Features(second))
    permuted = chosen.permuted(b, order)
    if permuted is not None:
        expected = chosen.compare(a, chosen.prepare(Features(second[order])))
        assert chosen.compare(a, permuted) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_listing_measures_does_not_load_torch() -> None:
    code = "import sys, resi_more_measures as m; m.resi_measures(); sys.exit(int('torch' in sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)
