"""What holds of every measure of this distribution."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from resi_more_measures import FAMILIES, encoding, gromov, held_out, predictivity, resi_measures

import resi
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


OF_PERMUTED = [measure for measure in resi_measures() if measure.permuted is not resi.Measure.permuted]
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


def test_only_folds_and_draws_need_the_rows_again(pair: tuple[np.ndarray, np.ndarray]) -> None:
    folded = {measure for family in (encoding, held_out, predictivity) for measure in family.MEASURES}
    assert set(OF_PERMUTED) == set(resi_measures()) - folded
    drawn = gromov.GromovWasserstein(rows=10)
    assert drawn.permuted(drawn.prepare(Features(torch.from_numpy(pair[0]))), torch.arange(40).flip(0)) is None


def test_listing_measures_does_not_load_torch() -> None:
    code = "import sys, resi_more_measures as m; m.resi_measures(); sys.exit(int('torch' in sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)
